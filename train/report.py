#!/usr/bin/env python3
"""Makes of a sweep's results what people read: a table, plots (with matplotlib), and a model card of each network.

    python3 train/report.py train/results/fashion-mnist.jsonl --out train/results/fashion-mnist

Spread is the sample standard deviation over seeds.
"""
from __future__ import annotations

import argparse
import sys
from pathlib import Path

from reporting.plots import plot
from reporting.published import published_files
from reporting.summary import read_results, summarise
from reporting.text import card, page, table


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('results', type=Path, help='a .jsonl file of sweep.py')
    parser.add_argument('--out', type=Path, required=True, metavar='FOLDER', help='where table.md, cards/ and the plots go')
    arguments = parser.parse_args()
    try:
        summaries = summarise(read_results(arguments.results))
    except (OSError, ValueError, LookupError, TypeError) as error:
        print(f'report.py: {arguments.results} cannot be read as the results of sweep.py: {error!r}', file=sys.stderr)
        return 2
    files = published_files()
    cards = arguments.out / 'cards'
    cards.mkdir(parents=True, exist_ok=True)
    (arguments.out / 'table.md').write_text(page(summaries))
    for summary in summaries:
        (cards / f'{summary.name}.md').write_text(card(summary, summaries, files.get(summary.name)))
    if not plot(summaries, arguments.out):
        print('matplotlib is not installed: there are no plots', file=sys.stderr)
    print(table(summaries), end='')
    return 0


if __name__ == '__main__':
    sys.exit(main())
