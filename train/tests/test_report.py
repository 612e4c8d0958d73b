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
from publish import PUBLISHED
from reporting.plots import _aside
from reporting.published import PublishedFile, published_files
from reporting.summary import Summary, read_results, student_95, summarise, welch_interval
from reporting.text import card, differences, page, table
from trainer.config import read_config

from .test_training import TRAIN


def record(name: str, seed: int, correct: int, **settings: Any) -> Dict[str, Any]:
    config = read_config(TRAIN / 'configs' / 'fashion-mnist.toml', [f'train.seed={seed}', *(f'{key}={value}' for key, value in settings.items())])
    return {
        'name': name, 'seed': seed, 'config': config.to_json(), 'classes': list(config.data.labels or []), 'epochs': config.train.epochs,
        'testAccuracy': correct / 1000, 'correct': correct, 'images': 1000, 'macs': 1234567, 'params': 8901, 'seconds': 300.0,
        'confusion': [[100 - (i == 6) * 20 if i == j else (i == 6 and j == 0) * 20 for j in range(10)] for i in range(10)],
        'torch': '1.13', 'threads': 1, 'processes': 1, 'device': 'cpu',
    }  # fmt: skip


def with_cost(macs: int, name: str, seed: int, correct: int, **settings: Any) -> Dict[str, Any]:
    return {**record(name, seed, correct, **settings), 'macs': macs}


RESNET = {
    'network.arch': '"resnet18"', 'data.size': 32, 'data.resize': 32, 'data.mean': [0.286] * 3, 'data.std': [0.353] * 3,
}  # fmt: skip
GHOST = {'network.ghost_ratio': 3}
TAUGHT = {'distill.teacher': '"plain.pt"'}


