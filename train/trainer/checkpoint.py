"""Checkpoints of a run: written whole or not at all, and read as data, never as code.

A file holds tensors, and everything else as one JSON text: the restricted unpickler of PyTorch 1.13 knows no floats.
"""
from __future__ import annotations

import dataclasses
import io
import json
import pickle
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import torch
from torch import Tensor, nn

from compconv.engine_file import Preprocess, load_engine_file
from compconv.networks import NetworkOptions, convert_by, create_network

from .config import ConfigError, config_from
from .files import write_whole


class Checkpoint(NamedTuple):
    meta: Dict[str, Any]
    """`config`, `classes`, and where the run stands."""
    model: Dict[str, Any]
    optimizer: Dict[Any, Any]


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Raises OSError."""
    buffer = io.BytesIO()  # Written to a full disk by PyTorch itself, it would end the process.
    torch.save({**checkpoint._asdict(), 'meta': json.dumps(checkpoint.meta)}, buffer)
    write_whole(path, buffer.getvalue())


def load_checkpoint(path: Path) -> Checkpoint:
    """Raises ConfigError if it is not a checkpoint of a run."""
    try:
        state = torch.load(path, map_location='cpu', weights_only=True)
        return Checkpoint(json.loads(state['meta']), state['model'], state['optimizer'])
    except OSError as error:
        raise ConfigError(f'{path}: {error.strerror}') from error
    except (RuntimeError, pickle.UnpicklingError, EOFError, LookupError, TypeError, ValueError) as error:
        # The reason is PyTorch's, and of a file that is none of its own, advice to trust it.
        hint = '; a state_dict, as torchvision has them, is for pretrained.weights, and named .pth' if _is_state_dict(path) else ''
        raise ConfigError(f'{path} cannot be read as a checkpoint of a run (checkpoint.pt, by train.py){hint}') from error


def _is_state_dict(path: Path) -> bool:
    try:
        state = torch.load(path, map_location='cpu', weights_only=True)
    except Exception:  # Whatever it is.
        return False
    return isinstance(state, dict) and len(state) > 0 and all(isinstance(value, Tensor) for value in state.values())


class TrainedNetwork(NamedTuple):
    model: nn.Module
    options: NetworkOptions
    classes: List[str]
    """Names; mere numbers where a file does not say."""
    preprocess: Optional[Preprocess]
    """Absent where a file does not say."""


def load_network(path: Path) -> TrainedNetwork:
    """The network of a checkpoint or of an exported `.safetensors` file, in float32 on the CPU. Raises ConfigError."""
    network = _load_exported(path) if path.suffix == '.safetensors' else _load_trained(path)
    if len(network.classes) != network.options.canonical.classes:
        raise ConfigError(f'{path} has names of {len(network.classes)} classes, but a network of {network.options.canonical.classes}')
    return network


def _load_exported(path: Path) -> TrainedNetwork:
    try:
        file = load_engine_file(path)
    except (OSError, ValueError) as error:
        raise ConfigError(str(error)) from error
    return TrainedNetwork(file.model, file.options, file.labels or numbered(file.options.canonical.classes or 0), file.preprocess)


def _load_trained(path: Path) -> TrainedNetwork:
    checkpoint = load_checkpoint(path)
    config = config_from(checkpoint.meta['config'], str(path))
    classes = [str(name) for name in checkpoint.meta['classes']]
    options = dataclasses.replace(config.network, classes=config.network.classes or len(classes))
    model = create_network(options)
    model.load_state_dict(checkpoint.model)
    data = config.data
    return TrainedNetwork(model, options, classes, Preprocess(data.resize or data.size, data.mean, data.std, data.size))


def numbered(count: int) -> List[str]:
    """Names of classes that have none."""
    return [str(i) for i in range(count)]


def are_same(classes: Sequence[str], others: Sequence[str]) -> bool:
    """Whether two networks answer the same; where one of them names no classes, by their number."""
    count = len(classes)
    return count == len(others) and (list(classes) == list(others) or numbered(count) in (list(classes), list(others)))


def load_pretrained(path: Path, options: NetworkOptions, classes: Sequence[str], images: Tensor) -> Tuple[nn.Module, List[str]]:
    """The network of `options` with the weights of a file, and the names of those that stay random, as the file has other classes.

    The file holds the same network or its plain twin: from a plain twin, CompConv modules are fitted to its convolutions on the images.
    The images' device does the work. A `.pth` file is a state_dict of the plain network. Raises ConfigError.
    """
    plain = dataclasses.replace(options, c0=None, depths=None, ghost_ratio=None)
    model, stored, their_classes = _load_state_dict(path, plain) if path.suffix == '.pth' else load_network(path)[:3]
    stored_kind, ours, twin = (dataclasses.replace(each.canonical, classes=None) for each in (stored, options, plain))
    if options.is_compressed and stored_kind == twin:
        try:
            model = convert_by(options, model.to(images.device), init='fit', images=images).cpu()
        except ValueError as error:
            raise ConfigError(f'pretrained.weights = {path} does not help here: {error}') from error
    elif stored_kind != ours:
        other = ', '.join(
            f'{f.name} = {getattr(stored_kind, f.name)!r}, not {getattr(ours, f.name)!r}'
            for f in dataclasses.fields(ours)
            if getattr(stored_kind, f.name) != getattr(ours, f.name)
        )
        rule = 'this very network' if options.ghost_ratio is not None else 'this network or its plain twin'
        raise ConfigError(f'pretrained.weights = {path} must be of {rule}, but has {other}')
    if are_same(classes, their_classes):
        return model, []
    result = create_network(options)
    # What depends on the number of classes is the classifier.
    more = create_network(dataclasses.replace(options, classes=(stored.canonical.classes or 0) + 1)).state_dict()
    random, loaded = result.state_dict(), model.state_dict()
    fresh = [name for name, value in more.items() if value.shape != loaded[name].shape]
    result.load_state_dict({**loaded, **{name: random[name] for name in fresh}})
    return result, fresh


def _load_state_dict(path: Path, plain: NetworkOptions) -> Tuple[nn.Module, NetworkOptions, List[str]]:
    try:
        state = torch.load(path, map_location='cpu', weights_only=True)
        # The classifier is the last matrix.
        classes = [len(value) for value in state.values() if value.dim() == 2][-1]
    except OSError as error:
        raise ConfigError(f'{path}: {error.strerror}') from error
    except (RuntimeError, pickle.UnpicklingError, EOFError, LookupError, TypeError, AttributeError, ValueError) as error:
        raise ConfigError(f'{path} is no state_dict, as torch.save(model.state_dict(), file) writes') from error
    options = dataclasses.replace(plain, classes=classes)
    model = create_network(options)
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        differing = set(state) ^ set(model.state_dict())
        example = f'there are {len(differing)} other names, as {min(differing)}' if differing else str(error).splitlines()[-1].strip()
        raise ConfigError(f'{path} is no state_dict of a plain {plain.arch}: {example}') from error
    return model, options, numbered(classes)
