"""Where a run stands, and how long it took."""
from __future__ import annotations

import dataclasses
import time
from typing import Any, Dict, List


@dataclasses.dataclass
class Progress:
    """Where a run stands: a test may still be due after the epochs that are complete."""

    epoch: int = 0
    """Complete epochs."""
    step: int = 0
    """Steps of the epoch that has begun."""
    loss: float = 0.0
    correct: int = 0
    """Sums over those steps."""
    seconds: float = 0.0
    """Spent on the run so far, by all sessions that it took."""
    history: List[Dict[str, Any]] = dataclasses.field(default_factory=list)
    """A record of each epoch."""


class Clock:
    def __init__(self) -> None:
        self._start = self._last = time.perf_counter()

    @property
    def total(self) -> float:
        """Seconds since the clock was made."""
        return time.perf_counter() - self._start

    def lap(self) -> float:
        """Seconds since the last lap."""
        now = time.perf_counter()
        lap, self._last = now - self._last, now
        return lap


def line_of(record: Dict[str, Any], epochs: int) -> str:
    """An epoch's record, for people."""
    test = f', test {record["testAccuracy"]:.2%}' if 'testAccuracy' in record else ''
    return (
        f'epoch {record["epoch"]}/{epochs}: loss {record["trainLoss"]:.4f}, train {record["trainAccuracy"]:.2%}{test}, '
        f'{record["imagesPerSecond"]:.0f} images/s, {record["seconds"]:.0f} s'
    )
