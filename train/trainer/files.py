"""Files that are there whole or not at all."""
from __future__ import annotations

import os
from pathlib import Path


def write_whole(path: Path, data: bytes) -> None:
    """A kill, a full disk or a power cut at any moment leaves the old file or the new one. Raises OSError."""
    partial = path.with_suffix('.partial')
    try:
        with partial.open('wb') as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        partial.unlink(missing_ok=True)
        raise
    os.replace(partial, path)
