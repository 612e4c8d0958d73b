#!/usr/bin/env python3
"""Trains the networks of the Fashion-MNIST table, seed after seed, and appends each one's result to `results/fashion-mnist.jsonl`.

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
from typing import Any, Dict, List, NamedTuple

HERE = Path(__file__).resolve().parent
CONFIG = HERE / 'configs' / 'fashion-mnist.toml'
RESULTS = HERE / 'results' / 'fashion-mnist.jsonl'
RUNS = HERE / 'runs'
EXIT_STOPPED = 130

EXPERIMENTS: Dict[str, List[str]] = {
    'plain': ['train.channels_last=true'],
    'compconv16': ['network.c0=16'],
    # As many multiply-accumulates as compconv16, by other means.
    'narrow': ['network.widths=[10, 20, 40]', 'train.channels_last=true'],
    'ghost': ['network.ghost_ratio=3', 'train.channels_last=true'],
    # BatchNorm and ReLU inside the modules; lighter and heavier compression.
    'compconv16-bn-relu': ['network.c0=16', 'network.inner="bn-relu"'],
    'compconv8': ['network.c0=8'],
    'compconv32': ['network.c0=32', 'train.channels_last=true'],
    # The spec's own choices, taken otherwise.
    'compconv16-no-shuffle': ['network.c0=16', 'network.shuffle_groups=1'],
    'compconv16-slices-reversed': ['network.c0=16', 'network.slice_order="shallowest-first"'],
    # Whether the table would look different in full precision.
    'plain-f32': ['train.channels_last=true', 'train.precision="f32"'],
    'compconv16-f32': ['network.c0=16', 'train.precision="f32"', 'train.channels_last=true'],
}
"""Settings of each network; all else is the configuration's. Memory layouts are the faster ones: they change nothing else."""
CONTROLS = ('plain-f32', 'compconv16-f32')


class Job(NamedTuple):
    name: str
    seed: int
    epochs: int

    @property
    def folder(self) -> Path:
        return RUNS / f'fashion-mnist-{self.name}-e{self.epochs}-s{self.seed}'

    def command(self) -> List[str]:
        settings = [*EXPERIMENTS[self.name], f'train.seed={self.seed}', f'train.epochs={self.epochs}']
        options = [word for setting in settings for word in ('--set', setting)]
        return [sys.executable, str(HERE / 'train.py'), str(CONFIG), '--run', str(self.folder), *options]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--workers', type=int, default=1, metavar='N', help='runs at a time')
    parser.add_argument('--seeds', type=int, default=5, metavar='N', help='of each network: 0 to N - 1')
    parser.add_argument('--epochs', type=int, default=10, metavar='N')
    parser.add_argument('--only', action='append', choices=list(EXPERIMENTS), metavar='NAME', help='may be given several times')
    parser.add_argument('--minutes', type=float, metavar='N', help='stop after these; what is running can be taken up again')
    parser.add_argument('--list', action='store_true', help='show what is done and what is not, and train nothing')
    arguments = parser.parse_args()

    jobs = [Job(name, seed, arguments.epochs) for seed in range(arguments.seeds) for name in arguments.only or EXPERIMENTS]
    # Seed by seed, so that at any time the table is of as many seeds as possible for all; the controls at the end.
    jobs.sort(key=lambda job: (job.name in CONTROLS, job.seed))
    done = {key(record) for record in read_results()}
    if arguments.list:
        for job in jobs:
            print(f'{"done" if job in done else "begun" if job.folder.exists() else "open":5} {job.name}, seed {job.seed}')
        return 0
    deadline = time.monotonic() + 60 * arguments.minutes if arguments.minutes else float('inf')
    return run_all([job for job in jobs if job not in done], arguments.workers, deadline)


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
    while running or (waiting and not stopped):
        stopped = stopped or time.monotonic() > deadline
        if stopped:
            for process in running.values():
                process.terminate()
        while waiting and not stopped and len(running) < workers:
            job = waiting.pop(0)
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
                print(f'{job.name}, seed {job.seed}: failed with status {status}; see {job.folder / "output.txt"}', file=sys.stderr, flush=True)
    if stopped:
        print('stopped; the same command goes on from here', flush=True)
    return 1 if failed else EXIT_STOPPED if stopped else 0


def start(job: Job) -> 'subprocess.Popen[bytes]':
    job.folder.mkdir(parents=True, exist_ok=True)
    with (job.folder / 'output.txt').open('ab') as output:
        return subprocess.Popen(
            job.command(),
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


def read_results(path: Path = RESULTS) -> List[Dict[str, Any]]:
    if not path.exists():
        return []
    lines = path.read_text().splitlines()
    return [json.loads(line) for line in lines if line.strip()]


def append(record: Dict[str, Any], path: Path = RESULTS) -> None:
    """Adds a line, unless another sweep has added the same run in the meantime."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open('a') as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if key(record) not in {key(other) for other in read_results(path)}:
            file.write(json.dumps(record) + '\n')
            file.flush()
            os.fsync(file.fileno())


if __name__ == '__main__':
    sys.exit(main())
