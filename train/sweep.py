#!/usr/bin/env python3
"""Trains the networks of the Fashion-MNIST table, seed after seed, and appends each one's result to `results/fashion-mnist.jsonl`.

What has a result of the same settings there is done; `--again` trains it nevertheless where its checkpoint is needed, and keeps the result that is there.

    python3 train/sweep.py --workers 2          # until all is done; kill it whenever you like, the same command goes on
    python3 train/sweep.py --only plain --seeds 1
    python3 train/sweep.py --list               # what is done, what is not

Each run is a process of `train.py` with one thread, in a folder below `train/runs`.
"""
from __future__ import annotations

import argparse
import ctypes
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Set

from reporting.summary import read_results
from trainer.arguments import positive, positive_int
from trainer.config import config_from, read_config
from trainer.run_folder import what_counts

HERE = Path(__file__).resolve().parent
CONFIGS = HERE / 'configs'
RESULTS = HERE / 'results' / 'fashion-mnist.jsonl'
RUNS = HERE / 'runs'
EXIT_STOPPED = 130


class Experiment(NamedTuple):
    """A network of the table: a configuration, and what is set otherwise than it says."""

    settings: List[str] = []
    config: str = 'fashion-mnist'
    epochs: int = 10
    seeds: int = 3
    teacher: Optional[str] = None
    """The experiment whose network of the same seed is the `distill.teacher`, or what `pretrained.weights` are."""
    teacher_key: str = 'distill.teacher'


# Memory layouts are the faster ones: they change nothing else.
LAST = 'train.channels_last=true'
# Gradients of ResNet50s begin with a length of 400 and end with 1.5 to 4. Without a limit the plain one's loss rose by half in epoch 5: 88.34 %
# in the end. A limit of 5 makes the first two epochs slow: a loss of 0.60 after them, without it 0.45.
CLIP = 'train.clip_norm=20'

EXPERIMENTS: Dict[str, Experiment] = {
    'plain': Experiment([LAST]),
    'compconv16': Experiment(['network.c0=16']),
    # As many multiply-accumulates as compconv16, by other means.
    'narrow': Experiment(['network.widths=[10, 20, 40]', LAST]),
    'ghost': Experiment(['network.ghost_ratio=3', LAST]),
    # BatchNorm and ReLU inside the modules; lighter and heavier compression.
    'compconv16-bn-relu': Experiment(['network.c0=16', 'network.inner="bn-relu"']),
    'compconv8': Experiment(['network.c0=8']),
    'compconv32': Experiment(['network.c0=32', LAST]),
    # The spec's own choices, taken otherwise.
    'compconv16-no-shuffle': Experiment(['network.c0=16', 'network.shuffle_groups=1']),
    'compconv16-slices-reversed': Experiment(['network.c0=16', 'network.slice_order="shallowest-first"']),
    'compconv16-slices-averaged': Experiment(['network.c0=16', 'network.slice_stride="average"']),
    # Depths chosen by `compconv search` on an adapter.
    'searched': Experiment(config='fashion-mnist-searched'),
    # What a plain twin is good for: as a teacher, and as what the modules begin with, against a run as short.
    'compconv16-distilled': Experiment(config='fashion-mnist-compconv16-distilled', teacher='plain'),
    # What the other ways to save learn from the same teacher.
    'narrow-distilled': Experiment(['network.widths=[10, 20, 40]', LAST], teacher='plain'),
    'ghost-distilled': Experiment(['network.ghost_ratio=3', LAST], teacher='plain'),
    'compconv16-short': Experiment(['network.c0=16'], epochs=3),
    'compconv16-short-fitted': Experiment(['network.c0=16'], epochs=3, teacher='plain', teacher_key='pretrained.weights'),
    # Three times as long: a point better, and whether ten epochs are enough to compare.
    'plain-long': Experiment([LAST], epochs=30),
    'compconv16-long': Experiment(['network.c0=16'], epochs=30),
    'narrow-long': Experiment(['network.widths=[10, 20, 40]', LAST], epochs=30),
    'ghost-long': Experiment(['network.ghost_ratio=3', LAST], epochs=30),
    'compconv16-distilled-long': Experiment(config='fashion-mnist-compconv16-distilled', epochs=30, seeds=1, teacher='plain-long'),
    # Twice as wide: what the same compression costs, and the same by narrower layers, where layers have more channels to share.
    'wide': Experiment(['network.widths=[32, 64, 128]', LAST], seeds=1),
    'wide-narrow': Experiment(['network.widths=[19, 39, 78]', LAST], seeds=1),
    'wide-compconv32': Experiment(['network.widths=[32, 64, 128]', 'network.c0=32', LAST], seeds=1),
    # Networks as wide as CompConv128 was made for.
    'resnet18': Experiment(config='fashion-mnist-resnet', epochs=8, seeds=1),
    'resnet18-compconv128': Experiment(['network.c0=128'], config='fashion-mnist-resnet', epochs=8, seeds=1),
    'resnet50': Experiment(['network.arch="resnet50"', CLIP], config='fashion-mnist-resnet', epochs=8, seeds=1),
    'resnet50-compconv128': Experiment(['network.arch="resnet50"', 'network.c0=128', CLIP], config='fashion-mnist-resnet', epochs=8, seeds=1),
    # Whether the table would look different in full precision.
    'plain-f32': Experiment([LAST, 'train.precision="f32"'], seeds=1),
    'compconv16-f32': Experiment(['network.c0=16', LAST, 'train.precision="f32"'], seeds=1),
}


