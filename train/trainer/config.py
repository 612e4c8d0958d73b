"""What is trained and how, read from a TOML or JSON file. Unknown keys and wrong types are errors that name their place."""
from __future__ import annotations

import dataclasses
import json
import math
import tomllib
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple, Type, TypeVar, Union

from compconv.networks import ARCHITECTURES, SMALL_RESNET, NetworkOptions

T = TypeVar('T')


class ConfigError(ValueError):
    """A configuration that cannot be used; the message says where and why."""


@dataclass(frozen=True)
class DataConfig:
    kind: str
    """`idx`: MNIST's files, four of them; `folder`: `train/` and `val/` with a folder of images for each class."""
    path: str
    mean: Tuple[float, ...]
    std: Tuple[float, ...]
    """Input = (pixel / 255 - mean) / std, per channel. `idx`: its one channel is repeated, if the network takes three."""
    size: int
    """Side of the input. `folder`: of the random resized crop in training, and of the centre crop of the test."""
    resize: Optional[int] = None
    """`folder`: the shorter side before the centre crop; default `size`. `idx`: images are resized to squares of this side."""
    pad: int = 0
    """`idx`: random crop after zero padding by this on all sides."""
    flip: bool = True
    """Mirrors an image with a probability of one half."""
    workers: int = 4
    """`folder`: processes that read images, for each training process."""
    labels: Optional[Tuple[str, ...]] = None
    """`idx`: names of the classes; a folder's own names serve otherwise."""
    train_limit: Optional[int] = None
    test_limit: Optional[int] = None
    """Only the first so many images: for trials."""


@dataclass(frozen=True)
class TrainConfig:
    epochs: int
    batch_size: int
    """Images of one step, over all processes."""
    lr: float
    """At the peak of the schedule."""
    schedule: str = 'cosine'
    """`cosine` to zero, or `step`: times `gamma` after each epoch of `milestones`."""
    warmup_epochs: float = 0.0
    """The learning rate rises linearly over these; a third of all makes one cycle."""
    milestones: Tuple[int, ...] = ()
    gamma: float = 0.1
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 1e-4
    label_smoothing: float = 0.0
    clip_norm: Optional[float] = None
    """The most that the gradient of all weights together may be long (L2); a longer one is scaled down to it."""
    seed: int = 0
    precision: str = 'f32'
    """Of the forward pass: `f32`, `bf16`, or on a GPU `f16` with loss scaling. Weights and updates are float32."""
    channels_last: bool = False
    """Memory layout; it changes the speed alone."""
    device: str = 'auto'
    """`cpu`, `cuda`, or `auto`: `cuda` where there is one."""
    threads: Optional[int] = None
    """Of the CPU. Default: PyTorch's."""
    eval_every: int = 1
    """Epochs between tests; the last one is always tested."""
    save_minutes: float = 10.0
    """A checkpoint is written after each epoch, and within long ones as often as this."""


@dataclass(frozen=True)
class DistillConfig:
    teacher: str
    """A checkpoint of a run, or an exported `.safetensors` file: a network with the same classes and normalisation."""
    weight: float = 0.5
    """Of the teacher's part in the loss; the labels have the rest."""
    temperature: float = 4.0


@dataclass(frozen=True)
class PretrainedConfig:
    """Where the weights of a new run come from, instead of chance."""

    weights: str
    """The same network, or its plain twin, to whose layers the CompConv modules are then fitted: a checkpoint of a run, an exported
    `.safetensors` file, or a `.pth` file of a state_dict, such as torchvision's."""
    images: int = 64
    """Training images for the fit: memory grows with them, to about 3 GB for 64 of 224 x 224."""


@dataclass(frozen=True)
class Config:
    data: DataConfig
    network: NetworkOptions
    train: TrainConfig
    distill: Optional[DistillConfig] = None
    pretrained: Optional[PretrainedConfig] = None

    def to_json(self) -> Dict[str, Any]:
        result: Dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(self)))
        return result


