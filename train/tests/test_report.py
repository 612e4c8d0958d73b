"""Tables, cards and plots of results."""
import contextlib
import io
import json
import tempfile
import unittest
from pathlib import Path
from typing import Any, Dict, List
from unittest import mock

import report
from reporting.summary import read_results, summarise
from reporting.text import card, differences, page, table
from trainer.config import read_config

from .test_training import TRAIN


def record(name: str, seed: int, correct: int, **settings: Any) -> Dict[str, Any]:
    config = read_config(TRAIN / 'configs' / 'fashion-mnist.toml', [f'train.seed={seed}', *(f'{key}={value}' for key, value in settings.items())])
    return {
        'name': name, 'seed': seed, 'config': config.to_json(), 'classes': list(config.data.labels or []), 'epochs': 10,
        'testAccuracy': correct / 1000, 'correct': correct, 'images': 1000, 'macs': 1234567, 'params': 8901, 'seconds': 300.0,
        'confusion': [[100 - (i == 6) * 20 if i == j else (i == 6 and j == 0) * 20 for j in range(10)] for i in range(10)],
        'torch': '1.13', 'threads': 1, 'processes': 1, 'device': 'cpu',
    }  # fmt: skip


class ReportTest(unittest.TestCase):
    RECORDS = [record('plain', 1, 940), record('plain', 0, 930), record('plain', 2, 920), record('light', 0, 910)]

    def test_table(self) -> None:
        """The spread is the sample's: divided by n - 1."""
        text = table(summarise(self.RECORDS))
        self.assertIn('| plain | 93.00 ± 1.00 % | 3 | 1,234,567 | 8,901 |', text)
        self.assertIn('| light | 91.00 % | 1 | 1,234,567 | 8,901 |', text)
        self.assertIn('| [light](cards/light.md) | 91.00 % |', page(summarise(self.RECORDS)))

    def test_differences(self) -> None:
        """Variances of 1 and 4.5 with two degrees of freedom and one, pooled: (2 * 1 + 1 * 4.5) / 3."""
        records = [*self.RECORDS[:3], record('compconv16', 0, 900), record('compconv16', 1, 930), record('narrow', 0, 940)]
        text = page(summarise(records))
        self.assertIn('varies by 1.47 points (standard deviation, pooled over all\nnetworks with several seeds, 3 degrees of freedom)', text)
        self.assertIn('| CompConv16 instead of plain convolutions | -1.50 ± 4.27 | no |', text)
        self.assertIn('| CompConv16 instead of narrower plain layers | -2.50 ± 5.73 | no |', text)
        self.assertNotIn('Ghost', text)  # It was not trained.
        far = [*records, record('ghost', 0, 600), record('ghost', 1, 600), record('compconv16-short', 0, 500), record('compconv16-short-fitted', 0, 600)]
        text = page(summarise(far))
        self.assertRegex(text, r'instead of Ghost modules \| \+31.50 ± .* \| yes \|')
        self.assertIn('instead of random ones | +10.00 | one seed each |', text)
        self.assertEqual(differences(summarise([record('plain', 0, 930), record('narrow', 0, 920)])), '')

    def test_card(self) -> None:
        text = card(summarise(self.RECORDS)[0])
        for line in [
            '# plain',
            '93.00 ± 1.00 %, mean and sample standard deviation of 3 seeds (0, 1, 2): 93.00 %, 94.00 %, 92.00 %',
            '1,234,567 multiply-accumulates (convolutions and linear layers); 8,901 parameters',
            'Fashion-MNIST (Zalando), 1,000 test images, inputs of 28 x 28.',
            '10 epochs of SGD, batch 128, momentum 0.9 (Nesterov), weight decay 0.0005',
            'Learning rate 0.1, cosine after 1 epoch(s) of linear warm-up',
            'Shirt taken for T-shirt/top (20.0 % of Shirt)',
            'Fashion-MNIST is by Zalando SE, MIT.',
        ]:
            self.assertIn(line, text)

    def test_card_of_one_seed(self) -> None:
        one = record('light', 4, 910, **{'train.schedule': '"step"', 'train.milestones': [3, 6]})
        text = card(summarise([one])[0])
        for line in ['Test accuracy: 91.00 % (seed 4)', 'step, times 0.1 after epochs 3, 6 after 1 epoch(s)', 'One seed: another one would give']:
            self.assertIn(line, text)

    def test_records_of_earlier_versions(self) -> None:
        """They lack what was added since, and stand for its default."""
        earlier = record('plain', 1, 940)
        del earlier['config']['pretrained'], earlier['config']['train']['label_smoothing']
        self.assertEqual(len(summarise([record('plain', 0, 930), earlier])[0].records), 2)

    def test_what_cannot_be_averaged(self) -> None:
        for records, message in [
            ([record('plain', 0, 900), record('plain', 0, 910)], 'plain: a seed is there twice'),
            ([record('plain', 0, 900), record('plain', 1, 910, **{'train.lr': 0.2})], 'plain: seeds were trained with different settings'),
            ([], 'there are no results'),
        ]:
            with self.subTest(message), self.assertRaisesRegex(ValueError, message):
                summarise(records)

    def test_the_last_line_counts(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            file = Path(name) / 'results.jsonl'
            lines = [record('plain', 0, 900), record('plain', 1, 910), record('plain', 0, 920, **{'train.lr': 0.2})]
            file.write_text(''.join(json.dumps(each) + '\n' for each in lines))
            self.assertEqual([each['correct'] for each in read_results(file)], [920, 910])

    def run_command(self, records: List[Dict[str, Any]], folder: Path) -> str:
        (folder / 'results.jsonl').write_text(''.join(json.dumps(each) + '\n' for each in records))
        with contextlib.redirect_stdout(io.StringIO()) as output, contextlib.redirect_stderr(output):
            with mock.patch('sys.argv', ['report.py', str(folder / 'results.jsonl'), '--out', str(folder / 'out')]):
                status = report.main()
        return f'{status}: {output.getvalue()}'

    def test_files(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            output = self.run_command(self.RECORDS, folder)
            self.assertTrue(output.startswith('0: '), output)
            files = {str(path.relative_to(folder / 'out')) for path in (folder / 'out').rglob('*') if path.is_file()}
            plots = set() if 'matplotlib is not installed' in output else {'accuracy-macs.png', 'confusion-plain.png', 'confusion-light.png'}
            self.assertEqual(files, {'table.md', 'cards/plain.md', 'cards/light.md', *plots})
            for plot in plots:
                self.assertEqual((folder / 'out' / plot).read_bytes()[:8], b'\x89PNG\r\n\x1a\n')
            self.assertIn('2: report.py:', self.run_command([], folder))
            with mock.patch.dict('sys.modules', {'matplotlib': None}):
                self.assertIn('there are no plots', self.run_command(self.RECORDS, folder))


if __name__ == '__main__':
    unittest.main()
