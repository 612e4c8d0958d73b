"""Results of several seeds, taken together."""
from __future__ import annotations

import json
import math
import statistics
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional

from trainer.config import Config, config_from
from trainer.run_folder import what_counts

Record = Dict[str, Any]


class Summary(NamedTuple):
    """One network, over its seeds."""

    name: str
    records: List[Record]

    @property
    def config(self) -> Config:
        """Of the first seed. What was added since stands for its default."""
        return config_from(self.records[0]['config'], self.name)

    @property
    def needs_other(self) -> bool:
        """Trained with the help of another network."""
        return self.config.distill is not None or self.config.pretrained is not None

    @property
    def epochs(self) -> int:
        return int(self.records[0]['epochs'])

    @property
    def macs(self) -> int:
        """Of one image."""
        return int(self.records[0]['macs'])

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
    """By network: most epochs first, of as many the most accurate first. Raises ValueError for records that cannot be averaged."""
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
    return sorted((Summary(name, group) for name, group in groups.items()), key=lambda s: (-s.epochs, -s.mean, s.macs, s.name))


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


def student_95(freedom: float) -> float:
    """For degrees of freedom from 1 on. Those between two of the table's get the lower one's: an interval rather too wide than too narrow."""
    return STUDENT_95[min(int(freedom), len(STUDENT_95)) - 1]


class Spread(NamedTuple):
    deviation: float
    freedom: int
    """Degrees of freedom."""

    def interval(self, *seeds: int) -> float:
        """Half of the 95 % confidence interval of a difference of means of so many seeds each."""
        return student_95(self.freedom) * self.deviation * math.sqrt(sum(1 / n for n in seeds))


def pooled_spread(summaries: List[Summary]) -> Optional[Spread]:
    """Standard deviation between seeds, taken to be the same for all networks; absent if none has two."""
    freedom = sum(len(s.records) - 1 for s in summaries)
    if freedom == 0:
        return None
    squares = sum(statistics.variance(s.accuracies) * (len(s.records) - 1) for s in summaries if len(s.records) > 1)
    return Spread(math.sqrt(squares / freedom), freedom)


def welch_interval(one: Summary, other: Summary) -> Optional[float]:
    """Half of the 95 % confidence interval of the difference of means, each network with a spread of its own (Welch, Satterthwaite).

    Absent where one of them has a single seed, and where neither has any spread.
    """
    if min(len(one.records), len(other.records)) < 2:
        return None
    squares = [(statistics.variance(s.accuracies) / len(s.records), len(s.records) - 1) for s in (one, other)]
    total = sum(square for square, _ in squares)
    if total == 0:
        return None
    freedom = total**2 / sum(square**2 / freedom for square, freedom in squares)
    # At least the smaller one's, whatever rounding made of it.
    return student_95(max(freedom, min(freedom for _, freedom in squares))) * math.sqrt(total)
