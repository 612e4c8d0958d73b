#!/usr/bin/env python3
"""Writes the network of a training run as a `.safetensors` file that the engine loads as it is.

    python3 train/export.py train/runs/mine/checkpoint.pt network.safetensors
    python3 train/export.py train/runs/mine/checkpoint.pt network-f16.safetensors --dtype F16
"""
from __future__ import annotations

import argparse
import sys
from pathlib import Path

from compconv.engine_file import save_engine_file
from trainer.checkpoint import load_network


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('checkpoint', type=Path, help='checkpoint.pt of a run')
    parser.add_argument('output', type=Path, help='the .safetensors file')
    parser.add_argument('--dtype', choices=['F32', 'F16'], default='F32', help='of the weights; sums are float32 in either case')
    arguments = parser.parse_args()
    try:
        export(arguments.checkpoint, arguments.output, arguments.dtype)
    except (OSError, ValueError) as error:
        print(f'export.py: {error}', file=sys.stderr)
        return 2
    print(f'{arguments.output}: {arguments.output.stat().st_size:,} bytes')
    return 0


def export(checkpoint: Path, output: Path, dtype: str = 'F32') -> None:
    """Raises ValueError (ConfigError is one) and OSError."""
    if output.suffix != '.safetensors':
        raise ValueError(f'{output}: the engine knows such files by the ending .safetensors')
    if not output.parent.is_dir():
        raise ValueError(f'{output}: there is no folder {output.parent}')
    network = load_network(checkpoint)
    save_engine_file(output, network.model, network.options, network.preprocess, network.classes, dtype)


if __name__ == '__main__':
    sys.exit(main())
