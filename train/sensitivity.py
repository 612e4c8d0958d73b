#!/usr/bin/env python3
"""Says what recursion depth costs each layer of a plain network, as JSON: `{layer: [depth 0, 1, 2, 3]}`, the larger the worse.

    python3 train/sensitivity.py train/runs/plain/checkpoint.pt --data train/configs/fashion-mnist.toml --out sensitivity.json
    python3 train/sensitivity.py public/models/fashion-mnist-plain.safetensors --out sensitivity.json
    python3 train/sensitivity.py resnet18 --seed 1 --size 64 --measure error --out sensitivity.json

One layer at a time becomes a CompConv that is fitted to it (`compconv/fit.py`), with no training after. `kl`: how far the network's
answers are from the plain network's then, as mean Kullback-Leibler divergence; the BatchNorms of both have the statistics of the images.
`error`: how far the layer's output is from the plain one's, relative, in L2. Lists end at the deepest depth that is feasible.
`compconv search --sensitivity` reads the file.
"""
from __future__ import annotations

import argparse
import copy
import json
import sys
from pathlib import Path
from typing import Dict, List

import torch
from torch import Tensor, nn

from compconv import ARCHITECTURES, CompConv2d, NetworkOptions, convert, create_network
from compconv.channels import deepest_feasible_depth
from compconv.convert import is_plain
from compconv.fit import fit_all, recalibrate
from trainer.arguments import positive_int
from trainer.checkpoint import load_network
from trainer.config import ConfigError, read_config
from trainer.data import open_data, some_images

MEASURES = ('kl', 'error')


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('network', help='checkpoint.pt of a run, an exported file, or the name of an architecture, for random weights')
    parser.add_argument('--data', type=Path, metavar='CONFIG', help='training images, by the [data] of a configuration; default noise')
    parser.add_argument('--images', type=positive_int, default=128, metavar='N')
    parser.add_argument('--size', type=positive_int, metavar='N', help="side of the images of noise; default the architecture's own")
    parser.add_argument('--seed', type=int, default=0, help='of random weights, noise and the choice of images')
    parser.add_argument('--measure', choices=MEASURES, default='kl')
    parser.add_argument('--shuffle-groups', type=positive_int, default=2, metavar='N')
    parser.add_argument('--out', type=Path, metavar='FILE', help='default standard output')
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    try:
        if arguments.out is not None and not arguments.out.parent.is_dir():
            raise ConfigError(f'--out {arguments.out}: there is no folder {arguments.out.parent}')
        if arguments.network in ARCHITECTURES:
            options = NetworkOptions(arguments.network)
            model = create_network(options)
        else:
            model, options, _, _ = load_network(Path(arguments.network))
        if options.is_compressed or options.ghost_ratio is not None:
            raise ConfigError(f'{arguments.network} is no plain network')
        if arguments.data is None:
            _, channels, side, _ = options.input_shape
            side = arguments.size or side
            images = torch.randn(arguments.images, channels, side, side)
        else:
            images = some_images(open_data(read_config(arguments.data).data), arguments.images, arguments.seed)
            if images.shape[1] != options.input_shape[1]:
                raise ConfigError(f'{arguments.data}: images of {images.shape[1]} channels, but {arguments.network} takes {options.input_shape[1]}')
        result = sensitivity(model, images, arguments.measure, arguments.shuffle_groups)
    except (OSError, ValueError) as error:
        print(f'sensitivity.py: {error}', file=sys.stderr)
        return 2
    text = '{\n' + ',\n'.join(f'  {json.dumps(layer)}: {json.dumps(values)}' for layer, values in result.items()) + '\n}\n'
    if arguments.out is None:
        print(text, end='')
    else:
        arguments.out.write_text(text)
    return 0


def sensitivity(model: nn.Module, images: Tensor, measure: str = 'kl', shuffle_groups: int = 2) -> Dict[str, List[float]]:
    """Of every plain convolution, a number for each feasible depth; 0 for depth 0."""
    model.eval()
    # A fit gives the BatchNorms the statistics of the images: what that alone changes is no layer's doing.
    baseline = copy.deepcopy(model)
    recalibrate(baseline, images)
    with torch.no_grad():
        answers = baseline(images).log_softmax(1)
    result = {}
    for name, conv in model.named_modules():
        if not (isinstance(conv, nn.Conv2d) and is_plain(conv)):
            continue
        replaced = (conv.in_channels, conv.out_channels, conv.kernel_size[0], int(conv.padding[0]))
        deepest = deepest_feasible_depth(*replaced, shuffle_groups=shuffle_groups)
        values = [0.0]
        for depth in range(1, deepest + 1):
            if measure == 'error':
                value = _layer_error(model, conv, images, depth, shuffle_groups)
            else:
                one = convert(model, depths={name: depth}, shuffle_groups=shuffle_groups, init='fit', images=images, copy=True)
                with torch.no_grad():
                    ours = one.eval()(images).log_softmax(1)
                value = float(nn.functional.kl_div(ours, answers, log_target=True, reduction='batchmean'))
            values.append(float(f'{max(value, 0.0):.6g}'))
        result[name] = values
    return result


def _layer_error(model: nn.Module, conv: nn.Conv2d, images: Tensor, depth: int, shuffle_groups: int) -> float:
    k, stride, padding = conv.kernel_size[0], conv.stride[0], int(conv.padding[0])
    module = CompConv2d(
        conv.in_channels, conv.out_channels, k, stride, padding, depth=depth, shuffle_groups=shuffle_groups, bias=conv.bias is not None
    )
    return fit_all({conv: module}, model, images)[conv]


if __name__ == '__main__':
    sys.exit(main())
