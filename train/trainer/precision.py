"""Mixed precision: what a step computes in, and the scaling of gradients that float16 needs."""
from __future__ import annotations

import contextlib
from typing import Any, Dict, Optional

import torch
from torch import Tensor, nn

from .config import ConfigError

_DTYPES = {'f32': torch.float32, 'bf16': torch.bfloat16, 'f16': torch.float16}


class Precision:
    def __init__(self, name: str, device: torch.device) -> None:
        """`name` is `train.precision`. Raises ConfigError where the device does not have it."""
        if name == 'f16' and device.type != 'cuda':
            raise ConfigError('train.precision = "f16" needs a GPU; "bf16" runs on processors, too')
        if name == 'bf16' and device.type == 'cuda' and not _has_bf16():
            raise ConfigError('train.precision = "bf16" is not for this GPU; "f16" is')
        self._dtype, self._device = _DTYPES[name], device
        self._scaler = _grad_scaler() if name == 'f16' else None

    def autocast(self) -> Any:
        """The context of the forward pass."""
        return contextlib.nullcontext() if self._dtype == torch.float32 else torch.autocast(self._device.type, self._dtype)

    def step(self, loss: Tensor, model: nn.Module, optimizer: torch.optim.Optimizer, clip_norm: Optional[float]) -> None:
        """The backward pass, gradients' norm limited to `clip_norm`, and the optimizer's step."""
        optimizer.zero_grad(set_to_none=True)
        (loss if self._scaler is None else self._scaler.scale(loss)).backward()
        if self._scaler is not None:
            self._scaler.unscale_(optimizer)
        if clip_norm is not None:
            nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
        if self._scaler is None:
            optimizer.step()
        else:
            self._scaler.step(optimizer)
            self._scaler.update()

    def state_dict(self) -> Dict[str, Any]:
        return {} if self._scaler is None else self._scaler.state_dict()

    def load_state_dict(self, state: Dict[str, Any]) -> None:
        if self._scaler is not None and state:  # Empty if the session before was not on a GPU.
            self._scaler.load_state_dict(state)


def _has_bf16() -> bool:
    try:
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))  # type: ignore[call-arg]
    except TypeError:  # An older PyTorch, which counts no emulation.
        return bool(torch.cuda.is_bf16_supported())


def _grad_scaler() -> Any:
    current = getattr(torch.amp, 'GradScaler', None)
    return torch.cuda.amp.GradScaler() if current is None else current('cuda')  # The first is PyTorch's before 2.3.
