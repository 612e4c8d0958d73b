#!/usr/bin/env python3
"""Writes trained networks as the files that the page and the tests use, and what PyTorch makes of them.

    python3 train/sweep.py && python3 train/publish.py

Each network is that of seed 0, in F16: in `public/models`, which comes with the project, or if it is larger than 20 MB in
`train/models`, which does not. `test/data/reference.json` gets the answers of the files, and those of the weights before they were
rounded, to all 10,000 test images; a network whose run is not in `train/runs` keeps what is there. Then
`node scripts/make-sample-images.mjs` brings the page's list up to date.
"""
from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Dict, List

import torch
from torch import Tensor, nn

from compconv import count
from compconv.engine_file import load_engine_file
from export import export
from sweep import EXPERIMENTS, HERE, Job
from trainer.checkpoint import load_checkpoint, load_network
from trainer.config import config_from
from trainer.data import open_data

ROOT = HERE.parent
BUNDLED = ROOT / 'public' / 'models'
LARGE = HERE / 'models'
MAX_BUNDLED_BYTES = 20_000_000
REFERENCE = ROOT / 'test' / 'data' / 'reference.json'
FIRST = 8

PUBLISHED: Dict[str, str] = {
    'fashion-mnist-plain': 'plain-long',
    'fashion-mnist-compconv': 'compconv16-distilled-long',
    'fashion-mnist-resnet18': 'resnet18',
    'fashion-mnist-resnet18-compconv128': 'resnet18-compconv128',
    'fashion-mnist-resnet50': 'resnet50',
    'fashion-mnist-resnet50-compconv128': 'resnet50-compconv128',
}
"""File name to experiment."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--only', action='append', choices=list(PUBLISHED), metavar='NAME', help='may be given several times')
    arguments = parser.parse_args()
    reference: Dict[str, Any] = json.loads(REFERENCE.read_text()) if REFERENCE.exists() else {}
    missing = 0
    for name in arguments.only or PUBLISHED:
        job = Job(PUBLISHED[name], 0, EXPERIMENTS[PUBLISHED[name]].epochs)
        if not job.is_trained:
            command = f'python3 train/sweep.py --again --only {job.name} --seeds 1'
            print(f'{name}: {job.name}, seed 0, is not in train/runs; this trains it: {command}', file=sys.stderr)
            missing += 1
            continue
        path = publish(name, job)
        reference[path.name] = describe(path, job)
        right = reference[path.name]['correctOf10000']
        print(f'{path.relative_to(ROOT)}: {path.stat().st_size:,} bytes, {right:,} right, before rounding {reference[path.name]["trainedCorrectOf10000"]:,}')
    REFERENCE.write_text(json.dumps({name: reference[name] for name in sorted(reference)}, indent=1) + '\n')
    return 1 if missing else 0


def publish(name: str, job: Job) -> Path:
    file = f'{name}.safetensors'
    LARGE.mkdir(exist_ok=True)
    large = LARGE / file
    export(job.folder / 'checkpoint.pt', large, 'F16')
    return large if large.stat().st_size > MAX_BUNDLED_BYTES else large.replace(BUNDLED / file)


def describe(path: Path, job: Job) -> Dict[str, Any]:
    """What the tests compare the engine with."""
    checkpoint = job.folder / 'checkpoint.pt'
    config = config_from(load_checkpoint(checkpoint).meta['config'])
    images, labels = (torch.cat(parts) for parts in zip(*open_data(config.data).test(500, 0, 1)))
    file = load_engine_file(path)
    logits = evaluate(file.model, images)
    trained = evaluate(load_network(checkpoint).model, images)
    cost = count(file.model, (1, *images.shape[1:]))
    if logits.shape[1] > 10:
        raise ValueError(f'{path}: answers are written as digits, which do for 10 classes, not for {logits.shape[1]}')
    answers: List[int] = logits.argmax(1).tolist()
    return {
        'correctOf10000': int((logits.argmax(1) == labels).sum()),
        'trainedCorrectOf10000': int((trained.argmax(1) == labels).sum()),
        'macs': cost.macs,
        'params': cost.params,
        'answers': ''.join(map(str, answers)),
        'firstLogits': [[round(value, 5) for value in row] for row in logits[:FIRST].tolist()],
    }


@torch.no_grad()
def evaluate(model: nn.Module, images: Tensor) -> Tensor:
    """Logits, in float32."""
    model.eval()
    return torch.cat([model(batch) for batch in images.split(500)])


if __name__ == '__main__':
    sys.exit(main())
