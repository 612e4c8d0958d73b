"""Pictures, by matplotlib."""
from __future__ import annotations

from pathlib import Path
from typing import List

from .summary import Summary


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
