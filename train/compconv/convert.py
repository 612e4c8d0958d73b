"""Turns the convolutions of any network into CompConv, by the rules of the engine's `compress`."""
from __future__ import annotations

import copy as copying
from typing import Dict, Mapping, Optional, Set

import torch.fx
from torch import Tensor, nn

from .channels import adaptive_depth, check_c0, check_depth, check_shuffle_groups
from .fit import fit_all, is_frozen_batch_norm, recalibrate
from .modes import evaluating
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
    slice_stride: str = 'subsample',
    init: str = 'random',
    images: Optional[Tensor] = None,
    copy: bool = False,
) -> nn.Module:
    """Replaces convolutions by CompConv modules of the same name, in place, or in a copy of the model; returns the model.

    The depth is `depths[name]` where given, else the adaptive depth for `c0`, or 0 where the shuffle groups do not divide the output
    channels (of all convolutions: an error); depth 0 leaves a convolution as it is. Left too are convolutions that are grouped or dilated, whose kernel is not square,
    whose padding is a name, or whose class computes something else. One that BatchNorm follows loses its bias; any other module has one.

    `init`: new parameters are `random`, or a `fit` to those of the convolutions that they replace (`inner='linear'` only): to
    what these compute of the network's inputs `images`, which then also give the BatchNorms their statistics; without images, to
    what they compute of noise. Modules that the images never come to, as in auxiliary heads, stay random.

    Raises ValueError, before anything is changed, for a depth that is not feasible, a name that is no plain convolution, any other option
    that cannot be, a lazy convolution that has not run, and a fit whose weights are not finite.
    """
    if c0 is None and depths is None:
        raise ValueError('convert: give c0 (32, 64, 128, ...) or depths (layer name to depth 0..3)')
    if c0 is not None:
        check_c0(c0)
    check_shuffle_groups(shuffle_groups)
    if init not in INITS:
        raise ValueError(f'init must be one of {", ".join(INITS)}, got {init!r}')
    if init == 'fit' and inner != 'linear':
        raise ValueError(f"convert: init = 'fit' needs inner = 'linear', got {inner!r}")
    if images is not None:
        if init != 'fit':
            raise ValueError(f"convert: images are for init = 'fit', not for {init!r}")
        _check_images(images)
    if isinstance(model, nn.Conv2d):
        raise ValueError('convert: the model is one convolution; make a CompConv2d instead')
    if copy:
        model = copying.deepcopy(model)
    depths = depths or {}
    plain = {name: m for name, m in _layers(model).items() if isinstance(m, nn.Conv2d) and is_plain(m)}
    for name, conv in plain.items():
        if any(nn.parameter.is_lazy(parameter) for parameter in conv.parameters()):
            raise ValueError(f'convert: the lazy convolution {name!r} does not know its channels yet; run the model once first')
    for name in depths:
        if name not in plain:
            raise ValueError(f'depths: there is no plain convolution {name!r}; the convolutions are {", ".join(plain)}')
    if c0 is not None and plain and all(conv.out_channels % shuffle_groups != 0 for conv in plain.values()):
        raise ValueError(f"shuffle_groups: {shuffle_groups} divides no layer's output channels; give 2, or 1 for no shuffle")
    normalised = _before_batch_norm(model)
    replacements: Dict[nn.Module, CompConv2d] = {}
    for name, conv in plain.items():
        k, stride, padding = conv.kernel_size[0], conv.stride[0], int(conv.padding[0])
        replaced = (conv.in_channels, conv.out_channels, k, padding)
        if name in depths:
            depth = depths[name]
            check_depth(*replaced, depth, name, shuffle_groups=shuffle_groups)
        else:
            depth = 0 if c0 is None else adaptive_depth(*replaced, c0, shuffle_groups=shuffle_groups)
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
                bias=conv not in normalised,
                inner_bias=inner_bias,
                slice_order=slice_order,
                slice_stride=slice_stride,
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
    """Whether CompConv can stand for it: one group, square, no dilation, zero padding of the same width on all sides; and computed as
    `nn.Conv2d` does, not by a subclass that also pads or standardises its weights."""
    square = all(isinstance(pair, tuple) and pair[0] == pair[1] for pair in (conv.kernel_size, conv.stride, conv.padding))
    methods = ((conv.forward, nn.Conv2d.forward), (conv._conv_forward, nn.Conv2d._conv_forward))
    own = all(getattr(ours, '__func__', None) is theirs for ours, theirs in methods)
    return own and square and conv.groups == 1 and conv.dilation == (1, 1) and conv.padding_mode == 'zeros'


def _check_images(images: Tensor) -> None:
    if not (isinstance(images, Tensor) and images.is_floating_point() and images.dim() == 4 and images.numel() > 0):
        got = f'{images.dtype} {list(images.shape)}' if isinstance(images, Tensor) else type(images).__name__
        raise ValueError(f'convert: images must be a floating-point tensor [N, C, H, W], got {got}')
    if not bool(images.isfinite().all()):
        raise ValueError('convert: images must be finite')


def _layers(model: nn.Module) -> Dict[str, nn.Module]:
    """What computes as a whole, by name, in the order of definition: whatever else a layer has inside is its own affair."""
    layers: Dict[str, nn.Module] = {}
    inside: Set[nn.Module] = set()
    for name, module in model.named_modules():
        if module not in inside and _is_layer(module):
            layers[name] = module
            inside.update(module.modules())
    return layers


def _is_layer(module: nn.Module) -> bool:
    """A parametrized convolution has children, and so have BatchNorms that are activations, too."""
    return isinstance(module, (nn.Conv2d, CompConv2d)) or _is_batch_norm(module) or not any(module.children())


def _before_batch_norm(model: nn.Module) -> Set[nn.Module]:
    """Layers whose output goes to a BatchNorm and nowhere else: by data flow in evaluation mode, whatever mode the model is in, or, where that
    cannot be traced or does not come by (auxiliary heads), because the BatchNorm is defined next."""
    layers = list(_layers(model).values())
    defined = {layer for layer, following in zip(layers, layers[1:]) if _is_batch_norm(following)}
    try:
        with evaluating(model):
            graph = _LayerTracer().trace(model)
    except Exception:  # Whatever a model's own code raises when it is fed proxies.
        return defined
    called = {node: model.get_submodule(str(node.target)) for node in graph.nodes if node.op == 'call_module'}
    read = [(layer, user) for node, layer in called.items() for user in node.users]  # A layer may be called several times.
    otherwise = {layer for layer, user in read if not (user in called and _is_batch_norm(called[user]))}
    return ({layer for layer, _ in read} - otherwise) | (defined - set(called.values()))


class _LayerTracer(torch.fx.Tracer):
    """Records calls of layers, of whatever package."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return _is_layer(m)


def _is_batch_norm(module: nn.Module) -> bool:
    return isinstance(module, nn.modules.batchnorm._BatchNorm) or is_frozen_batch_norm(module)
