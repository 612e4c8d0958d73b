#!/usr/bin/env python3
"""Makes `test/fixtures/train`: small networks as `export.py` writes them, what PyTorch computes with them, and what they cost.

    python3 train/make_fixtures.py test/fixtures/train
    python3 train/make_fixtures.py /tmp/elsewhere --seed 5

`<name>.safetensors` is the network; `networks.json` has of each the input `[N, C, H, W]`, flat, the logits, MACs and parameters.
"""
from __future__ import annotations

import argparse
import json
import struct
import tempfile
from pathlib import Path
from typing import Any, Dict, NamedTuple

import torch
from torch import nn

from compconv import NetworkOptions, count, create_network
from compconv.engine_file import Preprocess, load_engine_file, save_engine_file
from export import export
from trainer.config import config_from
from trainer.run import train

SIDE = 10
IMAGES = 2


class Case(NamedTuple):
    options: NetworkOptions
    dtype: str = 'F32'


RANDOM = {
    'plain': Case(NetworkOptions('resnet_small14', widths=(4, 8), blocks_per_stage=1), 'F16'),
    'linear': Case(NetworkOptions('resnet_small14', widths=(8, 16), blocks_per_stage=1, classes=3, c0=4, shuffle_groups=4, inner_bias=True)),
    'bn-relu': Case(
        NetworkOptions(
            'resnet_small14', widths=(11,), blocks_per_stage=1, in_channels=3, classes=5, inner='bn-relu', shuffle_groups=1,
            depths={'conv1': 1, 'layer1.0.conv1': 3, 'layer1.0.conv2': 2},
        )
    ),
}  # fmt: skip
TRAINED = 'trained'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('folder', type=Path)
    parser.add_argument('--seed', type=int, default=0)
    arguments = parser.parse_args()
    make(arguments.folder, arguments.seed)


def make(folder: Path, seed: int) -> None:
    torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    for index, (name, case) in enumerate(RANDOM.items()):
        torch.manual_seed(1000 * seed + index)
        model = create_network(case.options)
        with torch.no_grad():
            for module in model.modules():
                if isinstance(module, nn.BatchNorm2d):
                    nn.init.uniform_(module.weight, 0.5, 1.5)
                    nn.init.uniform_(module.bias, -0.5, 0.5)
            # Gives the BatchNorms running statistics of their own.
            model.train()(torch.randn(16, case.options.input_shape[1], SIDE, SIDE))
        channels = case.options.input_shape[1]
        preprocess = Preprocess(SIDE, (0.25, 0.5, 0.75)[:channels], (0.5,) * channels)
        save_engine_file(folder / f'{name}.safetensors', model, case.options, preprocess, dtype=case.dtype)
    _train(folder / f'{TRAINED}.safetensors', seed)

    records = {}
    for index, name in enumerate([*RANDOM, TRAINED]):
        torch.manual_seed(1000 * seed + 500 + index)
        records[name] = _record(folder / f'{name}.safetensors')
    lines = ',\n'.join(f'"{name}": {json.dumps(record)}' for name, record in records.items())
    (folder / 'networks.json').write_text(f'{{\n{lines}\n}}\n')


def _record(file: Path) -> Dict[str, Any]:
    """Computed from what the file holds, so that rounding to F16 is not a difference."""
    network = load_engine_file(file)
    # Sixteenths: exact in few digits.
    x = (16 * torch.randn(IMAGES, network.options.input_shape[1], SIDE, SIDE)).round() / 16
    cost = count(network.model, x)
    with torch.no_grad():
        logits = network.model.double().eval()(x.double())
    return {
        'inputShape': list(x.shape),
        'input': x.flatten().tolist(),
        'logits': [[float(f'{value:.9g}') for value in row] for row in logits.tolist()],
        'macs': cost.macs,
        'params': cost.params,
    }


def _train(output: Path, seed: int) -> None:
    """A few epochs by the trainer itself, on images of three classes that differ in where they are bright."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_idx(folder, 96, SIDE)
        config = {
            'data': {'kind': 'idx', 'path': name, 'size': SIDE, 'mean': [0.4], 'std': [0.3], 'pad': 1, 'labels': ['top', 'middle', 'bottom']},
            'network': {'arch': 'resnet_small14', 'widths': [8, 12], 'blocks_per_stage': 1, 'c0': 4},
            'train': {'epochs': 3, 'batch_size': 16, 'lr': 0.05, 'threads': 1, 'seed': seed, 'device': 'cpu'},
        }
        train(config_from(config), folder / 'run', lambda _line: None)
        export(folder / 'run' / 'checkpoint.pt', output)


def write_idx(folder: Path, count: int, side: int) -> None:
    """Images of three classes that differ in where they are bright, as MNIST's files."""
    generator = torch.Generator().manual_seed(1)
    for part in ('train', 't10k'):
        labels = torch.arange(count) % 3
        images = torch.randint(0, 100, (count, side, side), generator=generator)
        for i, label in enumerate(labels.tolist()):
            images[i, 2 * label + 1 : 2 * label + 3] += 120
        (folder / f'{part}-images-idx3-ubyte').write_bytes(
            struct.pack('>HBB3I', 0, 8, 3, count, side, side) + bytes(images.flatten().tolist())
        )
        (folder / f'{part}-labels-idx1-ubyte').write_bytes(struct.pack('>HBBI', 0, 8, 1, count) + bytes(labels.tolist()))


if __name__ == '__main__':
    main()
