"""Ctrl-C and SIGTERM, as a question that the training loop asks between its steps."""
from __future__ import annotations

import contextlib
import signal
from typing import Any, Callable, Dict, Iterator


@contextlib.contextmanager
def stop_signals() -> Iterator[Callable[[], bool]]:
    """The first Ctrl-C or SIGTERM asks to stop after the step; the second one ends the process at once."""
    asked = False

    def ask(number: int, _frame: object) -> None:
        nonlocal asked
        asked = True
        signal.signal(number, previous[number])

    previous: Dict[int, Any] = {}
    for number in (signal.SIGINT, signal.SIGTERM):
        previous[number] = signal.signal(number, ask)
    try:
        yield lambda: asked
    finally:
        for caught, handler in previous.items():
            signal.signal(caught, handler)
