"""Networks by name, as the engine names them: torchvision's ResNets and VGGs, and the small ResNet for 28 x 28 images."""
from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Dict, List, Optional, Sequence, Tuple

from torch import Tensor, nn

from .convert import convert
from .ghost import convert_to_ghost

SMALL_RESNET = 'resnet_small14'
RESNETS = ('resnet18', 'resnet34', 'resnet50', 'resnet101', 'resnet152')
VGGS = tuple(f'vgg{depth}{suffix}' for depth in (11, 13, 16, 19) for suffix in ('', '_bn'))
ARCHITECTURES = (*RESNETS, *VGGS, SMALL_RESNET)

MODULE_OPTIONS = ('shuffle_groups', 'inner', 'inner_bias', 'slice_order', 'slice_stride')
"""How all CompConv modules of a network are made."""


@dataclass(frozen=True)
class NetworkOptions:
    """What network a checkpoint holds; the engine's `compconv` metadata in Python's spelling."""

    arch: str
    classes: Optional[int] = None
    """Default 1000, or 10 for the small ResNet."""
    in_channels: Optional[int] = None
    """Default 3, or 1 for the small ResNet; torchvision's networks take 3 only."""
    widths: Optional[Tuple[int, ...]] = None
    """Channels of each stage, small ResNet only. Default 16, 32, 64."""
    blocks_per_stage: Optional[int] = None
    """BasicBlocks per stage, small ResNet only. Default 2."""
    c0: Optional[float] = None
    """`C_0` of the adaptive depth; without it and `depths` the network is plain."""
    depths: Optional[Dict[str, int]] = None
    """Depth of single layers by name."""
    shuffle_groups: int = 2
    inner: str = 'linear'
    inner_bias: bool = False
    slice_order: str = 'deepest-first'
    slice_stride: str = 'subsample'
    """Of these two anything but the default is for ablations; the engine does not run it."""
    ghost_ratio: Optional[int] = None
    """Ghost modules instead of CompConv, for comparison; the engine does not run them."""

    @property
    def is_compressed(self) -> bool:
        return self.c0 is not None or bool(self.depths)

    @property
    def canonical(self) -> 'NetworkOptions':
        """With the defaults written out, and without what has no effect: equal where the networks are."""
        small = self.arch == SMALL_RESNET
        result = replace(
            self,
            classes=self.classes or (10 if small else 1000),
            in_channels=self.input_shape[1],
            widths=tuple(self.widths or (16, 32, 64)) if small else None,
            blocks_per_stage=(self.blocks_per_stage or 2) if small else None,
        )
        if self.is_compressed:
            return result
        return replace(result, depths=None, **{name: getattr(NetworkOptions, name) for name in MODULE_OPTIONS})

    @property
    def input_shape(self) -> Tuple[int, int, int, int]:
        """Of one image, at the size that the architecture was made for."""
        side = 28 if self.arch == SMALL_RESNET else 224
        return (1, self.in_channels or (1 if self.arch == SMALL_RESNET else 3), side, side)


def create_network(options: NetworkOptions) -> nn.Module:
    """A network with random weights from torch's global generator. Raises ValueError."""
    model = _plain_network(options)
    if options.ghost_ratio is not None:
        if options.is_compressed:
            raise ValueError('network: give either ghost_ratio or c0 and depths')
        return convert_to_ghost(model, options.ghost_ratio)
    if not options.is_compressed:
        return model
    return convert_by(options, model)


def convert_by(options: NetworkOptions, model: nn.Module, **init: Any) -> nn.Module:
    """`convert` of a plain network to what the options say. Raises ValueError."""
    return convert(
        model,
        c0=options.c0,
        depths=options.depths,
        **{name: getattr(options, name) for name in MODULE_OPTIONS},
        **init,
    )


def _plain_network(options: NetworkOptions) -> nn.Module:
    arch = options.arch
    if arch not in ARCHITECTURES:
        raise ValueError(f'unknown architecture {arch!r}; known are {", ".join(ARCHITECTURES)}')
    if arch == SMALL_RESNET:
        full = options.canonical
        assert full.in_channels and full.classes and full.widths and full.blocks_per_stage
        return SmallResNet(full.in_channels, full.classes, full.widths, full.blocks_per_stage)
    if options.widths is not None or options.blocks_per_stage is not None:
        raise ValueError(f'widths and blocks_per_stage belong to {SMALL_RESNET}; {arch} has its own')
    if options.in_channels not in (None, 3):
        raise ValueError(f'{arch} takes images of 3 channels, not {options.in_channels}')
    try:
        import torchvision.models
    except ImportError as error:
        raise ValueError(f'{arch} is a network of torchvision, which is not installed') from error
    model: nn.Module = getattr(torchvision.models, arch)(weights=None, num_classes=options.classes or 1000)
    return model


class SmallResNet(nn.Module):
    """ResNet for small images: 3x3 stride-1 stem, stages of BasicBlocks, no max pool; names as in torchvision."""

    def __init__(self, in_channels: int, classes: int, widths: Sequence[int], blocks_per_stage: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, widths[0], 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        self.stages: List[str] = []
        channels = widths[0]
        for stage, width in enumerate(widths, start=1):
            blocks = []
            for i in range(blocks_per_stage):
                blocks.append(BasicBlock(channels, width, stride=2 if i == 0 and stage > 1 else 1))
                channels = width
            self.stages.append(f'layer{stage}')
            self.add_module(f'layer{stage}', nn.Sequential(*blocks))
        self.fc = nn.Linear(channels, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode='fan_out', nonlinearity='relu')

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.relu(self.bn1(self.conv1(x)), inplace=True)
        for stage in self.stages:
            x = self.get_submodule(stage)(x)
        logits: Tensor = self.fc(x.mean(dim=(2, 3)))
        return logits


class BasicBlock(nn.Module):
    def __init__(self, in_channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample: Optional[nn.Module] = None
        if stride > 1 or in_channels != width:
            self.downsample = nn.Sequential(nn.Conv2d(in_channels, width, 1, stride, bias=False), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        y = nn.functional.relu(self.bn1(self.conv1(x)), inplace=True)
        return nn.functional.relu(self.bn2(self.conv2(y)) + shortcut, inplace=True)
