"""The learning rate as a function of how far the training is."""
from __future__ import annotations

import math

from .config import TrainConfig


def learning_rate(config: TrainConfig, epochs_done: float) -> float:
    """At a step that ends `epochs_done` epochs after the start, a fraction."""
    if epochs_done < config.warmup_epochs:
        return config.lr * epochs_done / config.warmup_epochs
    if config.schedule == 'step':
        # Milestones count whole epochs: the step that ends one still belongs to it.
        return config.lr * config.gamma ** sum(epochs_done > milestone for milestone in config.milestones)
    left = (config.epochs - epochs_done) / (config.epochs - config.warmup_epochs)
    return config.lr * 0.5 * (1 - math.cos(math.pi * left))
