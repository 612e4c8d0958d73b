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

from trainer.config import config_from
from trainer.data import open_data
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
        command = [sys.executable, str(TRAIN / 'train.py'), str(self.folder / 'config.json'), '--run', str(self.folder / 'run')]
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
            process.stdout.close()
            self.assertEqual(process.wait(timeout=60), status)
            if number == signal.SIGTERM:
                self.assertIn('the same command goes on from here', process.stderr.read())
            process.stderr.close()


if __name__ == '__main__':
    unittest.main()
