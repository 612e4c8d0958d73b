"""Tables and model cards, in markdown."""
from __future__ import annotations

import json
from typing import Any, Dict, List

from .summary import Record, Summary, pooled_spread

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
    rows = []
    for question, *pair in pairs:
        points = 100 * (pair[1].mean - pair[0].mean)
        error = 100 * spread.interval(*(len(s.records) for s in pair))
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


def card(summary: Summary) -> str:
    """A model card, in markdown."""
    first = summary.records[0]
    config = first['config']
    data, network, train, distill = (config[key] for key in ('data', 'network', 'train', 'distill'))
    count = len(summary.records)
    seeds = ', '.join(str(record['seed']) for record in summary.records)
    each = ', '.join(f'{100 * accuracy:.2f} %' for accuracy in summary.accuracies)
    accuracy = f'{each} (seed {seeds})' if count == 1 else f'{summary.accuracy}, mean and sample standard deviation of {count} seeds ({seeds}): {each}'
    clip = train.get('clip_norm')
    clipping = '' if clip is None else f'; gradients no longer than {clip:g}'
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
- Learning rate {train["lr"]:g}, {schedule}; label smoothing {train["label_smoothing"]:g}{clipping}
- Augmentation: {", ".join(augmentation) or "none"}
- Precision {train["precision"]}; tested in float32{taught}{start}
- Trained on {device}; {min(record["seconds"] for record in summary.records) / 60:.0f} minutes for the fastest run

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
