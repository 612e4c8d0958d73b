#!/usr/bin/env python3
"""Trains an image classifier, plain or with CompConv.

    python3 train/train.py train/configs/fashion-mnist-compconv16.toml --run-folder train/runs/mine
    torchrun --nproc_per_node=8 train/train.py train/configs/imagenet-resnet50-compconv128.toml --run-folder ...

The same command takes a stopped run up again.
"""
from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from trainer.config import ConfigError, read_config
from trainer.run import Diverged, Stopped, train

EXIT_STOPPED = 130
"""What a shell reports of a command that Ctrl-C ended."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', type=Path, help='a TOML or JSON file, as in train/configs')
    # Not `--run`: torchrun would take that for its own `--run-path`, wherever it stands.
    parser.add_argument('--run-folder', type=Path, required=True, metavar='FOLDER', help='where checkpoint.pt, log.jsonl and result.json go')
    parser.add_argument('--set', action='append', default=[], metavar='KEY=VALUE', help='wins over the file, e.g. train.epochs=3')
    parser.add_argument('--depths', type=Path, metavar='FILE', help='a JSON object, layer name to depth; as network.depths')
    arguments = parser.parse_args()
    settings = arguments.set + ([] if arguments.depths is None else [f'network.depths={json.dumps(str(arguments.depths.resolve()))}'])
    try:
        result = train(read_config(arguments.config, settings), arguments.run_folder, lambda line: print(line, flush=True))
    except Stopped as stopped:
        print(f'{stopped}; the same command goes on from here', file=sys.stderr)
        return EXIT_STOPPED
    except (ConfigError, Diverged, OSError) as error:  # OSError: a full disk.
        print(f'train.py: {error}', file=sys.stderr)
        return 2 if isinstance(error, ConfigError) else 1
    if int(os.environ.get('RANK', 0)) == 0:  # Of several processes the first speaks for all.
        print(f'{result["correct"]} of {result["images"]} test images right: {result["testAccuracy"]:.2%}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
