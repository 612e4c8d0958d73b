"""The engine's weight files: `.safetensors` whose metadata says which network it is and how it wants its images."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple, Union

import torch
from torch import Tensor, nn

from . import safetensors
from .networks import NetworkOptions, create_network


class Preprocess(NamedTuple):
    """From an image to the input: shorter side to `size`, centre crop, `(value / 255 - mean) / std`."""

    size: int
    mean: Tuple[float, ...]
    std: Tuple[float, ...]
    crop: Optional[int] = None
    """Default `size`."""

    def to_json(self) -> Dict[str, Any]:
        crop = {} if self.crop is None or self.crop == self.size else {'crop': self.crop}
        color = 'gray' if len(self.mean) == 1 else 'rgb'
        return {'color': color, 'size': self.size, **crop, 'mean': list(self.mean), 'std': list(self.std)}

    @staticmethod
    def from_json(values: Dict[str, Any]) -> 'Preprocess':
        """Raises ValueError."""
        try:
            return Preprocess(values['size'], tuple(values['mean']), tuple(values['std']), values.get('crop'))
        except (LookupError, TypeError) as error:
            raise ValueError('"preprocess" metadata must be a JSON object with a "size", a "mean" and a "std"') from error


class EngineFile(NamedTuple):
    model: nn.Module
    options: NetworkOptions
    preprocess: Optional[Preprocess]
    labels: Optional[List[str]]


def save_engine_file(
    path: Union[str, Path],
    model: nn.Module,
    options: NetworkOptions,
    preprocess: Optional[Preprocess] = None,
    labels: Optional[Sequence[str]] = None,
    dtype: str = 'F32',
) -> None:
    """Writes a network that the engine loads as it is. `F16` halves the file; BatchNorm and biases stay F32.

    Raises ValueError for a network that the engine does not run, and for weights that F16 cannot hold.
    """
    tensors = {}
    for name, tensor in model.state_dict().items():
        if name.endswith('num_batches_tracked'):  # Of no use in inference.
            continue
        tensors[name] = _stored(name, tensor, dtype)
    metadata = {'compconv': json.dumps(metadata_of(options))}
    if labels is not None:
        metadata['labels'] = json.dumps(list(labels))
    if preprocess is not None:
        metadata['preprocess'] = json.dumps(preprocess.to_json())
    safetensors.save(path, tensors, metadata)


def load_engine_file(path: Union[str, Path]) -> EngineFile:
    """The network of a file with `compconv` metadata, in float32. Raises ValueError."""
    tensors, metadata = safetensors.load(path)
    if 'compconv' not in metadata:
        raise ValueError(f'{path} has no "compconv" metadata')
    options = options_of(json.loads(metadata['compconv']), inner_bias=any(name.endswith('.primitive.bias') for name in tensors))
    model = create_network(options)
    # The counters of BatchNorm are not in the file.
    state = {name: value for name, value in model.state_dict().items() if name.endswith('num_batches_tracked')}
    try:
        model.load_state_dict({**state, **{name: tensor.float() for name, tensor in tensors.items()}})
    except RuntimeError as error:
        raise ValueError(f'{path}: {error}') from error
    preprocess = Preprocess.from_json(json.loads(metadata['preprocess'])) if 'preprocess' in metadata else None
    return EngineFile(model, options, preprocess, json.loads(metadata['labels']) if 'labels' in metadata else None)


def metadata_of(options: NetworkOptions) -> Dict[str, Any]:
    """The `compconv` metadata, in the engine's spelling. Raises ValueError."""
    if options.ghost_ratio is not None:
        raise ValueError('the engine does not run Ghost modules')
    for name in ('slice_order', 'slice_stride'):
        if getattr(options, name) != getattr(NetworkOptions, name):
            raise ValueError(f'the engine does not run {name} {getattr(options, name)!r}')
    full = options.canonical
    result: Dict[str, Any] = {
        'arch': full.arch,
        'inChannels': full.in_channels,
        'widths': None if full.widths is None else list(full.widths),
        'blocksPerStage': full.blocks_per_stage,
        'classes': full.classes,
    }
    if options.is_compressed:
        # 128, not 128.0.
        whole = options.c0 is not None and float(options.c0).is_integer()
        result['c0'] = int(options.c0 or 0) if whole else options.c0
        result['depths'] = options.depths
        result['shuffleGroups'] = options.shuffle_groups
        result['inner'] = options.inner
    return {key: value for key, value in result.items() if value is not None}


def options_of(metadata: Dict[str, Any], inner_bias: bool) -> NetworkOptions:
    """The other way; whether the convolutions inside have a bias, the tensors' names tell. Unknown keys are ignored."""
    if not isinstance(metadata, dict) or 'arch' not in metadata:
        raise ValueError('"compconv" metadata must be a JSON object with an "arch"')
    widths = metadata.get('widths')
    return NetworkOptions(
        arch=metadata['arch'],
        classes=metadata.get('classes'),
        in_channels=metadata.get('inChannels'),
        widths=None if widths is None else tuple(widths),
        blocks_per_stage=metadata.get('blocksPerStage'),
        c0=metadata.get('c0'),
        depths=metadata.get('depths'),
        shuffle_groups=metadata.get('shuffleGroups', 2),
        inner=metadata.get('inner', 'linear'),
        inner_bias=inner_bias,
    )


def _stored(name: str, tensor: Tensor, dtype: str) -> Tensor:
    if dtype not in ('F32', 'F16'):
        raise ValueError(f'dtype must be F32 or F16, got {dtype!r}')
    if dtype == 'F32' or tensor.dim() < 2:
        return tensor.float()
    half = tensor.half()
    if not bool(torch.isfinite(half).all()):
        raise ValueError(f'{name} has values that F16 cannot hold')
    return half
