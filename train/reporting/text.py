"""Tables and model cards, in markdown."""
from __future__ import annotations

import dataclasses
import json
from typing import Any, Dict, List, Optional, Sequence

from compconv.engine_file import metadata_of
from compconv.networks import MODULE_OPTIONS, NetworkOptions
from trainer.config import DataConfig

from .published import PublishedFile
from .summary import Record, Summary, pooled_spread, welch_interval

QUESTIONS = [
    ('CompConv16 instead of plain convolutions', 'plain', 'compconv16'),
    ('CompConv16 instead of narrower plain layers', 'narrow', 'compconv16'),
    ('CompConv16 instead of Ghost modules', 'ghost', 'compconv16'),
    ('BatchNorm and ReLU inside the modules, instead of linear ones', 'compconv16', 'compconv16-bn-relu'),
    ('heavier: C_0 = 8 instead of 16', 'compconv16', 'compconv8'),
    ('lighter: C_0 = 32 instead of 16', 'compconv16', 'compconv32'),
    ('no shuffle instead of two groups', 'compconv16', 'compconv16-no-shuffle'),
    ('identity slices shallowest first instead of deepest first', 'compconv16', 'compconv16-slices-reversed'),
    ('identity slices averaged by the stride instead of subsampled', 'compconv16', 'compconv16-slices-averaged'),
    ('depths by measured time instead of C_0 = 16', 'compconv16', 'searched'),
    ('taught by the plain network', 'compconv16', 'compconv16-distilled'),
    ('CompConv16 instead of narrower plain layers, both taught', 'narrow-distilled', 'compconv16-distilled'),
    ('CompConv16 instead of Ghost modules, both taught', 'ghost-distilled', 'compconv16-distilled'),
    ('three epochs from fitted weights instead of random ones', 'compconv16-short', 'compconv16-short-fitted'),
    ('30 epochs instead of 10, plain', 'plain', 'plain-long'),
    ('30 epochs instead of 10, CompConv16', 'compconv16', 'compconv16-long'),
    ('30 epochs: CompConv16 instead of plain convolutions', 'plain-long', 'compconv16-long'),
    ('30 epochs: CompConv16 instead of narrower plain layers', 'narrow-long', 'compconv16-long'),
    ('30 epochs: CompConv16 instead of Ghost modules', 'ghost-long', 'compconv16-long'),
    ('30 epochs: taught by the plain network', 'compconv16-long', 'compconv16-distilled-long'),
    ('twice as wide: CompConv32 instead of plain convolutions', 'wide', 'wide-compconv32'),
    ('twice as wide: CompConv32 instead of narrower plain layers', 'wide-narrow', 'wide-compconv32'),
    ('CompConv128 in ResNet18', 'resnet18', 'resnet18-compconv128'),
    ('CompConv128 in ResNet50', 'resnet50', 'resnet50-compconv128'),
    ('float32 instead of bf16, plain', 'plain', 'plain-f32'),
    ('float32 instead of bf16, CompConv16', 'compconv16', 'compconv16-f32'),
]
"""What the experiments of `sweep.py` were made to find out: what is changed, from which network, to which."""


def page(summaries: List[Summary]) -> str:
    """The table and the plot, with links to the model cards; markdown."""
    linked = table(summaries)
    for s in summaries:
        linked = linked.replace(f'| {s.name} |', f'| [{s.name}](cards/{s.name}.md) |')
    return f'''# Results

Test accuracy after the last epoch, mean and sample standard deviation over seeds. Most epochs first, of as many the most accurate first: compare
what was trained for as long. Names are those of `sweep.py`.

{linked}
![Test accuracy against multiply-accumulates](accuracy-macs.png)
{differences(summaries)}'''


def table(summaries: List[Summary]) -> str:
    lines = ['| network | epochs | test accuracy | seeds | MACs | parameters |', '|---|---:|---:|---:|---:|---:|']
    for s in summaries:
        lines.append(f'| {s.name} | {s.epochs} | {s.accuracy} | {len(s.records)} | {s.macs:,} | {s.records[0]["params"]:,} |')
    return '\n'.join(lines) + '\n'


