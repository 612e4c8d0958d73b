"""The queue of runs: its commands make sense, pupils wait for their teachers, it stops well. And what `publish.py` makes of the runs."""
import contextlib
import io
import json
import sys
import tempfile
import time
import unittest
from pathlib import Path
from typing import List, Optional
from unittest import mock

import publish
import sweep
from make_fixtures import write_idx
from trainer.config import read_config
from trainer.run import train

from .test_training import values


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

    def test_results_of_other_settings(self) -> None:
        """They are no results of this sweep: what it trains is compared with each other."""
        job = sweep.Job('resnet50', 0, 8)
        config = read_config(job.config, job.settings)
        result = {'name': 'resnet50', 'seed': 0, 'epochs': 8, 'config': config.to_json()}
        other = {**result, 'config': read_config(job.config, [*job.settings, 'train.clip_norm=9']).to_json()}
        self.assertFalse(job.is_done([]) or job.is_done([other]) or job.is_done([{**result, 'seed': 1}]))
        self.assertTrue(job.is_done([other, result]))
        with tempfile.TemporaryDirectory() as name:
            file = Path(name) / 'results.jsonl'
            for record in (other, result, result):
                sweep.append(record, file)
            self.assertEqual(len(file.read_text().splitlines()), 2)
            self.assertEqual(sweep.read_results(file), [result])

    def test_teachers_first(self) -> None:
        pupil, teacher, other = sweep.Job('compconv16-distilled', 2, 10), sweep.Job('plain', 2, 10), sweep.Job('narrow', 2, 10)
        self.assertEqual(sweep.with_teachers([other, pupil, teacher]), [other, teacher, pupil])
        with mock.patch.object(sweep.Job, 'is_trained', True):
            self.assertEqual(sweep.with_teachers([other, pupil]), [other, pupil])

    def test_stopping(self) -> None:
        """Each run is told once, and nothing more is begun; what it saved is nobody's failure."""
        started: List[FakeRun] = []

        def start(_job: sweep.Job) -> 'FakeRun':
            started.append(FakeRun())
            return started[-1]

        jobs = [sweep.Job('plain', seed, 10) for seed in range(3)]
        with mock.patch.object(sweep, 'start', start), mock.patch.object(sweep.time, 'sleep'), contextlib.redirect_stdout(io.StringIO()):
            self.assertEqual(sweep.run_all(jobs, 2, deadline=time.monotonic() + 0.01), sweep.EXIT_STOPPED)
        self.assertEqual([run.signals for run in started], [1, 1])

    def test_failure(self) -> None:
        """A pupil whose teacher failed is not waited for."""
        with mock.patch.object(sweep, 'start', lambda _job: FakeRun(status=1)), contextlib.redirect_stderr(io.StringIO()) as errors:
            with mock.patch.object(sweep.time, 'sleep'), contextlib.redirect_stdout(io.StringIO()):
                jobs = [sweep.Job('plain', 0, 10), sweep.Job('compconv16-distilled', 0, 10)]
                self.assertEqual(sweep.run_all(jobs, 2, deadline=float('inf')), 1)
        self.assertRegex(errors.getvalue(), '^plain, seed 0: failed with status 1; see .*output.txt\n$')


class FakeRun:
    """A process that ends some polls after it was told to, or at once with a status."""

    def __init__(self, status: Optional[int] = None) -> None:
        self.status, self.signals, self.polls = status, 0, 0

    def terminate(self) -> None:
        self.signals += 1

    def poll(self) -> Optional[int]:
        self.polls += self.signals
        return sweep.EXIT_STOPPED if self.polls > 3 else self.status


class PublishTest(unittest.TestCase):
    def test_files_and_answers(self) -> None:
        """What is published is what the checkpoint answers; a run that is missing is named, and the others are done."""
        with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as patches:
            folder = Path(name)
            write_idx(folder, 96, 8)
            config = folder / 'fashion-mnist.json'
            config.write_text(json.dumps(values(folder, epochs=2, lr=0.1)))
            result = train(read_config(config), folder / 'fashion-mnist-plain-e10-s0', lambda _line: None)
            (folder / 'reference.json').write_text('{"other.safetensors": {}}')
            for module, attribute, value in [
                (sweep, 'RUNS', folder), (publish, 'ROOT', folder), (publish, 'BUNDLED', folder), (publish, 'LARGE', folder / 'large'),
                (publish, 'REFERENCE', folder / 'reference.json'), (publish, 'PUBLISHED', {'here': 'plain', 'missing': 'ghost'}),
                (sys, 'argv', ['publish.py']), (sweep.Job, 'is_trained', property(lambda job: (job.folder / 'result.json').exists())),
            ]:  # fmt: skip
                patches.enter_context(mock.patch.object(module, attribute, value))
            errors = patches.enter_context(contextlib.redirect_stderr(io.StringIO()))
            patches.enter_context(contextlib.redirect_stdout(io.StringIO()))
            self.assertEqual(publish.main(), 1)
            self.assertIn('python3 train/sweep.py --again --only ghost --seeds 1', errors.getvalue())
            reference = json.loads((folder / 'reference.json').read_text())
            self.assertEqual(list(reference), ['here.safetensors', 'other.safetensors'])
            here = reference['here.safetensors']
            self.assertEqual((here['trainedCorrectOf10000'], here['macs'], here['params']), (result['correct'], result['macs'], result['params']))
            self.assertEqual((len(here['answers']), len(here['firstLogits'])), (96, 8))
            self.assertTrue((folder / 'here.safetensors').exists())
            with mock.patch.object(publish, 'MAX_BUNDLED_BYTES', 1):
                publish.main()
            self.assertTrue((folder / 'large' / 'here.safetensors').exists())


if __name__ == '__main__':
    unittest.main()
