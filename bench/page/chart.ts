/**
 * Charts by Observable Plot, which is loaded when the first one is drawn. A chart is drawn for the width that it has, anew
 * when that changes; its label says what it shows, and a table beside it has the numbers.
 */
import type { PlotOptions } from '@observablehq/plot';
import { element } from '../../src/page/dom.ts';
import { formatCount } from '../../src/page/format.ts';
import { messageOf } from '../../src/page/problems.ts';

export type PlotModule = typeof import('@observablehq/plot');

export interface Chart {
  readonly title: string;
  /** The finding, for who does not see it. */
  readonly label: string;
  /** Colours and what they stand for. */
  readonly legend?: readonly { readonly text: string; readonly color: string }[];
  /** Higher than the window: scrolls by itself. */
  readonly isTall?: boolean;
  options(plot: PlotModule, width: number): PlotOptions;
}

/** Digits of an axis must have room whatever the font. */
const FONT = { fontSize: '12px', fontFamily: 'inherit', background: 'transparent', overflow: 'visible' };

/** The figure at once; what is in it as soon as Plot is there. */
export function figure({ title, label, legend = [], isTall = false, options }: Chart): HTMLElement {
  const canvas = element('div', { class: 'chart-canvas', role: 'img', 'aria-label': label });
  const frame = isTall
    ? element('div', { class: 'chart-scroll', tabindex: 0, role: 'region', 'aria-label': title }, canvas)
    : canvas;
  const made = element('figure', { class: 'chart' }, element('figcaption', {}, title), legendList(legend), frame);
  let drawnWidth = 0;
  const draw = async () => {
    const plot = await import('@observablehq/plot');
    const width = Math.floor(canvas.clientWidth);
    if (width === 0 || width === drawnWidth) return;
    drawnWidth = width;
    const svg = plot.plot({ width, style: FONT, ...options(plot, width) });
    svg.setAttribute('aria-hidden', 'true');
    canvas.replaceChildren(svg);
  };
  // Also the first time it has a width at all, such as when a closed part of the page is opened.
  new ResizeObserver(() => {
    draw().catch((error: unknown) => canvas.replaceChildren(`The chart could not be drawn: ${messageOf(error)}`));
  }).observe(canvas);
  return made;
}

function legendList(legend: NonNullable<Chart['legend']>): HTMLElement | undefined {
  if (legend.length === 0) return undefined;
  return element(
    'ul',
    { class: 'legend' },
    ...legend.map(({ text, color }) => {
      const swatch = element('span', { class: 'swatch', 'aria-hidden': 'true' });
      swatch.style.setProperty('--swatch', color);
      return element('li', {}, swatch, text);
    }),
  );
}

/** Numbers so far apart that equal steps would hide the small ones. */
export function needsLog(values: readonly number[], ratio = 12): boolean {
  const positive = values.filter((value) => value > 0);
  return positive.length > 1 && Math.max(...positive) / Math.min(...positive) > ratio;
}

/** 1, 2, 5, 10, …, with some room at both ends. */
export function logAxis(values: readonly number[]) {
  const isLabelled = (value: number) => /^[125]0*$/.test(String(value).replace(/^0\.0*/, ''));
  return {
    domain: [Math.min(...values) * 0.7, Math.max(...values) * 1.3],
    ticks: 5,
    tickFormat: (value: number) => (isLabelled(value) ? formatCount(value) : ''),
  };
}
