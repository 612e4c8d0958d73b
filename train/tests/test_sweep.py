"""The queue of runs: its commands make sense, pupils wait for their teachers."""
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import sweep
from trainer.config import read_config


class SweepTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        runs = mock.patch.object(sweep, 'RUNS', sweep.HERE / Path(folder.name).name)
        runs.start()
        self.addCleanup(runs.stop)

    def test_every_experiment_has_a_configuration(self) -> None:
        for name, experiment in sweep.EXPERIMENTS.items():
            with self.subTest(name):
                command = sweep.Job(name, 1, experiment.epochs).command()
                settings = [value for option, value in zip(command, command[1:]) if option == '--set']
                config = read_config(command[2], settings)
                self.assertEqual((config.train.seed, config.train.epochs), (1, experiment.epochs))
                teacher = config.distill.teacher if config.distill else config.pretrained.weights if config.pretrained else None
                self.assertEqual(teacher is None, experiment.teacher is None)
                # What goes into the results names no folder of this machine.
                self.assertFalse(Path(teacher or '').is_absolute())

    def test_teachers_first(self) -> None:
        pupil, teacher, other = sweep.Job('compconv16-distilled', 2, 10), sweep.Job('plain', 2, 10), sweep.Job('narrow', 2, 10)
        self.assertEqual(sweep.with_teachers([other, pupil, teacher]), [other, teacher, pupil])
        with mock.patch.object(sweep.Job, 'is_trained', True):
            self.assertEqual(sweep.with_teachers([other, pupil]), [other, pupil])


if __name__ == '__main__':
    unittest.main()