class ReportTest(unittest.TestCase):
    RECORDS = [record('plain', 1, 940), record('plain', 0, 930), record('plain', 2, 920), record('light', 0, 910)]

    def test_table(self) -> None:
        """The spread is the sample's: divided by n - 1."""
        text = table(summarise(self.RECORDS))
        self.assertIn('| network | epochs | test accuracy | seeds | MACs | parameters |', text)
        self.assertIn('| plain | 10 | 93.00 ± 1.00 % | 3 | 1,234,567 | 8,901 |', text)
        self.assertIn('| light | 10 | 91.00 % | 1 | 1,234,567 | 8,901 |', text)
        self.assertIn('| [light](cards/light.md) | 10 | 91.00 % |', page(summarise(self.RECORDS)))

    def test_order(self) -> None:
        """Most epochs first, of as many the most accurate, of those the cheapest; whatever the order in the file."""
        records = [
            record('short', 0, 950, **{'train.epochs': 3}), with_cost(9, 'dear', 0, 920), with_cost(8, 'cheap', 0, 920),
            record('better', 0, 930), record('long', 0, 900, **{'train.epochs': 30}),
        ]  # fmt: skip
        for each in records, records[::-1]:
            self.assertEqual([s.name for s in summarise(each)], ['long', 'better', 'cheap', 'dear', 'short'])

    def test_differences(self) -> None:
        """Variances of 1 and 4.5 with two degrees of freedom and one, pooled: (2 * 1 + 1 * 4.5) / 3."""
        records = [*self.RECORDS[:3], record('compconv16', 0, 900), record('compconv16', 1, 930), record('narrow', 0, 940)]
        text = page(summarise(records))
        self.assertIn('varies by 1.47 points (standard deviation, pooled over all\nnetworks with several seeds, 3 degrees of freedom)', text)
        self.assertIn('single ones vary by 1.00 (plain) to 2.12 points (compconv16)', text)
        # Welch: sqrt(1 / 3 + 4.5 / 2) = 1.607, with 1.31 degrees of freedom.
        self.assertIn('| CompConv16 instead of plain convolutions | same | -1.50 ± 4.27 | -1.50 ± 20.43 | no |', text)
        self.assertIn('| CompConv16 instead of narrower plain layers | same | -2.50 ± 5.73 |  | no |', text)
        self.assertNotIn('Ghost', text)  # It was not trained.
        far = [*records, record('ghost', 0, 600), record('ghost', 1, 600), record('compconv16-short', 0, 500), record('compconv16-short-fitted', 0, 600)]
        text = page(summarise(far))
        self.assertIn('instead of Ghost modules | same | +31.50 ± 3.54 | +31.50 ± 19.07 | yes |', text)
        self.assertIn('instead of random ones | same | +10.00 |  | one seed each |', text)
        self.assertEqual(differences(summarise([record('plain', 0, 930), record('narrow', 0, 920)])), '')

    def test_what_only_one_way_of_telling_sees(self) -> None:
        noisy = [record('compconv8', seed, correct) for seed, correct in enumerate([880, 900, 920])]
        still = [record('compconv32', seed, correct) for seed, correct in enumerate([901, 902, 903])]
        here = [record('compconv16', seed, correct) for seed, correct in enumerate([909, 910, 911])]
        text = differences(summarise([*here, *still, *noisy]))
        self.assertIn('| lighter: C_0 = 32 instead of 16 | same | -0.80 ± 2.32 | -0.80 ± 0.23 | only with its own spread for each |', text)
        steady = [record(name, seed, correct) for name in ('plain', 'narrow', 'ghost') for seed, correct in enumerate([919, 920, 921])]
        noisy = [record('compconv16', seed, correct) for seed, correct in enumerate([890, 900, 910])]
        text = differences(summarise([*steady, *noisy]))
        self.assertIn('| CompConv16 instead of plain convolutions | same | -2.00 ± 0.96 | -2.00 ± 2.49 | only with one spread for all |', text)

    def test_cost_of_a_change(self) -> None:
        pair = [with_cost(15_685_344, 'searched', 0, 930), with_cost(15_685_344, 'searched', 1, 931), with_cost(7_828_390, 'compconv16', 0, 925)]
        self.assertIn('| depths by measured time instead of C_0 = 16 | x 2.00 | +0.55 ', differences(summarise(pair)))

    def test_welch(self) -> None:
        """Variances of 1 and 9 over three seeds each: (1/3 + 9/3)^2 / ((1/3)^2 / 2 + (9/3)^2 / 2) = 2.44 degrees of freedom, of which 2 count."""
        one, other, single, still = (
            Summary(name, [record(name, seed, correct) for seed, correct in enumerate(values)])
            for name, values in [('a', [920, 930, 940]), ('b', [890, 920, 950]), ('c', [900]), ('d', [900, 900])]
        )
        self.assertAlmostEqual(welch_interval(one, other) or 0, 4.30 * 0.01 * (10 / 3) ** 0.5)
        # Of equal spreads it is Student's, with all degrees of freedom.
        self.assertAlmostEqual(welch_interval(one, one) or 0, 2.78 * 0.01 * (2 / 3) ** 0.5)
        self.assertAlmostEqual(welch_interval(one, still) or 0, 4.30 * 0.01 * (1 / 3) ** 0.5)
        self.assertIsNone(welch_interval(one, single))
        self.assertIsNone(welch_interval(still, still))
        self.assertEqual([student_95(freedom) for freedom in (1, 1.9, 2, 30, 1000)], [12.71, 12.71, 4.30, 2.04, 2.04])

    def test_card(self) -> None:
        text = card(summarise(self.RECORDS)[0])
        for line in [
            '# plain',
            '93.00 ± 1.00 %, mean and sample standard deviation of 3 seeds (0, 1, 2): 93.00 %, 94.00 %, 92.00 %',
            '1,234,567 multiply-accumulates (convolutions and linear layers); 8,901 parameters',
            'Fashion-MNIST (Zalando): 60,000 training images, 1,000 test images, inputs of 28 x 28.',
            '10 epochs of SGD, batch 128, momentum 0.9 (Nesterov), weight decay 0.0005',
            'Learning rate 0.1, cosine after 1 epoch(s) of linear warm-up',
            'Shirt taken for T-shirt/top (20.0 % of Shirt)',
            'Fashion-MNIST is by Zalando SE, MIT.',
        ]:
            self.assertIn(line, text)

    def test_options_that_have_no_effect(self) -> None:
        for settings, options in [
            ({}, 'arch = "resnet_small14"'),
            (GHOST, 'arch = "resnet_small14", ghost_ratio = 3'),
            ({'network.widths': [10, 20, 40]}, 'arch = "resnet_small14", widths = [10, 20, 40]'),
        ]:
            self.assertIn(f'An image classifier: {options}.\n', card(summarise([record('any', 0, 900, **settings)])[0]))
        text = card(summarise([record('any', 0, 900, **{'network.c0': 16, 'network.inner': '"bn-relu"'})])[0])
        self.assertIn('arch = "resnet_small14", c0 = 16, shuffle_groups = 2, inner = "bn-relu", slice_order = "deepest-first"', text)

    def test_what_the_engine_does_not_run(self) -> None:
        for settings, reason in [
            (GHOST, 'Ghost modules'),
            ({'network.c0': 16, 'network.slice_order': '"shallowest-first"'}, "slice_order 'shallowest-first'"),
        ]:
            text = card(summarise([record('any', 0, 900, **settings)])[0])
            self.assertIn(f'- There is no file of it: the engine does not run {reason}\n', text)
        self.assertNotIn('no file', card(summarise(self.RECORDS)[0]))

    def test_published_file(self) -> None:
        answers = {'correctOf10000': 9298, 'trainedCorrectOf10000': 9300, 'macs': 1234567, 'params': 8901}
        plain = summarise(self.RECORDS)[0]
        shares = '(seed 0, F16: 92.98 % of the test images right; before rounding 93.00 %)'
        self.assertIn(f'- File: `public/a.safetensors` {shares}\n', card(plain, [], PublishedFile('public/a.safetensors', True, answers)))
        text = card(plain, [], PublishedFile('train/a.safetensors', False, answers))
        self.assertIn(f'- File: `train/a.safetensors`, which `publish.py` makes and which is too large to come with the project {shares}\n', text)
        # Another network of that name, and of other images.
        self.assertNotIn('File:', card(plain, [], PublishedFile('public/a.safetensors', True, {**answers, 'params': 1})))
        digits = summarise([record('plain', 0, 930, **{'data.labels': [str(i) for i in range(10)]})])[0]
        self.assertNotIn('File:', card(digits, [], PublishedFile('public/a.safetensors', True, answers)))

    def test_published_files(self) -> None:
        files = published_files()
        self.assertLessEqual(set(files), set(PUBLISHED.values()))
        self.assertEqual((files['plain-long'].path, files['plain-long'].comes_with_project), ('public/models/fashion-mnist-plain.safetensors', True))

    def test_data(self) -> None:
        """As many training images as are known; what becomes of images before a network sees them."""
        for settings, text in [
            (RESNET, 'inputs of 32 x 32; images are resized from 28 x 28 to 32 x 32, their one channel repeated 3 times.'),
            ({'data.train_limit': 500}, 'Fashion-MNIST (Zalando): 500 training images, 1,000 test images'),
            ({'data.train_limit': 70000}, 'Fashion-MNIST (Zalando): 60,000 training images,'),
            ({'data.labels': []}, 'Files of kind `idx`: 1,000 test images, inputs of 28 x 28.'),
            ({'data.labels': [], 'data.train_limit': 500}, 'Files of kind `idx`: at most 500 training images, 1,000 test images'),
        ]:
            each = record('any', 0, 900, **settings)
            each['classes'] = [str(i) for i in range(10)]
            self.assertIn(text, card(summarise([each])[0]))

    def test_what_is_better(self) -> None:
        """More accurate beyond chance, cheaper, also to train, and with no more help; what the engine runs goes before what it does not."""
        slow = [with_cost(100, 'slow', seed, correct, **RESNET) for seed, correct in enumerate([909, 910, 911])]
        candidates = {
            'better': with_cost(50, 'better', 0, 920), 'ghost': with_cost(40, 'ghost', 0, 930, **GHOST), 'dear': with_cost(100, 'dear', 0, 940),
            'same': with_cost(50, 'same', 0, 912), 'taught': with_cost(50, 'taught', 0, 950, **TAUGHT),
            'long': with_cost(50, 'long', 0, 960, **{'train.epochs': 21}), 'twice': with_cost(50, 'twice', 0, 919, **{'train.epochs': 20}),
        }  # fmt: skip

        def text(*names: str) -> str:
            summaries = summarise([*slow, *(candidates[name] for name in names)])
            return card(next(s for s in summaries if s.name == 'slow'), summaries)

        self.assertIn('- better was more accurate on these data and is cheaper: 92.00 % with 50 multiply-accumulates, after 10 epochs. '
                      'resnet18 was made for images of 224 x 224: on such small ones it serves to show the engine at work on it.\n', text(*candidates))  # fmt: skip
        self.assertIn('- ghost was more accurate', text('ghost', 'dear'))
        self.assertIn('after 10 epochs; but the engine does not run Ghost modules.', text('ghost', 'dear'))
        self.assertIn('- twice was more accurate', text('ghost', 'twice'))
        self.assertNotIn('more accurate', text('dear', 'same', 'taught', 'long'))

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

    def test_places_in_the_plot(self) -> None:
        """What lies on another one goes aside by as few steps as do, to either side."""
        points = [('a', 100, 930), ('b', 100, 930), ('c', 100, 930), ('d', 200, 930), ('e', 100, 900)]
        summaries = summarise([with_cost(macs, name, 0, correct) for name, macs, correct in points])
        self.assertEqual(_aside(summaries, 1.1), [0, 1, -1, 0, 0])

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
