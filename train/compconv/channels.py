"""The channel arithmetic of CompConv: widths of the parts, which depths are feasible, and the adaptive depth."""
from __future__ import annotations

import math
import numbers
from dataclasses import dataclass
from typing import Optional

MAX_DEPTH = 3


@dataclass(frozen=True)
class Channels:
    """Widths of the parts of one CompConv of recursion depth >= 1."""

    depth: int
    primitive: int
    """`C_prim`, written `c`: `ceil(C_out / (2 (2^d - 1)))`."""
    tail: int
    """`t`: channels of X_A[0] that are left once the surplus is dropped."""

    @staticmethod
    def of(out_channels: int, depth: int) -> 'Channels':
        full = 2 * (2**depth - 1)
        c = math.ceil(out_channels / full)
        return Channels(depth, c, 2 ** (depth - 1) * c - (full * c - out_channels))

    def width(self, i: int) -> int:
        """`c_i`: channels of X_B[i], and of X_A[i] for i >= 1."""
        return 2 ** (self.depth - 1 - i) * self.primitive

    @property
    def identity(self) -> int:
        """Input channels that the identity slices take, all together."""
        return self.primitive * (2 ** (self.depth - 1) - 1)


def depth_problem(
    in_channels: int, out_channels: int, kernel_size: int, padding: int, depth: int, *, shuffle_groups: int = 1
) -> Optional[str]:
    """The rule that makes a depth infeasible for a convolution, in words; None if it is feasible."""
    if depth == 0:
        return None
    if out_channels % shuffle_groups != 0:
        return f'needs shuffle groups that divide its {out_channels} output channels, got {shuffle_groups}'
    if kernel_size % 2 == 0:
        return f'needs an odd kernel size for its "same" convolutions, got {kernel_size}'
    if depth >= 2 and padding != (kernel_size - 1) // 2:
        return f'needs padding {(kernel_size - 1) // 2} so that its identity slices line up, got {padding}'
    channels = Channels.of(out_channels, depth)
    if channels.tail < 1:
        return f'leaves none of the {out_channels} output channels for its tail, which needs at least 1'
    if channels.identity > in_channels:
        return f'needs {channels.identity} input channels for its identity slices, got {in_channels}'
    return None


def deepest_feasible_depth(
    in_channels: int, out_channels: int, kernel_size: int, padding: int, limit: int = MAX_DEPTH, *, shuffle_groups: int = 1
) -> int:
    """The deepest feasible depth that is at most `limit`; 0 at worst."""
    conv = (in_channels, out_channels, kernel_size, padding)
    return next(depth for depth in range(limit, -1, -1) if depth_problem(*conv, depth, shuffle_groups=shuffle_groups) is None)


def adaptive_depth(
    in_channels: int, out_channels: int, kernel_size: int, padding: int, c0: float, *, shuffle_groups: int = 1
) -> int:
    """`min(floor(log2(max(1, C_in / C_0))) + 1, 3)`, lowered to the deepest feasible depth. Raises ValueError."""
    check_c0(c0)
    # Doubling instead of a logarithm, which could round a power of two down.
    depth = 1
    while depth < MAX_DEPTH and in_channels >= c0 * 2**depth:
        depth += 1
    return deepest_feasible_depth(in_channels, out_channels, kernel_size, padding, depth, shuffle_groups=shuffle_groups)


def check_c0(c0: float) -> None:
    """Raises ValueError for anything but a positive number: it may come from a file."""
    if isinstance(c0, bool) or not isinstance(c0, numbers.Real) or not 0 < c0 < math.inf:
        raise ValueError(f'c0 must be a positive number (32, 64, 128, ...), got {c0!r}')


def check_shuffle_groups(shuffle_groups: int) -> None:
    """Raises ValueError."""
    if isinstance(shuffle_groups, bool) or not isinstance(shuffle_groups, int) or shuffle_groups < 1:
        raise ValueError(f'shuffle_groups must be a positive integer, got {shuffle_groups!r}')


def check_depth(
    in_channels: int, out_channels: int, kernel_size: int, padding: int, depth: int, where: str, *, shuffle_groups: int = 1
) -> None:
    """Raises ValueError naming the rule that failed and the deepest feasible depth."""
    if not isinstance(depth, int) or not 0 <= depth <= MAX_DEPTH:
        raise ValueError(f'{where}: depth must be an integer from 0 to {MAX_DEPTH}, got {depth!r}')
    problem = depth_problem(in_channels, out_channels, kernel_size, padding, depth, shuffle_groups=shuffle_groups)
    if problem is not None:
        deepest = deepest_feasible_depth(in_channels, out_channels, kernel_size, padding, shuffle_groups=shuffle_groups)
        advice = f'the deepest feasible depth is {deepest}' if deepest > 0 else 'depth 0 leaves it plain'
        raise ValueError(f'{where}: depth {depth} {problem}; {advice}')
