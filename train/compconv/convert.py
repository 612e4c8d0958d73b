"""Turns the convolutions of any network into CompConv, by the rules of the engine's `compress`."""
from __future__ import annotations

import copy as copying
from typing import Dict, List, Mapping, Optional, Set

import torch.fx
from torch import Tensor, nn

from .channels import adaptive_depth, check_depth
from .fit import fit_all, is_frozen_batch_norm, recalibrate
from .module import CompConv2d

INITS = ('random', 'fit')


def convert(
    model: nn.Module,
    *,
    c0: Optional[float] = None,
    depths: Optional[Mapping[str, int]] = None,
    shuffle_groups: int = 2,
    inner: str = 'linear',
    inner_bias: bool = False,
    slice_order: str = 'deepest-first',
    init: str = 'random',
    images: Optional[Tensor] = None,
    copy: bool = False,
) -> nn.Module:
    """Replaces convolutions by CompConv modules of the same name, in place, or in a copy of the model; returns the model.

    The depth is `depths[name]` where given, else the adaptive depth for `c0`; depth 0 leaves a convolution as it is.
    Grouped and dilated convolutions, those with a kernel that is not square, and those whose padding is a name are left too. A convolution followed by
    BatchNorm loses its bias; any other module has one. Raises ValueError for a depth that is not feasible or a name that is no
    plain convolution.

    `init`: new parameters are `random`, or a `fit` to those of the convolutions that they replace (`inner='linear'` only): to
    what these compute of the network's inputs `images`, which then also give the BatchNorms their statistics; without images, to
    what they compute of noise.
    """
    if c0 is None and depths is None:
        raise ValueError('convert: give c0 (32, 64, 128, ...) or depths (layer name to depth 0..3)')
    if init not in INITS:
        raise ValueError(f'init must be one of {", ".join(INITS)}, got {init!r}')
    if init == 'fit' and inner != 'linear':
        raise ValueError(f"convert: init = 'fit' needs inner = 'linear', got {inner!r}")
    if isinstance(model, nn.Conv2d):
        raise ValueError('convert: the model is one convolution; make a CompConv2d instead')
    if copy:
        model = copying.deepcopy(model)
    depths = depths or {}
    plain = {name: m for name, m in model.named_modules() if isinstance(m, nn.Conv2d) and is_plain(m)}
    inside = tuple(f'{name}.' for name, m in model.named_modules() if isinstance(m, CompConv2d))
    plain = {name: m for name, m in plain.items() if not name.startswith(inside)}
    for name in depths:
        if name not in plain:
            raise ValueError(f'depths: there is no plain convolution {name!r}; the convolutions are {", ".join(plain)}')
    normalised = _before_batch_norm(model)
    replacements: Dict[nn.Module, CompConv2d] = {}
    for name, conv in plain.items():
        k, stride, padding = conv.kernel_size[0], conv.stride[0], int(conv.padding[0])
        if name in depths:
            depth = depths[name]
            check_depth(conv.in_channels, conv.out_channels, k, padding, depth, name)
        else:
            depth = 0 if c0 is None else adaptive_depth(conv.in_channels, conv.out_channels, k, padding, c0)
        if depth == 0:
            continue
        try:
            module = CompConv2d(
                conv.in_channels,
                conv.out_channels,
                k,
                stride,
                padding,
                depth=depth,
                shuffle_groups=shuffle_groups,
                inner=inner,
                bias=name not in normalised,
                inner_bias=inner_bias,
                slice_order=slice_order,
            )
        except ValueError as error:
            raise ValueError(f'{name}: {error}') from error
        replacements[conv] = module.to(conv.weight.device, conv.weight.dtype).train(conv.training)
    if init == 'fit':
        fit_all(replacements, model, images)
    # By module, not by name: one convolution may stand at several places.
    for parent in list(model.modules()):
        for leaf, child in list(parent._modules.items()):
            if child in replacements:
                setattr(parent, leaf, replacements[child])
    if init == 'fit' and images is not None:
        recalibrate(model, images)
    return model


def is_plain(conv: nn.Conv2d) -> bool:
    """Whether CompConv can stand for it: one group, square, no dilation, zero padding of the same width on all sides."""
    square = all(isinstance(pair, tuple) and pair[0] == pair[1] for pair in (conv.kernel_size, conv.stride, conv.padding))
    return square and conv.groups == 1 and conv.dilation == (1, 1) and conv.padding_mode == 'zeros'


def _before_batch_norm(model: nn.Module) -> Set[str]:
    """Names of the convolutions whose output goes to a BatchNorm and nowhere else: by data flow, or, where that cannot be traced, because the
    BatchNorm is defined next."""
    modules = dict(model.named_modules())
    try:
        graph = _LeafTracer().trace(model)
    except Exception:  # Whatever a model's own code raises when it is fed proxies.
        leaves: List[str] = [name for name, module in modules.items() if not any(module.children())]
        return {name for name, following in zip(leaves, leaves[1:]) if _is_batch_norm(modules[following])}
    calls = [node for node in graph.nodes if node.op == 'call_module']
    read = [(str(node.target), user) for node in calls for user in node.users]  # A module may be called several times.
    otherwise = {name for name, user in read if not (user.op == 'call_module' and _is_batch_norm(modules[str(user.target)]))}
    return {name for name, _ in read} - otherwise


class _LeafTracer(torch.fx.Tracer):
    """Records calls of modules that have no children, of whatever package."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return not any(m.children())


def _is_batch_norm(module: nn.Module) -> bool:
    return isinstance(module, nn.modules.batchnorm._BatchNorm) or is_frozen_batch_norm(module)
