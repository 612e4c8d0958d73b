"""Two processes on the CPU, with the environment that `torchrun` gives them (that of PyTorch 1.13 does not start on Python 3.11)."""
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any, Dict, List

import torch
from torch.distributed.run import get_args_parser

from make_fixtures import write_idx
from trainer.checkpoint import load_checkpoint
from trainer.config import config_from
from trainer.data import open_data

from .test_training import TRAIN, values


def free_port() -> int:
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port: int = free.getsockname()[1]
        return port


class TwoProcessesTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        write_idx(self.folder, 96, 8)

    def train(self, script: str, name: str, processes: int, **train_values: Any) -> Dict[str, Any]:
        (self.folder / f'{name}.json').write_text(json.dumps(values(self.folder, device='cpu', **train_values)))
        running = self.start(script, name, processes)
        for process in running:
            output, _ = process.communicate(timeout=120)
            self.assertEqual(process.returncode, 0, output)
        result: Dict[str, Any] = json.loads((self.folder / name / 'result.json').read_text())
        return result

    def start(self, script: str, name: str, processes: int) -> List['subprocess.Popen[str]']:
        command = [sys.executable, str(TRAIN / script), str(self.folder / f'{name}.json'), '--run-folder', str(self.folder / name)]
        environment = {**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONPATH': str(TRAIN), 'WORLD_SIZE': str(processes)}
        environment.update(MASTER_ADDR='127.0.0.1', MASTER_PORT=str(free_port()))
        running = [
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**environment, 'RANK': str(rank)})
            for rank in range(processes)
        ]
        for process in running:
            self.addCleanup(process.kill)
        return running

    def weights(self, name: str) -> Dict[str, torch.Tensor]:
        return load_checkpoint(self.folder / name / 'checkpoint.pt').model

    def test_learn(self) -> None:
        result = self.train('train.py', 'two', 2, epochs=8)
        self.assertEqual((result['processes'], result['images']), (2, 96))
        self.assertEqual(sum(map(sum, result['confusion'])), 96)
        self.assertGreater(result['testAccuracy'], 0.9)

    def test_torchrun(self) -> None:
        """It takes abbreviations of its own options for them even behind the script."""
        options = re.findall(r"add_argument\('(--[a-z-]+)'", (TRAIN / 'train.py').read_text())
        self.assertIn('--run-folder', options)
        ours = ['config.toml', *(word for option in options for word in (option, 'value'))]
        parsed = get_args_parser().parse_args(['--nproc_per_node=8', 'train.py', *ours])
        self.assertEqual((parsed.training_script, parsed.training_script_args), ('train.py', ours))
        self.assertFalse(parsed.run_path)

    def test_wrong_weights(self) -> None:
        """Only the first process reads them; the others end with it."""
        config = {**values(self.folder, device='cpu'), 'pretrained': {'weights': 'nowhere.pt'}}
        (self.folder / 'config.json').write_text(json.dumps(config))
        running = self.start('train.py', 'config', 2)
        errors = [process.communicate(timeout=120)[0] for process in running]
        self.assertEqual([process.returncode for process in running], [2, 2], errors)
        self.assertIn('nowhere.pt: No such file or directory', errors[0])
        self.assertIn('train.py: the first process found something wrong', errors[1])

    def test_folders_of_their_own(self) -> None:
        """A checkpoint that only one of them finds: not shared between machines."""
        self.train('train.py', 'config', 1, epochs=1)
        (self.folder / 'config' / 'result.json').unlink()
        config = self.folder / 'config.json'
        command = [sys.executable, str(TRAIN / 'train.py'), str(config), '--run-folder']
        environment = {**os.environ, 'OMP_NUM_THREADS': '1', 'WORLD_SIZE': '2', 'MASTER_ADDR': '127.0.0.1', 'MASTER_PORT': str(free_port())}
        running = [
            subprocess.Popen([*command, str(self.folder / name)], stderr=subprocess.PIPE, text=True, env={**environment, 'RANK': str(rank)})
            for rank, name in enumerate(['config', 'elsewhere'])
        ]
        for process in running:
            self.addCleanup(process.kill)
        for process in running:
            _, errors = process.communicate(timeout=120)
            self.assertEqual(process.returncode, 2, errors)
            self.assertIn('--run-folder has to be a folder that all of them see', errors)

    def test_equal_one(self) -> None:
        """Without BatchNorm, two processes compute what one does, but for the order of sums."""
        script = 'tests/without_batch_norm.py'
        one, two = (self.train(script, f'with-{n}', n, epochs=2, lr=0.01) for n in (1, 2))
        self.assertEqual((one['processes'], two['processes']), (1, 2))
        ours, theirs = self.weights('with-1'), self.weights('with-2')
        self.train(script, 'other', 1, epochs=1, lr=0.01)
        for name, expected in ours.items():
            torch.testing.assert_close(theirs[name], expected, rtol=1e-4, atol=1e-5)
        # The comparison can tell trainings apart.
        self.assertGreater(float((self.weights('other')['fc.weight'] - ours['fc.weight']).abs().max()), 1e-3)

    def test_shares(self) -> None:
        """The processes' shares of a batch are the batch."""
        data = open_data(config_from(values(self.folder)).data)
        whole = list(data.training(16, 0, 1, 0, 0, 1))
        shares = [list(data.training(16, 0, 1, 0, rank, 2)) for rank in (0, 1)]
        self.assertEqual(len(whole), 6)
        for step, (images, labels) in enumerate(whole):
            for rank in (0, 1):
                ours, its_labels = shares[rank][step]
                self.assertTrue(torch.equal(ours, images[rank::2]) and torch.equal(its_labels, labels[rank::2]))


if __name__ == '__main__':
    unittest.main()
