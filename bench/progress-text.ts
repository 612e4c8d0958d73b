/** A benchmark's progress in words: the steps that a request goes through, and what is going on in one. Pure. */
import { formatBytes } from '../src/page/format.ts';
import type { BenchProgress } from './options.ts';
import type { BenchRequest } from './request.ts';

/** Some phases together, as a person would count them. */
export interface Step {
  readonly title: string;
  readonly phases: readonly BenchProgress['phase'][];
}

interface PossibleStep extends Step {
  isAsked(request: Pick<BenchRequest, 'sections' | 'peers'>): boolean;
}

const STEPS: readonly PossibleStep[] = [
  {
    title: 'Adapter limits',
    phases: ['limits'],
    isAsked: ({ sections }) => sections.some((section) => section === 'adapter' || section === 'layers'),
  },
  {
    title: 'Load',
    phases: ['upload', 'compile', 'first-run'],
    isAsked: ({ sections }) => sections.some((section) => section !== 'adapter'),
  },
  { title: 'Check', phases: ['verify'], isAsked: ({ sections }) => sections.some((section) => section !== 'adapter') },
  { title: 'Other engines', phases: ['download', 'peer'], isAsked: ({ peers }) => peers.length > 0 },
  { title: 'Warm up', phases: ['warm-up'], isAsked: ({ sections }) => sections.includes('times') },
  { title: 'Measure', phases: ['measure'], isAsked: ({ sections }) => sections.includes('times') },
  { title: 'Layers', phases: ['layers'], isAsked: ({ sections }) => sections.includes('layers') },
  { title: 'Scaling', phases: ['scaling'], isAsked: ({ sections }) => sections.includes('scaling') },
];

/** What a request will go through, in order. */
export function stepsOf(request: Pick<BenchRequest, 'sections' | 'peers'>): Step[] {
  return STEPS.filter((step) => step.isAsked(request));
}

export interface ProgressText {
  /** Changes when something else begins, not with every number: it is read out. */
  readonly title: string;
  readonly detail: string;
  readonly done?: number;
  readonly total?: number;
}

/** Weights and kernels of a network come at the same time: what was last said of both stays in sight. */
export class ProgressWords {
  #label = '';
  #upload = '';
  #compile = '';

  describe({ phase, label, done, total }: BenchProgress): ProgressText {
    if (label !== this.#label) [this.#label, this.#upload, this.#compile] = [label, '', ''];
    const counts = done === undefined || total === undefined ? {} : { done, total };
    const nth = done === undefined || total === undefined ? '' : `${Math.min(done + 1, total)} of ${total}`;
    switch (phase) {
      case 'limits':
        return { title: 'Measuring the adapter itself', detail: label, ...counts };
      case 'upload':
        this.#upload = `weights made and uploaded: ${formatBytes(done ?? 0)} of ${formatBytes(total ?? 0)}`;
        return { title: `Loading ${label}`, detail: this.#loading, ...counts };
      case 'compile':
        this.#compile = `kernels compiled: ${done} of ${total}`;
        return { title: `Loading ${label}`, detail: this.#loading, ...counts };
      case 'first-run':
        return { title: `Running ${label} for the first time`, detail: '' };
      case 'verify':
        return {
          title: `Checking ${label} against the CPU reference`,
          detail: 'plain loops in double precision: ten seconds or so for a large network',
        };
      case 'download':
        return { title: `Downloading ${label}`, detail: 'the library and its WebAssembly, from this page’s own server' };
      case 'peer':
        return { title: 'Loading and checking other engines', detail: `${label} · ${nth}`, ...counts };
      case 'warm-up':
        return {
          title: 'Warming up',
          detail: `${label} · run ${done === undefined ? '' : done + 1}, ${total} at most`,
          ...counts,
        };
      case 'measure':
        return { title: 'Measuring in turns', detail: `${label} · run ${nth}`, ...counts };
      case 'layers':
        return { title: 'Measuring each dispatch alone', detail: `${label} · ${nth}`, ...counts };
      case 'scaling':
        return { title: 'Measuring larger inputs', detail: `${label} · ${nth}`, ...counts };
    }
  }

  get #loading(): string {
    return [this.#upload, this.#compile].filter(Boolean).join(' · ');
  }
}
