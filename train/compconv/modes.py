"""Training and evaluation mode, module by module."""
from __future__ import annotations

import contextlib
from typing import Iterable, Iterator

from torch import nn


@contextlib.contextmanager
def evaluating(model: nn.Module, but: Iterable[nn.Module] = ()) -> Iterator[None]:
    """All of a model in evaluation mode, with the exception of some modules in training mode; then each as it was."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    for module in but:
        module.train()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