def read_config(path: Union[str, Path], settings: Sequence[str] = ()) -> Config:
    """Reads a `.toml` or `.json` file; `settings` are `key=value` texts that win over it, as `train.epochs=3`. Raises ConfigError."""
    path = Path(path)
    values = _extended(path)
    for setting in settings:
        _apply(values, setting)
    _read_depths(values, path)  # Of `--set`.
    return config_from(values, str(path))


def _read(path: Path) -> Dict[str, Any]:
    try:
        text = path.read_text()
        values = json.loads(text) if path.suffix == '.json' else tomllib.loads(text)
    except OSError as error:
        raise ConfigError(f'{path}: {error.strerror}') from error
    except ValueError as error:  # No JSON, no TOML, no text.
        raise ConfigError(f'{path}: {error}') from error
    if not isinstance(values, dict):
        raise ConfigError(f'{path}: expected a table, got {values!r}')
    return values


def _extended(path: Path, extending: Tuple[Path, ...] = ()) -> Dict[str, Any]:
    """`extends = "other.toml"`, beside the file: what this file does not say, the other one does."""
    if path.resolve() in extending:
        raise ConfigError(f'{path} extends itself')
    values = _read(path)
    _read_depths(values, path)
    if 'extends' not in values:
        return values
    for table, keys in _extended(path.parent / str(values.pop('extends')), (*extending, path.resolve())).items():
        own = values.setdefault(table, {})
        if isinstance(own, dict):
            values[table] = {**keys, **own}
    return values


def _read_depths(values: Dict[str, Any], path: Path) -> None:
    """`network.depths = "file.json"`, beside the configuration or where the command runs: layer name to depth."""
    network = values.get('network')
    if isinstance(network, dict) and isinstance(network.get('depths'), str):
        name = network['depths']
        beside = path.parent / name
        network['depths'] = _read(beside if beside.exists() else Path(name))


def config_from(values: Mapping[str, Any], where: str = 'configuration') -> Config:
    """Checks a mapping as a file's. Raises ConfigError."""
    config = _build(Config, values, where)
    _check(config, where)
    return config


def _apply(values: Dict[str, Any], setting: str) -> None:
    key, equals, text = setting.partition('=')
    if not equals:
        raise ConfigError(f'--set {setting}: expected key=value, as train.epochs=3')
    try:
        value = tomllib.loads(f'value = {text}')['value']
    except tomllib.TOMLDecodeError:
        value = text
    *parents, leaf = key.strip().split('.')
    table = values
    for parent in parents:
        table = table.setdefault(parent, {})
        if not isinstance(table, dict):
            raise ConfigError(f'--set {setting}: {parent} is no table')
    table[leaf] = value


def _build(cls: Type[T], values: Any, where: str) -> T:
    if not isinstance(values, Mapping):
        raise ConfigError(f'{where}: expected a table, got {values!r}')
    hints = typing.get_type_hints(cls)
    fields = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    for key in values:
        if key not in fields:
            raise ConfigError(f'{where}: unknown key {key!r}; known are {", ".join(fields)}')
    for name, f in fields.items():
        if name not in values and f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING:
            raise ConfigError(f'{where}: {name} is missing')
    return cls(**{key: _convert(hints[key], value, f'{where}: {key}') for key, value in values.items()})


