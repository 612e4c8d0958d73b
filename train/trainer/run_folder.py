"""The folder of a run: `checkpoint.pt`, `log.jsonl` with a line for each epoch, and at the end `result.json`."""
from __future__ import annotations

import contextlib
import dataclasses
import errno
import fcntl
import json
import sys
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple

from .checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from .config import Config, ConfigError, config_from
from .files import write_whole


class RunFolder:
    """Holds one run, of one configuration."""

    def __init__(self, path: Path, config: Config) -> None:
        """Makes the folder. Raises ConfigError if it cannot."""
        self.path, self._config = path, config
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f'{path} cannot be the folder of a run: {error.strerror}') from error

    def __str__(self) -> str:
        return str(self.path)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Two runs in one folder would overwrite each other's checkpoints. The lock goes when the process does."""
        with (self.path / 'lock').open('w') as lock:
            try:
                fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # Unlike flock's, not passed on to processes that read images.
            except OSError as error:
                if error.errno in (errno.EACCES, errno.EAGAIN):
                    raise ConfigError(f'{self}: another process is training this run') from error
                # Some file systems of clusters have no locks.
                print(f'{self} cannot be locked ({error.strerror}): see to it that no other process trains this run', file=sys.stderr)
            yield

    # --- what is in it: each raises ConfigError if it is of another configuration ------------------------------------------

    def checkpoint(self) -> Optional[Checkpoint]:
        """Of a run that was begun."""
        if not self._checkpoint.exists():
            return None
        checkpoint = load_checkpoint(self._checkpoint)
        self._check_same(checkpoint.meta['config'])
        return checkpoint

    def result(self) -> Optional[Dict[str, Any]]:
        """Of a run that has come to its end."""
        if not self._result.exists():
            return None
        try:
            result: Dict[str, Any] = json.loads(self._result.read_text())
            config = result['config']
        except (ValueError, LookupError, TypeError):
            return None  # Damaged: it is made again of the last checkpoint.
        self._check_same(config)
        return result

    # --- writing -----------------------------------------------------------------------------------------------------------

    def save_checkpoint(self, checkpoint: Checkpoint) -> None:
        save_checkpoint(self._checkpoint, checkpoint)

    def save_result(self, result: Dict[str, Any]) -> None:
        write_whole(self._result, (json.dumps(result) + '\n').encode())

    def restart_log(self, history: List[Dict[str, Any]]) -> None:
        """A line after the last checkpoint is of work that is done again."""
        write_whole(self._log, ''.join(json.dumps(record) + '\n' for record in history).encode())

    def log(self, record: Dict[str, Any]) -> None:
        with self._log.open('a') as log:
            log.write(json.dumps(record) + '\n')

    @property
    def _checkpoint(self) -> Path:
        return self.path / 'checkpoint.pt'

    @property
    def _result(self) -> Path:
        return self.path / 'result.json'

    @property
    def _log(self) -> Path:
        return self.path / 'log.jsonl'

    def _check_same(self, stored: Dict[str, Any]) -> None:
        ours, theirs = what_counts(self._config), what_counts(config_from(stored, str(self)))
        differing = [
            f'{table}.{key} = {was!r}, not {value!r}'
            for table in ours
            for key, was, value in _differences(theirs[table] or {}, ours[table] or {})
        ]
        if differing:
            raise ConfigError(f'{self} holds another run: its {", its ".join(differing)}; name another folder')


def _differences(theirs: Dict[str, Any], ours: Dict[str, Any]) -> List[Tuple[str, Any, Any]]:
    keys = {**theirs, **ours}
    return [(key, theirs.get(key), ours.get(key)) for key in keys if theirs.get(key) != ours.get(key)]


def what_counts(config: Config) -> Dict[str, Any]:
    """Where, on what and with how many hands a run is trained may change between sessions."""
    data = dataclasses.replace(config.data, path='', workers=0)
    train = dataclasses.replace(config.train, device='auto', threads=None, eval_every=1, save_minutes=0.0)
    return dataclasses.replace(config, data=data, train=train).to_json()
