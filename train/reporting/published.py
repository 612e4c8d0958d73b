"""The files that are made of trained networks, for cards that name theirs."""
from __future__ import annotations

import json
from typing import Any, Dict, NamedTuple

from publish import BUNDLED, LARGE, PUBLISHED, REFERENCE, ROOT


class PublishedFile(NamedTuple):
    """Of seed 0, in F16."""

    path: str
    """In the project."""
    comes_with_project: bool
    answers: Dict[str, Any]
    """What `publish.py` found out about it: `correctOf10000`, `macs` and more."""


def published_files() -> Dict[str, PublishedFile]:
    """By experiment of `sweep.py`; those that `publish.py` has made once. Raises OSError, ValueError."""
    reference = json.loads(REFERENCE.read_text()) if REFERENCE.exists() else {}
    files = {}
    for name, experiment in PUBLISHED.items():
        file = f'{name}.safetensors'
        bundled = (BUNDLED / file).exists()
        if file in reference:
            files[experiment] = PublishedFile(str(((BUNDLED if bundled else LARGE) / file).relative_to(ROOT)), bundled, reference[file])
    return files
