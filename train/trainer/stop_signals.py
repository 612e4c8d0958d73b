"""Ctrl-C and SIGTERM, as a question that the training loop asks between its steps."""
from __future__ import annotations

import contextlib
import signal
import time
from typing import Any, Callable, Dict, Iterator, Optional

ONE_REQUEST_SECONDS = 5
"""A cluster's queue and `torchrun` pass the same request on to each process: it comes twice."""


@contextlib.contextmanager
def stop_signals() -> Iterator[Callable[[], bool]]:
    """The first Ctrl-C or SIGTERM asks to stop after the step; one that comes more than some seconds later ends the process at once."""
    asked: Optional[float] = None

    def ask(number: int, _frame: object) -> None:
        nonlocal asked
        now = time.monotonic()
        if asked is None:
            asked = now
        elif now - asked > ONE_REQUEST_SECONDS:
            signal.signal(number, previous[number])
            signal.raise_signal(number)

    previous: Dict[int, Any] = {}
    for number in (signal.SIGINT, signal.SIGTERM):
        previous[number] = signal.signal(number, ask)
    try:
        yield lambda: asked is not None
    finally:
        for caught, handler in previous.items():
            signal.signal(caught, handler)