class Job(NamedTuple):
    name: str
    seed: int
    epochs: int

    @property
    def folder(self) -> Path:
        return RUNS / f'fashion-mnist-{self.name}-e{self.epochs}-s{self.seed}'

    @property
    def teacher(self) -> Optional['Job']:
        name = EXPERIMENTS[self.name].teacher
        return None if name is None else Job(name, self.seed, EXPERIMENTS[name].epochs)

    @property
    def is_trained(self) -> bool:
        """Here and by these settings: its checkpoint can be used."""
        try:
            config = json.loads((self.folder / 'result.json').read_text())['config']
        except (OSError, ValueError, LookupError):
            return False
        return what_counts(config_from(config)) == what_counts(read_config(self.config, self.settings))

    @property
    def config(self) -> Path:
        return CONFIGS / f'{EXPERIMENTS[self.name].config}.toml'

    @property
    def settings(self) -> List[str]:
        experiment = EXPERIMENTS[self.name]
        settings = [*experiment.settings, f'train.seed={self.seed}', f'train.epochs={self.epochs}']
        if self.teacher is not None:
            # From where the run is started: results name no folder of this machine.
            settings.append(f'{experiment.teacher_key}={json.dumps(str(self.teacher.folder.relative_to(HERE) / "checkpoint.pt"))}')
        return settings

    def command(self) -> List[str]:
        options = [word for setting in self.settings for word in ('--set', setting)]
        return [sys.executable, str(HERE / 'train.py'), str(self.config), '--run-folder', str(self.folder), *options]

    def is_done(self, results: List[Dict[str, Any]]) -> bool:
        """Whether there is a result of these very settings."""
        wanted = what_counts(read_config(self.config, self.settings))
        return any(key(record) == self and what_counts(config_from(record['config'])) == wanted for record in results)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--workers', type=positive_int, default=1, metavar='N', help='runs at a time')
    parser.add_argument('--seeds', type=positive_int, metavar='N', help='of each network: 0 to N - 1; default 3, and 1 for what takes long')
    parser.add_argument('--only', action='append', choices=list(EXPERIMENTS), metavar='NAME', help='may be given several times')
    parser.add_argument('--again', action='store_true', help='train also what is done but not in train/runs, as after a clone')
    parser.add_argument('--minutes', type=positive, metavar='N', help='stop after these; what is running can be taken up again')
    parser.add_argument('--list', action='store_true', help='show what is done and what is not, and train nothing')
    arguments = parser.parse_args()

    names = arguments.only or list(EXPERIMENTS)
    jobs = [
        Job(name, seed, EXPERIMENTS[name].epochs)
        for name in names
        for seed in range(arguments.seeds or EXPERIMENTS[name].seeds)
    ]
    # Seed by seed, so that at any time the table is of as many seeds as possible for all.
    jobs.sort(key=lambda job: job.seed)
    results = read_results(RESULTS) if RESULTS.exists() else []
    done = {job for job in jobs if job.is_done(results)}
    if arguments.list:
        for job in jobs:
            print(f'{"done" if job in done else "begun" if job.folder.exists() else "open":5} {job.name}, seed {job.seed}')
        return 0
    deadline = time.monotonic() + 60 * arguments.minutes if arguments.minutes else float('inf')
    waiting = [job for job in jobs if (not job.is_trained if arguments.again else job not in done)]
    return run_all(with_teachers(waiting), arguments.workers, deadline)


