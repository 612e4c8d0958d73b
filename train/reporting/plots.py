"""Pictures, by matplotlib."""
from __future__ import annotations

import math
from pathlib import Path
from typing import List, Tuple

from .summary import Summary


def plot(summaries: List[Summary], folder: Path) -> bool:
    """Accuracy against MACs, and the confusion matrix of each network; False where there is no matplotlib."""
    try:
        import matplotlib
    except ImportError:
        return False
    matplotlib.use('Agg')
    from matplotlib import pyplot

    # Panels by epochs: what was trained for as long is compared.
    groups = [[s for s in summaries if s.epochs == epochs] for epochs in sorted({s.epochs for s in summaries}, reverse=True)]
    rows = [max(len(group), 5) for group in groups]
    size, heights = (10, 1 + 0.28 * sum(rows)), {'height_ratios': rows}
    figure, panels = pyplot.subplots(len(groups), 1, sharex=True, squeeze=False, figsize=size, gridspec_kw=heights, layout='constrained')
    macs = [s.macs / 1e6 for s in summaries]
    # On a logarithmic axis a sideways step is a factor: this one is as wide as a marker.
    step = max(max(macs) / min(macs), 2) ** (1 / 65)
    for axes, group in zip(panels[:, 0], groups):
        for i, (s, aside) in enumerate(zip(group, _aside(group, step))):
            x, y, color = s.macs / 1e6, 100 * s.mean, f'C{i % 10}'
            # Many networks cost the same: a legend has room for names that would lie on each other.
            label = f'{s.name}: {s.accuracy}, {x:.1f} M'
            moved = x * step**aside
            bar = None if s.spread is None else 100 * s.spread
            if aside:
                axes.plot([x, moved], [y, y], ':', color=color, linewidth=1)
            axes.errorbar(moved, y, yerr=bar, fmt='os^Dv'[i // 10 % 5], markersize=5, color=color, capsize=3, label=label)
        axes.set_xscale('log')
        axes.xaxis.set_major_formatter('{x:g}')
        axes.xaxis.set_minor_formatter('{x:g}')
        axes.tick_params(which='both', labelsize=8, length=3)
        axes.margins(y=0.1)
        axes.grid(alpha=0.3, which='both')
        axes.set_title(f'{group[0].epochs} epochs', loc='left', fontsize=10)
        axes.legend(loc='upper left', bbox_to_anchor=(1.01, 1), fontsize=8)
    figure.supxlabel('multiply-accumulates of one image, millions; what would lie on something else is moved aside along a dotted line', fontsize=10)
    figure.supylabel('test accuracy, %; bars: sample standard deviation', fontsize=10)
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


def _aside(group: List[Summary], step: float) -> List[int]:
    """Of each network, by how many steps its marker has to go aside so that it lies on none before it. A step is a factor of MACs."""
    height = max(s.mean + (s.spread or 0) for s in group) - min(s.mean - (s.spread or 0) for s in group)
    taken: List[Tuple[float, float, float]] = []
    result = []
    for s in group:
        # With half a marker.
        half = (s.spread or 0) + 0.02 * height
        low, high = s.mean - half, s.mean + half
        near = [x / s.macs for x, its_low, its_high in taken if its_low < high and its_high > low]
        places = (sign * i for i in range(2 * len(taken) + 2) for sign in (1, -1))
        aside = next((i for i in places if all(abs(math.log(step**i / x)) > 0.99 * math.log(step) for x in near)), 0)
        taken.append((s.macs * step**aside, low, high))
        result.append(aside)
    return result
