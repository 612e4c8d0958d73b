"""CompConv modules that begin as an approximation of a trained plain convolution, instead of at random."""
from __future__ import annotations

from typing import Any, Dict, Mapping, Optional, Set, cast

import torch
from torch import Tensor, nn

from .modes import evaluating
from .module import CompConv2d

RIDGE = 1e-6
"""Of the mean square of what a regression reads: keeps it solvable where inputs depend on each other."""
WINDOW_VALUES = 1 << 23
"""Of a regression's inputs, unfolded at once: 64 MB."""

ITERATIONS = 20
POSITIONS_PER_WEIGHT = 4
"""Fewer positions of the output for each weight of a filter, and what all weights together learn is these positions."""


@torch.no_grad()
def fit(module: CompConv2d, conv: nn.Conv2d, x: Tensor, iterations: int = ITERATIONS) -> float:
    """Sets the weights of a linear module so that it gives on `x` `[N, C_in, H, W]` what `conv` does, as nearly as this way can.

    Each channel of the module follows the convolution's in its place. The primitive takes its filters over as they are, then each
    grow, then the tail, is the linear regression of its channels on what it reads; from there on, where `x` has positions enough,
    `iterations` of L-BFGS for all of them together. An identity slice is input and follows nothing. Means are left to the BatchNorm behind, or to `bias`, which
    is set so that they agree on `x`.

    Returns the `relative_error`. Raises ValueError where the module is not linear inside or replaces another convolution, or where the
    weights come out not finite, as they do where the convolution's input or output is not.
    """
    if module.depth == 0 or module.inner != 'linear':
        raise ValueError("init = 'fit' needs a module of depth 1 to 3 with inner = 'linear'")
    ours = (module.in_channels, module.out_channels, module.kernel_size, module.stride, module.padding)
    theirs = (conv.in_channels, conv.out_channels, conv.kernel_size[0], conv.stride[0], conv.padding[0])
    if ours != theirs:
        raise ValueError(f'the module replaces a convolution of {ours} (channels, kernel, stride, padding), not of {theirs}')

    # The convolution's channels as the module has them before its shuffle: X_A[d-1], X_B[d-1], ..., X_A[0], X_B[0].
    order = torch.arange(module.out_channels, device=x.device).view(-1, module.shuffle_groups).t().flatten()
    sliced = [module.channels.width(i) for i in range(module.depth - 1, 0, -1)]
    widths = [width for each in sliced for width in (each, each)] + [module.channels.tail, module.channels.width(0)]
    y = conv.forward(x)  # Not called: hooks of it may be what brought us here.
    wanted = y[:, order].split(widths, dim=1)

    copied = order.split(widths)[1]
    module.primitive.weight.copy_(conv.weight[copied])
    if module.primitive.bias is not None:
        module.primitive.bias.copy_(torch.zeros_like(module.primitive.bias) if conv.bias is None else conv.bias[copied])
    b = module.primitive(x)
    for step, a in enumerate(module.identity_slices(x)):
        pair = torch.cat([a, b], dim=1)
        _regress(cast(nn.Conv2d, module.grow[step]), pair, wanted[2 * step + 3])
        b = module.grow[step](pair)
    _regress(module.tail, b[:, : module.channels.tail], wanted[-2])

    if iterations > 0 and y[:, 0].numel() >= POSITIONS_PER_WEIGHT * conv.weight[0].numel():
        _polish(module, x, y, iterations)
    if module.bias is not None:
        module.bias.zero_()
        module.bias.copy_((y - module(x)).mean(dim=(0, 2, 3)))
    if not all(bool(parameter.isfinite().all()) for parameter in module.parameters()):
        raise ValueError('the fit gives weights that are not finite; look at those of the network, and at what it computes of the images')
    return relative_error(module(x), y)


def relative_error(actual: Tensor, expected: Tensor) -> float:
    """`|actual - expected| / |expected|` in L2, the mean of each channel `[N, C, H, W]` taken off both."""
    error = _centred(actual - expected)
    return float(error.norm() / _centred(expected).norm().clamp_min(1e-30))


def _centred(x: Tensor) -> Tensor:
    return x - x.mean(dim=(0, 2, 3), keepdim=True)


def _polish(module: CompConv2d, x: Tensor, y: Tensor, iterations: int) -> None:
    """All weights together: what is exact in one channel may do better by helping another."""
    optimizer = torch.optim.LBFGS(module.parameters(), max_iter=iterations, line_search_fn='strong_wolfe')
    variance = _centred(y).square().mean().clamp_min(1e-30)

    def loss() -> Any:
        optimizer.zero_grad()
        error = _centred(module(x) - y).square().mean() / variance
        error.backward()
        return error

    with torch.enable_grad():
        optimizer.step(loss)
    optimizer.zero_grad(set_to_none=True)


