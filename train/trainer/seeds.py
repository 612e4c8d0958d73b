"""Random numbers that are a function of where they are drawn: what was drawn before, in which process, does not matter.

So that a run that is taken up again, at any step, goes on as if it had never stopped.
"""
from __future__ import annotations

import hashlib

import torch


def seed_for(*place: object) -> int:
    """A seed of 63 bits for a place, as ('images', seed, epoch)."""
    return int.from_bytes(hashlib.sha256(repr(place).encode()).digest()[:8], 'little') >> 1


def generator_for(*place: object) -> torch.Generator:
    return torch.Generator().manual_seed(seed_for(*place))
