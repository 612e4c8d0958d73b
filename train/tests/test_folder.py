"""Images in folders, which processes of their own read."""
import json
import os
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any, Dict

import numpy as np

from trainer.config import ConfigError, config_from
from trainer.data import open_data, read_image
from trainer.run import train

from .test_training import TRAIN, values


class FolderTest(unittest.TestCase):
    def setUp(self) -> None:
        from PIL import Image

        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        random = np.random.default_rng(0)
        for part, count in (('train', 16), ('val', 1)):
            for name, level in (('dark', 40), ('light', 160)):
                (self.folder / part / name).mkdir(parents=True)
                for i in range(count):
                    pixels = random.integers(level - 40, level + 40, (12, 10, 3), np.uint8)
                    Image.fromarray(pixels).save(self.folder / part / name / f'{i}.png')

    def values(self, **train_values: Any) -> Dict[str, Any]:
        config = values(self.folder, **train_values)
        config['data'] = {'kind': 'folder', 'path': str(self.folder), 'size': 8, 'mean': [0.4] * 3, 'std': [0.3] * 3, 'workers': 1}
        config['network']['in_channels'] = 3
        return config

    def test_learns(self) -> None:
        result = train(config_from(self.values(epochs=8)), self.folder / 'run', lambda _line: None)
        self.assertEqual((result['classes'], result['testAccuracy']), (['dark', 'light'], 1))

    def test_more_processes_than_images(self) -> None:
        data = open_data(config_from(self.values()).data)
        self.assertEqual([len(list(data.test(4, rank, 3))) for rank in range(3)], [1, 1, 0])

    def test_signals(self) -> None:
        """SIGTERM to all processes at once, as of a cluster's queue; and a start right after a kill, when the readers still live."""
        (self.folder / 'config.json').write_text(json.dumps(self.values(epochs=400)))
        command = [sys.executable, str(TRAIN / 'train.py'), str(self.folder / 'config.json'), '--run-folder', str(self.folder / 'run')]
        for number, status in ((signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 130)):
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
            self.addCleanup(process.kill)
            assert process.stdout is not None and process.stderr is not None
            line = ''
            while not line.startswith('epoch '):
                line = process.stdout.readline()
                self.assertTrue(line, process.stderr)
            if number == signal.SIGKILL:
                process.kill()
            else:
                os.killpg(process.pid, number)
                process.send_signal(number)  # And once more, by a launcher that passes it on.
            process.stdout.close()
            self.assertEqual(process.wait(timeout=60), status)
            if number == signal.SIGTERM:
                self.assertIn('the same command goes on from here', process.stderr.read())
            process.stderr.close()

    def test_damaged_image(self) -> None:
        """By processes of their own, too, the run ends, and says which image it was."""
        damaged = self.folder / 'train' / 'light' / '3.png'
        damaged.write_bytes(damaged.read_bytes()[:100])
        (self.folder / 'config.json').write_text(json.dumps(self.values()))
        command = [sys.executable, str(TRAIN / 'train.py'), str(self.folder / 'config.json'), '--run-folder', str(self.folder / 'run')]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertRegex(done.stderr, f'^train.py: {damaged} cannot be read as an image: .*truncated')

    def test_error_within_an_epoch(self) -> None:
        """Processes that read images do not keep the one alive that has failed."""
        code = (
            'import json, sys\n'
            'from pathlib import Path\n'
            'from trainer import run\n'
            'from trainer.config import config_from\n'
            'def fail(*_): raise RuntimeError("out of memory")\n'
            'run._Run._step = fail\n'
            'run.train(config_from(json.loads(sys.argv[1])), Path(sys.argv[2]))\n'
        )
        command = [sys.executable, '-c', code, json.dumps(self.values()), str(self.folder / 'run')]
        done = subprocess.run(command, capture_output=True, text=True, cwd=TRAIN, timeout=60)
        self.assertEqual((done.returncode, done.stderr.splitlines()[-1]), (1, 'RuntimeError: out of memory'))

    def test_images_as_the_engine_reads_them(self) -> None:
        from PIL import Image

        pixels = np.arange(6, dtype=np.uint8).reshape(2, 3) * 40
        wide = Image.fromarray(pixels)
        exif = wide.getexif()
        exif[0x0112] = 6  # To be turned clockwise.
        for name, image, options, expected in [
            ('deep.png', Image.fromarray((pixels.astype(np.int32) * 257).astype(np.uint16)), {}, pixels),
            ('turned.png', wide, {'exif': exif}, np.rot90(pixels, -1)),
        ]:
            with self.subTest(name):
                image.save(self.folder / name, **options)
                read = read_image(str(self.folder / name))
                self.assertEqual(read.mode, 'RGB')
                self.assertTrue(np.array_equal(np.asarray(read)[:, :, 1], expected))

    def test_other_images(self) -> None:
        """A run does not go on with classes or images that are not those it was begun with."""
        config, run = config_from(self.values(epochs=2)), self.folder / 'run'

        def stop(line: str) -> None:
            if line.startswith('epoch 1/'):
                raise KeyboardInterrupt

        with self.assertRaises(KeyboardInterrupt):
            train(config, run, stop)
        (self.folder / 'train' / 'light' / '3.png').rename(self.folder / 'train' / 'light' / '99.png')
        with self.assertRaisesRegex(ConfigError, 'holds a run whose training images were others'):
            train(config, run, lambda _line: None)
        for part in ('train', 'val'):
            (self.folder / part / 'dark').rename(self.folder / part / 'night')
        with self.assertRaisesRegex(ConfigError, r'holds a run of other classes \(dark, night\)'):
            train(config, run, lambda _line: None)


if __name__ == '__main__':
    unittest.main()