def _regress(conv: nn.Conv2d, x: Tensor, y: Tensor) -> None:
    """Sets a convolution's weights to the least squares solution for `conv(x) = y`, but for the means; a bias is for these."""
    groups, channels = conv.groups, y.shape[1] // conv.groups
    values = conv.weight[0].numel()
    # Sums over the windows of a few images at a time: all of them unfolded would take kernel x kernel times the room of x.
    square = x.new_zeros(groups, values, values, dtype=torch.float64)
    product = x.new_zeros(groups, values, channels, dtype=torch.float64)
    input_sum = x.new_zeros(groups, values, 1, dtype=torch.float64)
    output_sum = x.new_zeros(groups, channels, 1, dtype=torch.float64)
    count = y[:, 0].numel()
    at_once = max(1, WINDOW_VALUES // (groups * values * y[0, 0].numel()))
    for some_x, some_y in zip(x.split(at_once), y.split(at_once)):
        windows = nn.functional.unfold(some_x.double(), conv.kernel_size, padding=conv.padding)  # type: ignore[arg-type]
        # [groups, values of a window, windows] and [groups, channels, windows]
        inputs = windows.transpose(0, 1).reshape(groups, values, -1)
        outputs = some_y.double().transpose(0, 1).reshape(groups, channels, -1)
        square += inputs @ inputs.transpose(1, 2)
        product += inputs @ outputs.transpose(1, 2)
        input_sum += inputs.sum(dim=2, keepdim=True)
        output_sum += outputs.sum(dim=2, keepdim=True)
    rounding = 1e-12 * square.diagonal(dim1=1, dim2=2).mean(dim=1)  # What is left of inputs that are constant.
    input_mean, output_mean = input_sum / count, output_sum / count
    square -= input_sum @ input_mean.transpose(1, 2)
    product -= input_sum @ output_mean.transpose(1, 2)
    ridge = (RIDGE * square.diagonal(dim1=1, dim2=2).mean(dim=1) + rounding).clamp_min(1e-18).view(-1, 1, 1)
    square += ridge * torch.eye(values, dtype=square.dtype, device=x.device)
    # Of what is not finite, some solvers raise and some make NaN: here all do the latter, which `fit` finds.
    weight = torch.linalg.solve_ex(square, product).result.transpose(1, 2)
    conv.weight.copy_(weight.reshape(conv.weight.shape))
    if conv.bias is not None:
        conv.bias.copy_((output_mean - weight @ input_mean).flatten())


@torch.no_grad()
def fit_all(modules: Mapping[nn.Module, CompConv2d], model: nn.Module, images: Optional[Tensor]) -> Dict[nn.Module, float]:
    """Fits each convolution's module to what the convolution reads while the model sees the images, or to noise without any.

    Returns the relative errors. Raises ValueError, naming the convolution.
    """
    errors: Dict[nn.Module, float] = {}
    names = {module: name for name, module in model.named_modules()}

    def fit_once(conv: nn.Module, x: Tensor) -> None:
        assert isinstance(conv, nn.Conv2d)
        if conv in errors:
            return
        try:
            errors[conv] = fit(modules[conv], conv, x.detach())
        except ValueError as error:
            raise ValueError(f'{names[conv]}: {error}') from error

    if images is None:
        generator = torch.Generator().manual_seed(0)
        for conv, module in modules.items():
            fit_once(conv, torch.randn(32, module.in_channels, 16, 16, generator=generator).to(next(conv.parameters())))
        return errors
    handles = [conv.register_forward_hook(lambda conv, inputs, _output: fit_once(conv, inputs[0])) for conv in modules]
    try:
        with evaluating(model):
            model(images)
    finally:
        for handle in handles:
            handle.remove()
    return errors


def is_frozen_batch_norm(module: nn.Module) -> bool:
    """Whether it is torchvision's; by name, as torchvision need not be there."""
    return type(module).__name__ == 'FrozenBatchNorm2d'


@torch.no_grad()
def recalibrate(model: nn.Module, images: Tensor) -> None:
    """Gives BatchNorms, also frozen ones, the statistics of what they get now that the layers before them are others.

    Those that the images never come to, as in auxiliary heads, keep theirs.
    """
    norms = [module for module in model.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    momenta = [module.momentum for module in norms]
    reached: Set[nn.Module] = set()

    def reset_once(norm: Any, _inputs: Any) -> None:
        if norm not in reached:
            reached.add(norm)
            norm.reset_running_stats()

    for norm in norms:
        norm.momentum = None  # type: ignore[assignment]  # A plain mean.
    handles = [norm.register_forward_pre_hook(reset_once) for norm in norms]
    handles += [module.register_forward_pre_hook(_freeze) for module in model.modules() if is_frozen_batch_norm(module)]
    try:
        with evaluating(model, but=norms):
            model(images)
    finally:
        for handle in handles:
            handle.remove()
        for norm, momentum in zip(norms, momenta):
            norm.momentum = momentum


def _freeze(norm: Any, inputs: Any) -> None:
    (x,) = inputs
    norm.running_mean.copy_(x.mean(dim=(0, 2, 3)))
    norm.running_var.copy_(x.var(dim=(0, 2, 3)))
