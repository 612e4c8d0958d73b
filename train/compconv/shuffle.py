"""Concatenation and channel shuffle of the parts of a CompConv."""
from __future__ import annotations

from functools import reduce
from typing import Any, List, NamedTuple, Sequence, Tuple

import torch
from torch import Tensor


def concat_and_shuffle(parts: Sequence[Tensor], groups: int) -> Tensor:
    """`Y[:, j g + q] = Z[:, q C/g + j]`, Z the parts one after the other; `groups` = 1 is no shuffle."""
    z = torch.cat(list(parts), dim=1)
    if groups == 1:
        return z
    n, channels, height, width = z.shape
    return z.view(n, groups, channels // groups, height, width).transpose(1, 2).reshape(n, channels, height, width)


class ConcatAndShuffle(torch.autograd.Function):
    """The same in one pass over memory, where `concat_and_shuffle` takes two forwards and two backwards.

    Part by part, group by group, channels go straight to their places; backwards, each part's gradient is read from them.
    """

    @staticmethod
    def forward(ctx: Any, groups: int, *parts: Tensor) -> Tensor:  # type: ignore[override]
        widths = [part.shape[1] for part in parts]
        ctx.runs = _runs(widths, groups)
        last = parts[-1]
        channels_last = not last.is_contiguous() and last.is_contiguous(memory_format=torch.channels_last)
        y = torch.empty(
            (last.shape[0], sum(widths), *last.shape[2:]),
            dtype=reduce(torch.promote_types, (part.dtype for part in parts)),
            device=last.device,
            memory_format=torch.channels_last if channels_last else torch.contiguous_format,
        )
        for part, runs in zip(parts, ctx.runs):
            for run in runs:
                y[:, run.places].copy_(part[:, run.channels])
        return y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tuple[Any, ...]:  # type: ignore[override]
        pieces = [[grad[:, run.places] for run in runs] for runs in ctx.runs]
        return (None, *(runs[0] if len(runs) == 1 else torch.cat(runs, dim=1) for runs in pieces))


class _Run(NamedTuple):
    """Consecutive channels of one part that are in one group of the shuffle."""

    channels: slice
    """Within the part."""
    places: slice
    """Within the output: every `groups`-th channel."""


def _runs(widths: Sequence[int], groups: int) -> List[List[_Run]]:
    per_group = sum(widths) // groups
    result = []
    begin = 0
    for width in widths:
        runs = []
        at, end = begin, begin + width
        while at < end:
            group, offset = divmod(at, per_group)
            count = min(end - at, per_group - offset)
            first = offset * groups + group
            runs.append(_Run(slice(at - begin, at - begin + count), slice(first, first + (count - 1) * groups + 1, groups)))
            at += count
        result.append(runs)
        begin = end
    return result
