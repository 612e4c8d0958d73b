#!/usr/bin/env python3
"""Makes of a sweep's results what people read: a table, plots (with matplotlib), and a model card of each network.

    python3 train/report.py train/results/fashion-mnist.jsonl --out train/results/fashion-mnist

Spread is the sample standard deviation over seeds.
"""
from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional

from trainer.config import config_from
from trainer.run_folder import what_counts

Record = Dict[str, Any]

QUESTIONS = [
    ('CompConv16 instead of plain convolutions', 'plain', 'compconv16'),
    ('CompConv16 instead of narrower plain layers', 'narrow', 'compconv16'),
    ('CompConv16 instead of Ghost modules', 'ghost', 'compconv16'),
    ('BatchNorm and ReLU inside the modules, instead of linear ones', 'compconv16', 'compconv16-bn-relu'),
    ('heavier: C_0 = 8 instead of 16', 'compconv16', 'compconv8'),
    ('lighter: C_0 = 32 instead of 16', 'compconv16', 'compconv32'),
    ('no shuffle instead of two groups', 'compconv16', 'compconv16-no-shuffle'),
    ('identity slices shallowest first instead of deepest first', 'compconv16', 'compconv16-slices-reversed'),
    ('depths by measured time instead of C_0 = 16', 'compconv16', 'searched'),
    ('taught by the plain network', 'compconv16', 'compconv16-distilled'),
    ('CompConv16 instead of narrower plain layers, both taught', 'narrow-distilled', 'compconv16-distilled'),
    ('CompConv16 instead of Ghost modules, both taught', 'ghost-distilled', 'compconv16-distilled'),
    ('three epochs from fitted weights instead of random ones', 'compconv16-short', 'compconv16-short-fitted'),
    ('twice as wide: CompConv32 instead of plain convolutions', 'wide', 'wide-compconv32'),
    ('twice as wide: CompConv32 instead of narrower plain layers', 'wide-narrow', 'wide-compconv32'),
    ('CompConv128 in ResNet18', 'resnet18', 'resnet18-compconv128'),
    ('CompConv128 in ResNet50', 'resnet50', 'resnet50-compconv128'),
    ('float32 instead of bf16, plain', 'plain', 'plain-f32'),
    ('float32 instead of bf16, CompConv16', 'compconv16', 'compconv16-f32'),
]
"""What the experiments of `sweep.py` were made to find out: what is changed, from which network, to which."""


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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('results', type=Path, help='a .jsonl file of sweep.py')
    parser.add_argument('--out', type=Path, required=True, metavar='FOLDER', help='where table.md, cards/ and the plots go')
    arguments = parser.parse_args()
    try:
        summaries = summarise([json.loads(line) for line in arguments.results.read_text().splitlines() if line.strip()])
    except (OSError, ValueError, LookupError, TypeError) as error:
        print(f'report.py: {arguments.results} cannot be read as the results of sweep.py: {error!r}', file=sys.stderr)
        return 2
    cards = arguments.out / 'cards'
    cards.mkdir(parents=True, exist_ok=True)
    (arguments.out / 'table.md').write_text(page(summaries))
    for summary in summaries:
        (cards / f'{summary.name}.md').write_text(card(summary))
    if not plot(summaries, arguments.out):
        print('matplotlib is not installed: there are no plots', file=sys.stderr)
    print(table(summaries), end='')
    return 0


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


def page(summaries: List[Summary]) -> str:
    """The table and the plot, with links to the model cards; markdown."""
    linked = table(summaries)
    for s in summaries:
        linked = linked.replace(f'| {s.name} |', f'| [{s.name}](cards/{s.name}.md) |')
    return f'''# Results

Test accuracy after the last epoch, mean and sample standard deviation over seeds, best first in the plot. Names are those of `sweep.py`.

{linked}
![Test accuracy against multiply-accumulates](accuracy-macs.png)
{differences(summaries)}'''


def table(summaries: List[Summary]) -> str:
    lines = ['| network | test accuracy | seeds | MACs | parameters |', '|---|---:|---:|---:|---:|']
    for s in summaries:
        first = s.records[0]
        lines.append(f'| {s.name} | {s.accuracy} | {len(s.records)} | {first["macs"]:,} | {first["params"]:,} |')
    return '\n'.join(lines) + '\n'


