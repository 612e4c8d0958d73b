"""One process of several, as `torchrun` starts them; or the only one."""
from __future__ import annotations

import collections
import datetime
import os
from typing import Deque, NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor, nn

from .config import ConfigError


# Gloo's threads let go of a tensor some time after `all_reduce` has returned. If theirs is the last reference, that takes Python's
# lock, which is held by whoever destroys the process group and waits for these threads: the process would hang at its end.
_reduced: Deque[Tensor] = collections.deque(maxlen=8)


WAIT = datetime.timedelta(hours=2)
"""For another process: while the first one fits a large network to pretrained weights, the others wait."""


class Process(NamedTuple):
    rank: int
    world: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def total(self, tensor: Tensor) -> Tensor:
        """Sum over all processes."""
        if self.world > 1:
            _reduced.append(tensor)
            dist.all_reduce(tensor)
        return tensor

    def any(self, flag: bool) -> bool:
        """Whether it is set in some process."""
        return flag if self.world == 1 else bool(self.total(torch.tensor(int(flag), device=self.device)).item())

    def agree(self, number: int) -> bool:
        """Whether it is the same in all processes."""
        if self.world == 1:
            return True
        extremes = torch.tensor([number, -number], device=self.device)
        _reduced.append(extremes)
        dist.all_reduce(extremes, dist.ReduceOp.MAX)
        most, least = extremes.tolist()
        return bool(most == -least)

    def share_buffers(self, model: nn.Module) -> None:
        """The first process's running statistics for all."""
        if self.world > 1:
            for buffer in model.buffers():
                dist.broadcast(buffer, 0)

    def wrap(self, model: nn.Module) -> nn.Module:
        if self.world == 1:
            return model
        return nn.parallel.DistributedDataParallel(model, [self.device.index] if self.device.type == 'cuda' else None)


def join(device: str) -> Process:
    """`device` is `cpu`, `cuda` or `auto`. Raises ConfigError where there is no GPU but one is asked for."""
    if device == 'cuda' and not torch.cuda.is_available():
        raise ConfigError('train.device = "cuda", but PyTorch finds no GPU')
    on_gpu = device != 'cpu' and torch.cuda.is_available()
    rank, world = int(os.environ.get('RANK', 0)), int(os.environ.get('WORLD_SIZE', 1))
    place = torch.device('cpu')
    if on_gpu:
        local, gpus = int(os.environ.get('LOCAL_RANK', 0)), torch.cuda.device_count()
        if local >= gpus:
            raise ConfigError(f'there are more processes on this machine than GPUs, of which PyTorch finds {gpus}')
        place = torch.device('cuda', local)
        torch.cuda.set_device(place)
    if world > 1:
        dist.init_process_group('nccl' if on_gpu else 'gloo', timeout=WAIT)
    return Process(rank, world, place)


def leave(process: Process) -> None:
    """When all of them do: NCCL waits for the others. A process that fails alone just ends, and `torchrun` ends the others."""
    if process.world > 1:
        dist.destroy_process_group()
