"""CompConv as a PyTorch module, a drop-in replacement for `torch.nn.Conv2d`."""
from __future__ import annotations

import math
from typing import List, Optional

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, relu

from .channels import Channels, adaptive_depth, check_depth, check_shuffle_groups
from .shuffle import ConcatAndShuffle, concat_and_shuffle

INNER = ('linear', 'bn-relu')
SLICE_ORDERS = ('deepest-first', 'shallowest-first')
SLICE_STRIDES = ('subsample', 'average')


class CompConv2d(nn.Module):
    """A convolution divided recursively (Zhang, Xu, Shen, CVPRW 2021); `[N, C_in, H, W]` to `[N, C_out, H', W']`.

    With d the recursion depth, c = `C_prim` and c_i = 2^(d-1-i) c:

        X_B[d-1] = primitive(X)                                             C_in -> c
        for i = d-2 ... 0:
            X_A[i+1] = the next c_(i+1) channels of X, subsampled by the stride      ("identity slice")
            X_B[i]   = grow(X_A[i+1] + X_B[i+1])                            c_i -> c_i, + is concatenation
        X_A[0] = tail(first t channels of X_B[0])                           depthwise
        Y      = shuffle(X_A[d-1] + X_B[d-1] + ... + X_A[0] + X_B[0])

    The depth is either `depth`, 0 to 3, or the adaptive one for `c0`; depth 0 is the plain convolution, with its own `weight`.
    Parameters have the names that the engine reads: `primitive.weight`, `grow.0.weight`, `tail.weight`, `bias`, and with
    `inner='bn-relu'` also `primitive_bn.*`, `grow_bn.0.*`, `tail_bn.*`.
    """

    bias: Optional[nn.Parameter]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        padding: int = 0,
        *,
        c0: Optional[float] = None,
        depth: Optional[int] = None,
        shuffle_groups: int = 2,
        inner: str = 'linear',
        bias: bool = False,
        inner_bias: bool = False,
        slice_order: str = 'deepest-first',
        slice_stride: str = 'subsample',
    ) -> None:
        """`bias` is added to Y, `inner_bias` is one bias for each convolution inside.

        `slice_order`: the part that takes the first channels of X. `slice_stride`: what an identity slice has of each s x s pixels, the first
        or their average. The engine knows the defaults of these two alone. Raises ValueError.
        """
        super().__init__()
        if (c0 is None) == (depth is None):
            raise ValueError('CompConv2d: give either c0 or depth')
        if inner not in INNER:
            raise ValueError(f'inner must be one of {", ".join(INNER)}, got {inner!r}')
        if slice_order not in SLICE_ORDERS:
            raise ValueError(f'slice_order must be one of {", ".join(SLICE_ORDERS)}, got {slice_order!r}')
        if slice_stride not in SLICE_STRIDES:
            raise ValueError(f'slice_stride must be one of {", ".join(SLICE_STRIDES)}, got {slice_stride!r}')
        check_shuffle_groups(shuffle_groups)
        replaced = (in_channels, out_channels, kernel_size, padding)
        if c0 is not None:
            depth = adaptive_depth(*replaced, c0, shuffle_groups=shuffle_groups)
        assert depth is not None
        check_depth(*replaced, depth, f'CompConv2d {in_channels} -> {out_channels}', shuffle_groups=shuffle_groups)
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = kernel_size
        self.stride = stride
        self.padding = padding
        self.depth = depth
        self.shuffle_groups = shuffle_groups
        self.inner = inner
        self.slice_order = slice_order
        self.slice_stride = slice_stride

        self.register_parameter('bias', nn.Parameter(torch.empty(out_channels)) if bias else None)
        if depth == 0:
            self.weight = nn.Parameter(torch.empty(out_channels, in_channels, kernel_size, kernel_size))
        else:
            c = self.channels = Channels.of(out_channels, depth)
            k, same = kernel_size, (kernel_size - 1) // 2
            grown = [c.width(i) for i in range(depth - 2, -1, -1)]
            self.primitive = nn.Conv2d(in_channels, c.primitive, k, stride, padding, bias=inner_bias)
            if grown:
                self.grow = nn.ModuleList([nn.Conv2d(w, w, k, 1, same, bias=inner_bias) for w in grown])
            self.tail = nn.Conv2d(c.tail, c.tail, k, 1, same, groups=c.tail, bias=inner_bias)
            if inner == 'bn-relu':
                self.primitive_bn = nn.BatchNorm2d(c.primitive)
                if grown:
                    self.grow_bn = nn.ModuleList([nn.BatchNorm2d(w) for w in grown])
                self.tail_bn = nn.BatchNorm2d(c.tail)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """He initialisation by fan-in; with gain 1 inside a linear module, whose parts no ReLU halves."""
        for name, parameter in self.named_parameters():
            if parameter.dim() == 4:
                linear = self.depth > 0 and self.inner == 'linear'
                nn.init.kaiming_normal_(parameter, nonlinearity='linear' if linear else 'relu')
            elif name.split('.')[-1] == 'bias' and '_bn' not in name:
                bound = 1 / math.sqrt(self.in_channels * self.kernel_size**2)
                nn.init.uniform_(parameter, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        if self.depth == 0:
            return conv2d(x, self.weight, self.bias, self.stride, self.padding)
        bn_relu = self.inner == 'bn-relu'
        b = self.primitive(x)
        if bn_relu:
            b = relu(self.primitive_bn(b), inplace=True)
        parts: List[Tensor] = []
        for step, a in enumerate(self.identity_slices(x)):
            pair = torch.cat([a, b], dim=1)
            parts.append(pair)
            b = self.grow[step](pair)
            if bn_relu:
                b = relu(self.grow_bn[step](b), inplace=True)
        a = self.tail(b[:, : self.channels.tail])
        if bn_relu:
            a = relu(self.tail_bn(a), inplace=True)
        parts += [a, b]
        # Plain operations wherever no gradient is wanted, so that tracers and exporters see nothing else.
        if self.training and torch.is_grad_enabled():
            y = ConcatAndShuffle.apply(self.shuffle_groups, *parts)
        else:
            y = concat_and_shuffle(parts, self.shuffle_groups)
        return y if self.bias is None else y + self.bias.view(1, -1, 1, 1)

    def identity_slices(self, x: Tensor) -> List[Tensor]:
        """X_A[d-1], ..., X_A[1]."""
        if self.stride > 1:
            if self.slice_stride == 'average':
                x = avg_pool2d(x, self.stride, ceil_mode=True)
            else:
                x = x[:, :, :: self.stride, :: self.stride]
        levels = list(range(self.depth - 1, 0, -1))
        taken, slices = 0, {}
        for i in levels if self.slice_order == 'deepest-first' else reversed(levels):
            slices[i] = x[:, taken : taken + self.channels.width(i)]
            taken += self.channels.width(i)
        return [slices[i] for i in levels]

    def extra_repr(self) -> str:
        text = f'{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}, '
        return text + f'padding={self.padding}, depth={self.depth}, shuffle_groups={self.shuffle_groups}, inner={self.inner!r}'