def differences(summaries: List[Summary]) -> str:
    """What the networks differ by, as far as the seeds can tell; markdown, empty where nothing can be said."""
    spread = pooled_spread(summaries)
    by_name = {s.name: s for s in summaries}
    pairs = [(question, by_name[before], by_name[after]) for question, before, after in QUESTIONS if before in by_name and after in by_name]
    if spread is None or not pairs:
        return ''
    rows = []
    for question, before, after in pairs:
        points = 100 * (after.mean - before.mean)
        cost = 'same' if after.macs == before.macs else f'x {after.macs / before.macs:.2f}'
        if len(before.records) == len(after.records) == 1:
            rows.append(f'| {question} | {cost} | {points:+.2f} |  | one seed each |\n')
            continue
        error = 100 * spread.interval(len(before.records), len(after.records))
        own = welch_interval(before, after)
        own_text = '' if own is None else f'{points:+.2f} ± {100 * own:.2f}'
        verdict = _beyond_chance(abs(points) > error, own is not None and abs(points) > 100 * own)
        rows.append(f'| {question} | {cost} | {points:+.2f} ± {error:.2f} | {own_text} | {verdict} |\n')
    spreads = [(s.spread, s.name) for s in summaries if s.spread is not None]
    least, most = min(spreads), max(spreads)
    return f'''
## What makes a difference

From seed to seed the accuracy of one and the same network varies by {100 * spread.deviation:.2f} points (standard deviation, pooled over all
networks with several seeds, {spread.freedom} degrees of freedom). The first 95 % confidence intervals take that for the spread of every network
(Student's t), though single ones vary by {100 * least[0]:.2f} ({least[1]}) to {100 * most[0]:.2f} points ({most[1]}); the second ones take the spread of
the two networks' own seeds (Welch's t), which are so few that the intervals are wide, and with a single one there is none. "Yes" is what both say;
of twenty differences that are none, each takes one to be beyond chance.

MACs are those after the change over those before: where they differ, so may the accuracy for that alone.

| what is changed | MACs | points, one spread for all | points, each its own spread | beyond chance |
|---|---:|---:|---:|---|
{"".join(rows)}'''


def _beyond_chance(by_pooled: bool, by_own: bool) -> str:
    if by_pooled == by_own:
        return 'yes' if by_own else 'no'
    return 'only with one spread for all' if by_pooled else 'only with its own spread for each'


def card(summary: Summary, summaries: Sequence[Summary] = (), file: Optional[PublishedFile] = None) -> str:
    """A model card, in markdown, with a look at the other networks of `summaries`; `file` is what is published of it."""
    first = summary.records[0]
    config = summary.config
    data, train, distill, pretrained = config.data, config.train, config.distill, config.pretrained
    count = len(summary.records)
    seeds = ', '.join(str(record['seed']) for record in summary.records)
    each = ', '.join(f'{100 * accuracy:.2f} %' for accuracy in summary.accuracies)
    accuracy = f'{each} (seed {seeds})' if count == 1 else f'{summary.accuracy}, mean and sample standard deviation of {count} seeds ({seeds}): {each}'
    clip = train.clip_norm
    clipping = '' if clip is None else f'; gradients no longer than {clip:g}'
    augmentation = ['random resized crop'] if data.kind == 'folder' else []
    augmentation += [f'random crop after zero padding by {data.pad}'] if data.kind == 'idx' and data.pad else []
    augmentation += ['random horizontal flip'] if data.flip else []
    steps = f', times {train.gamma:g} after epochs {_numbers(train.milestones)}' if train.schedule == 'step' else ''
    schedule = train.schedule + steps + (f' after {train.warmup_epochs:g} epoch(s) of linear warm-up' if train.warmup_epochs else '')
    sum_ = first['images'] * len(summary.records)
    worst = sorted(
        ((cell / sum(row), i, j) for i, row in enumerate(summary.confusion) for j, cell in enumerate(row) if i != j and any(row)), reverse=True
    )[:3]
    classes = first['classes']
    taught = (
        ''
        if distill is None
        else f'\n- Distillation: teacher `{distill.teacher}`, weight {distill.weight:g}, temperature {distill.temperature:g}'
    )
    start = '' if pretrained is None else f'\n- Start: `{pretrained.weights}`; modules fitted on {pretrained.images} images where it is the plain twin'
    device = f'{first["device"]}, {first["processes"]} process(es), {first["threads"]} thread(s), PyTorch {first["torch"]}'
    return f'''# {summary.name}

An image classifier: {_options_text(config.network)}.

- Test accuracy: {accuracy}
- Cost of one image: {first["macs"]:,} multiply-accumulates (convolutions and linear layers); {first["params"]:,} parameters{_file_text(summary, file)}

## Data
{_data_text(data, first)}
Classes: {", ".join(classes)}.
Input = (pixel / 255 - mean) / std with mean {_numbers(data.mean)} and std {_numbers(data.std)}.
Accuracy is that of the last epoch on the whole test set; the test set was not used to choose anything within a run.

![Confusion matrix](../confusion-{summary.name}.png)

## Recipe
- {train.epochs} epochs of SGD, batch {train.batch_size}, momentum {train.momentum:g}{" (Nesterov)" if train.nesterov else ""}, weight decay {train.weight_decay:g}
- Learning rate {train.lr:g}, {schedule}; label smoothing {train.label_smoothing:g}{clipping}
- Augmentation: {", ".join(augmentation) or "none"}
- Precision {train.precision}; tested in float32{taught}{start}
- Trained on {device}; {min(record["seconds"] for record in summary.records) / 60:.0f} minutes for the fastest run

## Limits
- Made to compare networks, on one data set, with inputs of {data.size} x {data.size}; nothing is known of its answers to other images, and it always gives one of its classes.{_better_text(summary, summaries)}
- Most frequent confusions, of {sum_:,} answers over all seeds: {"; ".join(f"{classes[i]} taken for {classes[j]} ({100 * share:.1f} % of {classes[i]})" for share, i, j in worst)}.
- {"One seed: another one would give another accuracy" if count == 1 else f"{count} seeds: differences of the order of the spread say nothing"}.

## Licence
The weights and the code that made them: MIT, as the project. {_licence(data)}
'''