def differences(summaries: List[Summary]) -> str:
    """What the networks differ by, as far as the seeds can tell; markdown, empty where nothing can be said."""
    spread = pooled_spread(summaries)
    by_name = {s.name: s for s in summaries}
    pairs = [(question, by_name[before], by_name[after]) for question, before, after in QUESTIONS if before in by_name and after in by_name]
    if spread is None or not pairs:
        return ''
    interval = STUDENT_95[min(spread.freedom, len(STUDENT_95)) - 1] * spread.deviation
    rows = []
    for question, *pair in pairs:
        points = 100 * (pair[1].mean - pair[0].mean)
        error = 100 * interval * math.sqrt(sum(1 / len(s.records) for s in pair))
        if all(len(s.records) == 1 for s in pair):
            rows.append(f'| {question} | {points:+.2f} | one seed each |\n')
        else:
            rows.append(f'| {question} | {points:+.2f} ± {error:.2f} | {"yes" if abs(points) > error else "no"} |\n')
    return f'''
## What makes a difference

From seed to seed the accuracy of one and the same network varies by {100 * spread.deviation:.2f} points (standard deviation, pooled over all
networks with several seeds, {spread.freedom} degrees of freedom). From that come the 95 % confidence intervals of the differences, by Student's t. Of
twenty differences that are none, one comes out as beyond chance.

| what is changed | points | beyond chance |
|---|---:|---|
{"".join(rows)}'''


STUDENT_95 = (
    12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23, 2.20, 2.18, 2.16, 2.14, 2.13,
    2.12, 2.11, 2.10, 2.09, 2.09, 2.08, 2.07, 2.07, 2.06, 2.06, 2.06, 2.05, 2.05, 2.05, 2.04,
)  # fmt: skip
"""Student's t, two-sided, for 1, 2, ... degrees of freedom; for more than 30 hardly less."""


class Spread(NamedTuple):
    deviation: float
    freedom: int


def pooled_spread(summaries: List[Summary]) -> Optional[Spread]:
    """Standard deviation between seeds, taken to be the same for all networks; absent if none has two."""
    freedom = sum(len(s.records) - 1 for s in summaries)
    if freedom == 0:
        return None
    squares = sum(statistics.variance(s.accuracies) * (len(s.records) - 1) for s in summaries if len(s.records) > 1)
    return Spread(math.sqrt(squares / freedom), freedom)


def card(summary: Summary) -> str:
    """A model card, in markdown."""
    first = summary.records[0]
    config = first['config']
    data, network, train, distill = (config[key] for key in ('data', 'network', 'train', 'distill'))
    count = len(summary.records)
    seeds = ', '.join(str(record['seed']) for record in summary.records)
    each = ', '.join(f'{100 * accuracy:.2f} %' for accuracy in summary.accuracies)
    accuracy = f'{each} (seed {seeds})' if count == 1 else f'{summary.accuracy}, mean and sample standard deviation of {count} seeds ({seeds}): {each}'
    options = ', '.join(f'{key} = {json.dumps(value)}' for key, value in network.items() if value not in (None, False))
    augmentation = [f'random crop after zero padding by {data["pad"]}'] if data['pad'] else []
    augmentation += ['random horizontal flip'] if data['flip'] else []
    steps = f', times {train["gamma"]:g} after epochs {_numbers(train["milestones"])}' if train['schedule'] == 'step' else ''
    schedule = train['schedule'] + steps + (f' after {train["warmup_epochs"]:g} epoch(s) of linear warm-up' if train['warmup_epochs'] else '')
    sum_ = first['images'] * len(summary.records)
    worst = sorted(
        ((cell / sum(row), i, j) for i, row in enumerate(summary.confusion) for j, cell in enumerate(row) if i != j and any(row)), reverse=True
    )[:3]
    classes = first['classes']
    taught = (
        ''
        if distill is None
        else f'\n- Distillation: teacher `{distill["teacher"]}`, weight {distill["weight"]:g}, temperature {distill["temperature"]:g}'
    )
    pretrained = config.get('pretrained')
    start = '' if pretrained is None else f'\n- Start: `{pretrained["weights"]}`; modules fitted on {pretrained["images"]} images where it is the plain twin'
    device = f'{first["device"]}, {first["processes"]} process(es), {first["threads"]} thread(s), PyTorch {first["torch"]}'
    return f'''# {summary.name}

An image classifier: {options}.

- Test accuracy: {accuracy}
- Cost of one image: {first["macs"]:,} multiply-accumulates (convolutions and linear layers); {first["params"]:,} parameters

## Data
{_data_text(data, first)} Classes: {", ".join(classes)}.
Input = (pixel / 255 - mean) / std with mean {_numbers(data["mean"])} and std {_numbers(data["std"])}.
Accuracy is that of the last epoch on the whole test set; the test set was not used to choose anything within a run.

![Confusion matrix](../confusion-{summary.name}.png)

## Recipe
- {train["epochs"]} epochs of SGD, batch {train["batch_size"]}, momentum {train["momentum"]:g}{" (Nesterov)" if train["nesterov"] else ""}, weight decay {train["weight_decay"]:g}
- Learning rate {train["lr"]:g}, {schedule}; label smoothing {train["label_smoothing"]:g}
- Augmentation: {", ".join(augmentation) or "none"}
- Precision {train["precision"]}; tested in float32{taught}{start}
- Trained on {device}; {statistics.mean(record["seconds"] for record in summary.records) / 60:.0f} minutes a run

## Limits
- Made to compare networks, on one data set of small images; nothing is known of its answers to other images, and it always gives one of its classes.
- Most frequent confusions, of {sum_:,} answers over all seeds: {"; ".join(f"{classes[i]} taken for {classes[j]} ({100 * share:.1f} % of {classes[i]})" for share, i, j in worst)}.
- {"One seed: another one would give another accuracy" if count == 1 else f"{count} seeds: differences of the order of the spread say nothing"}.

## Licence
The weights and the code that made them: MIT, as the project. {_licence(data)}
'''


