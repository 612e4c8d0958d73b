"""The Ghost module (Han et al., CVPR 2020), for comparison with CompConv. The engine does not run it."""
from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class GhostConv2d(nn.Module):
    """A convolution to `ceil(C_out / ratio)` channels, and the others cheaply from those by a 3x3 depthwise convolution.

    Linear inside, as a plain convolution is: BatchNorm and ReLU of the network follow.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, stride: int = 1, padding: int = 0, *, ratio: int) -> None:
        super().__init__()
        primary = math.ceil(out_channels / ratio)
        self.primary = nn.Conv2d(in_channels, primary, kernel_size, stride, padding, bias=False)
        # One depthwise convolution for each further copy of the primary channels; the last copy is as wide as is still needed.
        self.widths = [min(primary, out_channels - begin) for begin in range(primary, out_channels, primary)]
        self.cheap = nn.ModuleList([nn.Conv2d(width, width, 3, 1, 1, groups=width, bias=False) for width in self.widths])
        for conv in (self.primary, *self.cheap):
            nn.init.kaiming_normal_(conv.weight, nonlinearity='linear')

    def forward(self, x: Tensor) -> Tensor:
        primary = self.primary(x)
        return torch.cat([primary, *(cheap(primary[:, :width]) for cheap, width in zip(self.cheap, self.widths))], dim=1)


def convert_to_ghost(model: nn.Module, ratio: int) -> nn.Module:
    """Replaces every plain convolution, in place, by a Ghost module of the same name; returns the model."""
    for parent in list(model.modules()):
        for leaf, conv in list(parent.named_children()):
            if isinstance(conv, nn.Conv2d) and conv.groups == 1 and not isinstance(parent, GhostConv2d):
                padding = int(conv.padding[0])
                ghost = GhostConv2d(conv.in_channels, conv.out_channels, conv.kernel_size[0], conv.stride[0], padding, ratio=ratio)
                setattr(parent, leaf, ghost)
    return model