def with_teachers(jobs: List[Job]) -> List[Job]:
    """Teachers before their pupils, also those whose results are known but whose checkpoints are not here."""
    ordered: List[Job] = []
    for job in jobs:
        teacher = job.teacher
        if teacher is not None and not teacher.is_trained and teacher not in ordered:
            ordered.append(teacher)
        if job not in ordered:
            ordered.append(job)
    return ordered


def run_all(waiting: List[Job], workers: int, deadline: float) -> int:
    """Returns the exit status: 0 if all went well."""
    stopped = False

    def stop(_signal: int, _frame: object) -> None:
        nonlocal stopped
        stopped = True

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    running: Dict[Job, 'subprocess.Popen[bytes]'] = {}
    failed = 0
    total = len(waiting)
    print(f'{total} runs to do', flush=True)
    told: Set[Job] = set()
    while running or (waiting and not stopped):
        stopped = stopped or time.monotonic() > deadline
        for job in running.keys() - told if stopped else ():
            running[job].terminate()  # Once: it saves where it is, and a second signal would end it before.
            told.add(job)
        ready = [job for job in waiting if job.teacher is None or job.teacher.is_trained]
        for job in [] if stopped else ready[: workers - len(running)]:
            waiting.remove(job)
            running[job] = start(job)
        time.sleep(0.5)
        for job, process in list(running.items()):
            status = process.poll()
            if status is None:
                continue
            del running[job]
            if status == 0:
                record = record_of(job)
                append(record)
                print(f'{job.name}, seed {job.seed}: {record["testAccuracy"]:.2%} in {record["seconds"]:.0f} s', flush=True)
            elif not (stopped and status in (EXIT_STOPPED, -signal.SIGTERM, -signal.SIGINT)):
                failed += 1
                waiting = [pupil for pupil in waiting if pupil.teacher != job]
                print(f'{job.name}, seed {job.seed}: failed with status {status}; see {job.folder / "output.txt"}', file=sys.stderr, flush=True)
    if stopped:
        print('stopped; the same command goes on from here', flush=True)
    return 1 if failed else EXIT_STOPPED if stopped else 0


def start(job: Job) -> 'subprocess.Popen[bytes]':
    job.folder.mkdir(parents=True, exist_ok=True)
    with (job.folder / 'output.txt').open('ab') as output:
        return subprocess.Popen(
            job.command(),
            cwd=HERE,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, 'OMP_NUM_THREADS': '1'},
            preexec_fn=_end_with_parent,
        )


def _end_with_parent() -> None:
    """On Linux, a sweep that is killed by force takes its runs along: they get SIGTERM, and save where they are."""
    if sys.platform == 'linux':
        PR_SET_PDEATHSIG = 1
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


# --- results -----------------------------------------------------------------------------------------------------------


def key(record: Dict[str, Any]) -> Job:
    return Job(record['name'], record['seed'], record['epochs'])


def record_of(job: Job) -> Dict[str, Any]:
    result = json.loads((job.folder / 'result.json').read_text())
    return {'name': job.name, 'seed': job.seed, **result}


def append(record: Dict[str, Any], path: Path = RESULTS) -> None:
    """Adds a line, unless another sweep has added the same run in the meantime. A run of other settings stays, and counts no more."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open('a') as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if not any(key(other) == key(record) and other['config'] == record['config'] for other in read_results(path)):
            file.write(json.dumps(record) + '\n')
            file.flush()
            os.fsync(file.fileno())


if __name__ == '__main__':
    sys.exit(main())
