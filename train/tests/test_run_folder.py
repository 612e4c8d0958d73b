"""What a run's folder holds and survives, the schedule of its learning rate, and the command."""
import contextlib
import dataclasses
import errno
import io
import json
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from make_fixtures import write_idx
from trainer.checkpoint import load_checkpoint
from trainer.config import ConfigError, config_from
from trainer.run import train
from trainer.run_folder import RunFolder
from trainer.schedule import learning_rate

from .test_training import TRAIN, values


class FilesTest(unittest.TestCase):
    def test_full_disk(self) -> None:
        """The command says so, and what was saved before is there."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write_idx(folder, 96, 8)
            (folder / 'config.json').write_text(json.dumps(values(folder)))
            command = [sys.executable, str(TRAIN / 'train.py'), str(folder / 'config.json'), '--run-folder', str(folder / 'run')]
            limited = f'ulimit -f 8; exec "$@"'  # Blocks of 512 or 1024 bytes: less than a checkpoint.
            done = subprocess.run(['sh', '-c', limited, 'sh', *command], capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stderr), (1, 'train.py: [Errno 27] File too large\n'))
            self.assertEqual({path.name for path in (folder / 'run').iterdir()}, {'lock', 'log.jsonl'})

    def test_damaged_result(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write_idx(folder, 96, 8)
            config = config_from(values(folder, epochs=1))
            result = train(config, folder / 'run', lambda _line: None)
            for text in ('', '{}'):
                (folder / 'run' / 'result.json').write_text(text)
                self.assertEqual(train(config, folder / 'run', lambda _line: None)['confusion'], result['confusion'])


    def test_locks(self) -> None:
        """Taken by another process, or not to be had on this file system."""
        with tempfile.TemporaryDirectory() as name:
            folder = RunFolder(Path(name), config_from(values(Path(name))))
            with mock.patch('fcntl.lockf', side_effect=OSError(errno.EAGAIN, 'taken')), self.assertRaisesRegex(ConfigError, 'another process is training'):
                with folder.locked():
                    self.fail('not reached')
            with mock.patch('fcntl.lockf', side_effect=OSError(errno.ENOLCK, 'No locks available')), contextlib.redirect_stderr(io.StringIO()) as said:
                with folder.locked():
                    pass
            self.assertIn('cannot be locked (No locks available)', said.getvalue())


class ScheduleTest(unittest.TestCase):
    def test_rates(self) -> None:
        base = config_from(values(Path('.'), epochs=10, lr=1.0)).train
        cosine = dataclasses.replace(base, warmup_epochs=2.0)
        self.assertAlmostEqual(learning_rate(cosine, 1), 0.5)
        self.assertAlmostEqual(learning_rate(cosine, 2), 1)
        self.assertAlmostEqual(learning_rate(cosine, 6), 0.5)
        self.assertAlmostEqual(learning_rate(cosine, 10), 0)
        step = dataclasses.replace(base, schedule='step', milestones=(3, 6))
        self.assertEqual([round(learning_rate(step, epoch), 9) for epoch in (0.1, 3, 3.1, 6, 6.1)], [1, 1, 0.1, 0.1, 0.01])


class CommandTest(unittest.TestCase):
    def test_ctrl_c(self) -> None:
        """The command itself: stopped by SIGINT with the status of a stopped command, then taken up again."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write_idx(folder, 96, 8)
            (folder / 'config.json').write_text(json.dumps(values(folder, epochs=400)))
            command = [sys.executable, str(TRAIN / 'train.py'), str(folder / 'config.json'), '--run-folder', str(folder / 'run')]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            assert process.stdout is not None
            while not process.stdout.readline().startswith('epoch 1/'):
                self.assertIsNone(process.poll())
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=60)
            self.assertEqual(process.returncode, 130, errors)
            self.assertIn('the same command goes on from here', errors)
            done = load_checkpoint(folder / 'run' / 'checkpoint.pt').meta['progress']['epoch']
            self.assertGreaterEqual(done, 1)
            bad = subprocess.run([*command, '--set', 'train.epochs=3'], capture_output=True, text=True)
            self.assertEqual(bad.returncode, 2)
            self.assertIn('holds another run', bad.stderr)


if __name__ == '__main__':
    unittest.main()