def _is_fashion_mnist(data: Dict[str, Any]) -> bool:
    return data['kind'] == 'idx' and 'Ankle boot' in (data['labels'] or [])


def _data_text(data: Dict[str, Any], record: Record) -> str:
    name = 'Fashion-MNIST (Zalando)' if _is_fashion_mnist(data) else f'Files of kind `{data["kind"]}`'
    return f'{name}, {record["images"]:,} test images, inputs of {data["size"]} x {data["size"]}.'


def _licence(data: Dict[str, Any]) -> str:
    return 'Fashion-MNIST is by Zalando SE, MIT.' if _is_fashion_mnist(data) else "The data have their owners' terms."


def _numbers(values: List[float]) -> str:
    return ', '.join(f'{value:g}' for value in values)


def plot(summaries: List[Summary], folder: Path) -> bool:
    """Accuracy against MACs, and the confusion matrix of each network; False where there is no matplotlib."""
    try:
        import matplotlib
    except ImportError:
        return False
    matplotlib.use('Agg')
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(9, 5.5), layout='constrained')
    # Many networks cost the same: a legend has room for names that would lie on each other.
    for i, s in enumerate(sorted(summaries, key=lambda each: -each.mean)):
        x, y = s.records[0]['macs'] / 1e6, 100 * s.mean
        axes.errorbar(x, y, yerr=100 * (s.spread or 0), fmt='os^Dv'[i // 10 % 5], color=f'C{i % 10}', capsize=3, label=f'{s.name}: {s.accuracy}')
    axes.set_xscale('log')
    axes.xaxis.set_major_formatter('{x:g}')
    axes.xaxis.set_minor_formatter('{x:g}')
    axes.tick_params(axis='x', which='minor', labelsize=7)
    axes.set_xlabel('multiply-accumulates of one image, millions')
    axes.set_ylabel('test accuracy, %; bars: sample standard deviation')
    axes.grid(alpha=0.3, which='both')
    axes.legend(loc='upper left', bbox_to_anchor=(1.01, 1), fontsize=8)
    figure.savefig(folder / 'accuracy-macs.png', dpi=120)
    pyplot.close(figure)

    for s in summaries:
        classes = s.records[0]['classes']
        shares = [[cell / max(sum(row), 1) for cell in row] for row in s.confusion]
        side = 2 + 0.5 * len(classes)
        figure, axes = pyplot.subplots(figsize=(side + 1, side), layout='constrained')
        axes.imshow(shares, cmap='Blues', vmin=0, vmax=1)
        for i, row in enumerate(shares):
            for j, share in enumerate(row):
                if len(classes) <= 20 and share >= 0.001:
                    axes.text(j, i, f'{100 * share:.1f}', ha='center', va='center', fontsize=7, color='white' if share > 0.5 else 'black')
        if len(classes) <= 20:
            axes.set_xticks(range(len(classes)), classes, rotation=45, ha='right')
            axes.set_yticks(range(len(classes)), classes)
        axes.set_xlabel('answer, % of the class')
        axes.set_ylabel('class')
        axes.set_title(f'{s.name}: {s.accuracy}')
        figure.savefig(folder / f'confusion-{s.name}.png', dpi=100)
        pyplot.close(figure)
    return True


if __name__ == '__main__':
    sys.exit(main())