def _convert(hint: Any, value: Any, where: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Union:  # Optional
        return None if value is None else _convert(arguments[0], value, where)
    if dataclasses.is_dataclass(hint):
        return _build(typing.cast(type, hint), value, where)
    if origin is tuple and isinstance(value, (list, tuple)):
        return tuple(_convert(arguments[0], item, where) for item in value)
    if origin is dict and isinstance(value, Mapping):
        return {_convert(arguments[0], k, where): _convert(arguments[1], v, where) for k, v in value.items()}
    if hint is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if origin is None and isinstance(value, hint) and (hint is bool or not isinstance(value, bool)):
        return value
    name = hint.__name__ if origin is None else 'list' if origin is tuple else 'table'
    raise ConfigError(f'{where}: expected {name}, got {value!r}')


def _check(config: Config, where: str) -> None:
    data, network, train, distill, pretrained = config.data, config.network, config.train, config.distill, config.pretrained
    channels = network.input_shape[1]
    own_channels = ' (network.in_channels)' if network.arch == SMALL_RESNET else ''
    _one_of(f'{where}: data.kind', data.kind, ['idx', 'folder'])
    _one_of(f'{where}: network.arch', network.arch, ARCHITECTURES)
    _one_of(f'{where}: train.schedule', train.schedule, ['cosine', 'step'])
    _one_of(f'{where}: train.precision', train.precision, ['f32', 'bf16', 'f16'])
    _one_of(f'{where}: train.device', train.device, ['auto', 'cpu', 'cuda'])
    for name, value, valid, rule in [
        ('data.size', data.size, data.size >= 1, 'at least 1'),
        ('data.resize', data.resize, data.resize is None or data.resize >= data.size, 'at least data.size'),
        ('data.mean', data.mean, len(data.mean) == channels, f'{channels} number(s), as many as {network.arch} takes channels{own_channels}'),
        ('data.train_limit', data.train_limit, data.train_limit is None or data.train_limit >= 1, 'at least 1'),
        ('data.test_limit', data.test_limit, data.test_limit is None or data.test_limit >= 1, 'at least 1'),
        ('network.widths', network.widths, network.widths is None or (network.widths and min(network.widths) >= 1), 'one or more numbers from 1'),
        ('network.blocks_per_stage', network.blocks_per_stage, network.blocks_per_stage is None or network.blocks_per_stage >= 1, 'at least 1'),
        ('network.classes', network.classes, network.classes is None or network.classes >= 1, 'at least 1'),
        ('data.pad', data.pad, data.pad >= 0, 'at least 0'),
        ('data.workers', data.workers, data.workers >= 0, 'at least 0'),
        ('data.std', data.std, all(x > 0 for x in data.std) and len(data.std) == len(data.mean), 'positive, as many as data.mean'),
        ('train.epochs', train.epochs, train.epochs >= 1, 'at least 1'),
        ('train.batch_size', train.batch_size, train.batch_size >= 2, 'at least 2, for BatchNorm'),
        ('train.momentum', train.momentum, 0 <= train.momentum < 1, 'at least 0 and less than 1'),
        ('train.nesterov', train.nesterov, train.momentum > 0 or not train.nesterov, 'false without train.momentum'),
        ('train.weight_decay', train.weight_decay, train.weight_decay >= 0, 'at least 0'),
        ('train.lr', train.lr, 0 < train.lr < math.inf, 'positive'),
        ('train.milestones', train.milestones, list(train.milestones) == sorted(set(train.milestones)), 'epochs in ascending order'),
        ('train.warmup_epochs', train.warmup_epochs, 0 <= train.warmup_epochs < train.epochs, 'at least 0 and less than train.epochs'),
        ('train.label_smoothing', train.label_smoothing, 0 <= train.label_smoothing < 1, 'at least 0 and less than 1'),
        ('train.clip_norm', train.clip_norm, train.clip_norm is None or train.clip_norm > 0, 'positive'),
        ('train.threads', train.threads, train.threads is None or train.threads >= 1, 'at least 1'),
        ('train.eval_every', train.eval_every, train.eval_every >= 1, 'at least 1'),
        ('train.save_minutes', train.save_minutes, train.save_minutes >= 0, 'at least 0'),
        ('pretrained.images', pretrained and pretrained.images, pretrained is None or pretrained.images >= 1, 'at least 1'),
        ('distill.weight', distill and distill.weight, distill is None or 0 < distill.weight <= 1, 'more than 0 and at most 1'),
        ('distill.temperature', distill and distill.temperature, distill is None or distill.temperature > 0, 'positive'),
    ]:
        if not valid:
            raise ConfigError(f'{where}: {name} must be {rule}, got {value}')


def _one_of(where: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        raise ConfigError(f'{where} must be one of {", ".join(choices)}, got {value!r}')
