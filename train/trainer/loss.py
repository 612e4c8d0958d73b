"""What a run minimises: cross-entropy, or a blend of it and of a teacher's answers."""
from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Optional, Sequence

import torch
from torch import Tensor, nn

from compconv import NetworkOptions

from .checkpoint import are_same, load_network
from .config import Config, ConfigError


class Loss:
    def __init__(self, config: Config, options: NetworkOptions, classes: Sequence[str], layout: Dict[str, Any]) -> None:
        """`layout` is the device and the memory format, as `Tensor.to` takes them. Raises ConfigError where the teacher teaches something else."""
        self.label_smoothing = config.train.label_smoothing
        self.distill = config.distill
        self.teacher: Optional[nn.Module] = None
        if config.distill is not None:
            teacher = _load_teacher(config.distill.teacher, config, options, classes)
            self.teacher = teacher.to(**layout).eval().requires_grad_(False)

    def __call__(self, logits: Tensor, images: Tensor, labels: Tensor) -> Tensor:
        """The mean over the batch."""
        loss = nn.functional.cross_entropy(logits, labels, label_smoothing=self.label_smoothing)
        if self.teacher is None or self.distill is None:
            return loss
        d = self.distill
        with torch.no_grad():
            taught = self.teacher(images).float()
        # Times T^2, as in Hinton et al. 2015, so that the gradients keep their scale.
        divergence = nn.functional.kl_div(
            (logits / d.temperature).log_softmax(1), (taught / d.temperature).log_softmax(1), log_target=True, reduction='batchmean'
        )
        return (1 - d.weight) * loss + d.weight * d.temperature**2 * divergence


def _load_teacher(path: str, config: Config, options: NetworkOptions, classes: Sequence[str]) -> nn.Module:
    network = load_network(Path(path))
    theirs, ours = len(network.classes), len(classes)
    if (theirs, network.options.input_shape[1]) != (ours, options.input_shape[1]):
        raise ConfigError(
            f'{path}: the teacher has {theirs} classes and {network.options.input_shape[1]} channels, not {ours} and {options.input_shape[1]}'
        )
    if not are_same(network.classes, classes):
        raise ConfigError(f'{path}: the teacher has other classes: {", ".join(network.classes)}')
    if network.preprocess is not None and network.preprocess[1:3] != (config.data.mean, config.data.std):
        _, mean, std, _ = network.preprocess
        raise ConfigError(f'{path}: the teacher takes images with data.mean = {list(mean)} and data.std = {list(std)}')
    return network.model
