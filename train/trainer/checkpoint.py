"""Checkpoints of a run: written whole or not at all, and read as data, never as code.

A file holds tensors, and everything else as one JSON text: the restricted unpickler of PyTorch 1.13 knows no floats.
"""
from __future__ import annotations

import dataclasses
import json
import os
import pickle
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

import torch
from torch import Tensor, nn

from compconv.engine_file import Preprocess, load_engine_file, metadata_of
from compconv.networks import NetworkOptions, convert_by, create_network

from .config import Config, ConfigError, config_from


class Checkpoint(NamedTuple):
    meta: Dict[str, Any]
    """`config`, `classes`, and where the run stands."""
    model: Dict[str, Any]
    optimizer: Dict[Any, Any]


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """A kill or a power cut at any moment leaves the old file or the new one."""
    partial = path.with_suffix('.partial')
    with partial.open('wb') as file:
        torch.save({**checkpoint._asdict(), 'meta': json.dumps(checkpoint.meta)}, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)


def load_checkpoint(path: Path) -> Checkpoint:
    """Raises ConfigError if it is not a checkpoint of a run."""
    try:
        state = torch.load(path, map_location='cpu', weights_only=True)
        return Checkpoint(json.loads(state['meta']), state['model'], state['optimizer'])
    except (OSError, RuntimeError, pickle.UnpicklingError, EOFError, LookupError, TypeError, ValueError) as error:
        raise ConfigError(f'{path} cannot be read as a checkpoint of a run (checkpoint.pt, by train.py): {error}') from error


class TrainedNetwork(NamedTuple):
    model: nn.Module
    options: NetworkOptions
    classes: List[str]
    preprocess: Optional[Preprocess]
    """Absent where a file does not say."""


def load_network(path: Path) -> TrainedNetwork:
    """The network of a checkpoint or of an exported `.safetensors` file, in float32 on the CPU. Raises ConfigError."""
    if path.suffix == '.safetensors':
        try:
            file = load_engine_file(path)
        except (OSError, ValueError) as error:
            raise ConfigError(str(error)) from error
        classes = file.labels or [str(i) for i in range(metadata_of(file.options)['classes'])]
        return TrainedNetwork(file.model, file.options, classes, file.preprocess)
    checkpoint = load_checkpoint(path)
    config = config_from(checkpoint.meta['config'], str(path))
    classes = [str(name) for name in checkpoint.meta['classes']]
    options = dataclasses.replace(config.network, classes=config.network.classes or len(classes))
    model = create_network(options)
    model.load_state_dict(checkpoint.model)
    data = config.data
    return TrainedNetwork(model, options, classes, Preprocess(data.resize or data.size, data.mean, data.std, data.size))


def load_pretrained(path: Path, options: NetworkOptions, images: Tensor) -> Tuple[nn.Module, List[str]]:
    """The network of `options` with the weights of a file, and the names of those that stay random, as the file has other classes.

    The file holds the same network or its plain twin: from a plain twin, CompConv modules are fitted to its convolutions on the images.
    A `.pth` file is a state_dict of the plain network. Raises ConfigError.
    """
    plain = dataclasses.replace(options, c0=None, depths=None)
    model, stored = _load_state_dict(path, plain) if path.suffix == '.pth' else load_network(path)[:2]
    stored_options, ours, twin = (dataclasses.replace(each, classes=None) for each in (stored, options, plain))
    if metadata_of(stored_options) == metadata_of(ours) and stored.inner_bias == options.inner_bias:
        pass
    elif metadata_of(stored_options) == metadata_of(twin):
        try:
            model = convert_by(options, model, init='fit', images=images)
        except ValueError as error:
            raise ConfigError(f'pretrained.weights = {path} does not help here: {error}') from error
    else:
        raise ConfigError(f'{path} holds {metadata_of(stored)}, which is neither {metadata_of(options)} nor its plain twin')
    if stored.classes == options.classes:
        return model, []
    result = create_network(options)
    random, loaded = result.state_dict(), model.state_dict()
    fresh = [name for name, value in random.items() if value.shape != loaded[name].shape]
    result.load_state_dict({**loaded, **{name: random[name] for name in fresh}})
    return result, fresh


def _load_state_dict(path: Path, plain: NetworkOptions) -> Tuple[nn.Module, NetworkOptions]:
    try:
        state = torch.load(path, map_location='cpu', weights_only=True)
        # The classifier is the last matrix.
        classes = [len(value) for value in state.values() if value.dim() == 2][-1]
        options = dataclasses.replace(plain, classes=classes)
        model = create_network(options)
        model.load_state_dict(state)
    except (OSError, RuntimeError, pickle.UnpicklingError, EOFError, LookupError, TypeError, AttributeError, ValueError) as error:
        reason = str(error).split('\n', 1)[0]
        raise ConfigError(f'{path} is no state_dict of a plain {plain.arch}, as torch.save(model.state_dict(), file) writes: {reason}') from error
    return model, options