def _is_fashion_mnist(data: DataConfig) -> bool:
    return data.kind == 'idx' and 'Ankle boot' in (data.labels or ())


def _options_text(network: NetworkOptions) -> str:
    """Those that have an effect."""
    idle = () if network.is_compressed else MODULE_OPTIONS
    shown = {key: value for key, value in dataclasses.asdict(network).items() if key not in idle and value is not None and value is not False}
    return ', '.join(f'{key} = {f"{value:g}" if isinstance(value, float) else json.dumps(value)}' for key, value in shown.items())


def _not_run(network: NetworkOptions) -> str:
    """Why the engine does not run it; empty if it does."""
    try:
        metadata_of(network)
    except ValueError as error:
        return str(error)
    return ''


def _file_text(summary: Summary, file: Optional[PublishedFile]) -> str:
    why = _not_run(summary.config.network)
    if why:
        return f'\n- There is no file of it: {why}'
    first = summary.records[0]
    # Other results may have a network of that name.
    if file is None or not _is_fashion_mnist(summary.config.data) or any(file.answers[key] != first[key] for key in ('macs', 'params')):
        return ''
    where = '' if file.comes_with_project else ', which `publish.py` makes and which is too large to come with the project'
    right, before = (f'{file.answers[key] / 100:.2f} %' for key in ('correctOf10000', 'trainedCorrectOf10000'))
    return f'\n- File: `{file.path}`{where} (seed 0, F16: {right} of the test images right; before rounding {before})'


def _better_text(summary: Summary, summaries: Sequence[Summary]) -> str:
    """Names the best of those that cost less, also to train, with no more help from other networks, and beat it by more than one spread for all
    explains: one that the engine runs, if there is."""
    spread = pooled_spread([*summaries])

    def is_better(s: Summary) -> bool:
        margin = 0 if spread is None else spread.interval(len(s.records), len(summary.records))
        return (
            s.mean > summary.mean + margin
            and s.macs < summary.macs
            and s.epochs * s.macs <= summary.epochs * summary.macs
            and s.needs_other <= summary.needs_other
        )

    better = [s for s in summaries if is_better(s)]
    if not better:
        return ''
    best = max(better, key=lambda s: (not _not_run(s.config.network), s.mean))
    why = _not_run(best.config.network)
    but = f'; but {why}' if why else ''
    side = summary.config.network.input_shape[2]
    cost = f'{best.macs:,} multiply-accumulates, after {best.epochs} epochs'
    text = f'\n- {best.name} was more accurate on these data and is cheaper: {best.accuracy} with {cost}{but}.'
    if side > summary.config.data.size:
        text += f' {summary.config.network.arch} was made for images of {side} x {side}: on such small ones it serves to show the engine at work on it.'
    return text


def _data_text(data: DataConfig, record: Record) -> str:
    fashion = _is_fashion_mnist(data)
    name = 'Fashion-MNIST (Zalando)' if fashion else f'Files of kind `{data.kind}`'
    limit = data.train_limit
    # How many there are is in no record: of this data set it is known.
    training = f'{min(limit or 60_000, 60_000):,} training images, ' if fashion else f'at most {limit:,} training images, ' if limit else ''
    changes = []
    if data.kind == 'idx' and data.resize is not None:
        changes.append(f'resized{" from 28 x 28" if fashion else ""} to {data.resize} x {data.resize}')
    if data.kind == 'idx' and len(data.mean) > 1:
        changes.append(f'their one channel repeated {len(data.mean)} times')
    changed = f'; images are {", ".join(changes)}' if changes else ''
    return f'{name}: {training}{record["images"]:,} test images, inputs of {data.size} x {data.size}{changed}.'


def _licence(data: DataConfig) -> str:
    return 'Fashion-MNIST is by Zalando SE, MIT.' if _is_fashion_mnist(data) else "The data have their owners' terms."


def _numbers(values: Sequence[float]) -> str:
    return ', '.join(f'{value:g}' for value in values)
