"""Results of several seeds, taken together."""
from __future__ import annotations

import json
import math
import statistics
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional

from trainer.config import config_from
from trainer.run_folder import what_counts

Record = Dict[str, Any]


class Summary(NamedTuple):
    """One network, over its seeds."""

    name: str
    records: List[Record]

    @property
    def accuracies(self) -> List[float]:
        return [record['testAccuracy'] for record in self.records]

    @property
    def mean(self) -> float:
        return statistics.mean(self.accuracies)

    @property
    def spread(self) -> Optional[float]:
        """Absent for a single seed."""
        return statistics.stdev(self.accuracies) if len(self.records) > 1 else None

    @property
    def accuracy(self) -> str:
        return f'{100 * self.mean:.2f} %' if self.spread is None else f'{100 * self.mean:.2f} ± {100 * self.spread:.2f} %'

    @property
    def confusion(self) -> List[List[int]]:
        """Sum over seeds, `[class][answer]`."""
        size = len(self.records[0]['classes'])
        return [[sum(record['confusion'][i][j] for record in self.records) for j in range(size)] for i in range(size)]


def read_results(path: Path) -> List[Record]:
    """A line of JSON each; of several of one network and seed the last one counts: settings change. Raises OSError, ValueError."""
    records = [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
    return list({(record['name'], record['seed']): record for record in records}.values())


def summarise(records: List[Record]) -> List[Summary]:
    """By network, in the order in which they come. Raises ValueError for records that cannot be averaged."""
    groups: Dict[str, List[Record]] = {}
    for record in records:
        groups.setdefault(record['name'], []).append(record)
    for name, group in groups.items():
        group.sort(key=lambda record: record['seed'])
        seeds = [record['seed'] for record in group]
        if len(set(seeds)) < len(seeds):
            raise ValueError(f'{name}: a seed is there twice')
        if any(_without_seed(record) != _without_seed(group[0]) for record in group):
            raise ValueError(f'{name}: seeds were trained with different settings')
    if not groups:
        raise ValueError('there are no results')
    return [Summary(name, group) for name, group in groups.items()]


def _without_seed(record: Record) -> Any:
    config = what_counts(config_from(record['config'], record['name']))
    config['train'].pop('seed')
    # Of the same seed each.
    for part, file in (('distill', 'teacher'), ('pretrained', 'weights')):
        (config[part] or {}).pop(file, None)
    return config


STUDENT_95 = (
    12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23, 2.20, 2.18, 2.16, 2.14, 2.13,
    2.12, 2.11, 2.10, 2.09, 2.09, 2.08, 2.07, 2.07, 2.06, 2.06, 2.06, 2.05, 2.05, 2.05, 2.04,
)  # fmt: skip
"""Student's t, two-sided, for 1, 2, ... degrees of freedom; for more than 30 hardly less."""


class Spread(NamedTuple):
    deviation: float
    freedom: int
    """Degrees of freedom."""

    def interval(self, *seeds: int) -> float:
        """Half of the 95 % confidence interval of a difference of means of so many seeds each."""
        return STUDENT_95[min(self.freedom, len(STUDENT_95)) - 1] * self.deviation * math.sqrt(sum(1 / n for n in seeds))


def pooled_spread(summaries: List[Summary]) -> Optional[Spread]:
    """Standard deviation between seeds, taken to be the same for all networks; absent if none has two."""
    freedom = sum(len(s.records) - 1 for s in summaries)
    if freedom == 0:
        return None
    squares = sum(statistics.variance(s.accuracies) * (len(s.records) - 1) for s in summaries if len(s.records) > 1)
    return Spread(math.sqrt(squares / freedom), freedom)
