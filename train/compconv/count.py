"""Multiply-accumulates and parameters, counted as the engine counts them."""
from __future__ import annotations

from typing import NamedTuple, Tuple, Union

import torch
from torch import Tensor, nn

from .modes import evaluating
from .module import CompConv2d


class Cost(NamedTuple):
    macs: int
    """Of one image: convolutions and linear layers; BatchNorm, biases, additions and pooling are not counted."""
    params: int
    """Of parameters the values; BatchNorm's weight and bias are, its running statistics are not."""


def count(model: nn.Module, images: Union[Tensor, Tuple[int, ...]]) -> Cost:
    """Counts from the shapes in one forward pass of `images` `[N, C, H, W]`, or of zeros of that shape."""
    macs = 0

    def hook(module: nn.Module, _inputs: Tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal macs
        weight = module.weight
        assert isinstance(weight, Tensor)
        macs += output.numel() * weight[0].numel()

    counted = [m for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Linear)) or (isinstance(m, CompConv2d) and m.depth == 0)]
    handles = [module.register_forward_hook(hook) for module in counted]
    try:
        if not isinstance(images, Tensor):
            first = next(model.parameters())
            images = torch.zeros(images, dtype=first.dtype, device=first.device)
        with torch.no_grad(), evaluating(model):
            model(images)
    finally:
        for handle in handles:
            handle.remove()
    params = sum(parameter.numel() for parameter in model.parameters())
    return Cost(macs // images.shape[0], params)
