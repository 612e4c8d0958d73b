/**
 * A network layer by layer beside its plain twin: what each layer of the graph costs by formula and, where the dispatches
 * were measured, what it took. A layer's dispatches are summed up; what belongs to no layer comes last. Pure arithmetic.
 */
import type { BenchResult, GraphLayer, LayerResult } from '../report.ts';
import { FLOPS_PER_MAC, gigaPerSecond } from '../roofline.ts';

/** What was measured of a layer: its dispatches one after the other. */
export interface MeasuredLayer {
  readonly dispatches: number;
  /** How many by kernel, in the order of the plan. */
  readonly kernels: ReadonlyMap<string, number>;
  readonly bytes: number;
  readonly timeMs: number;
  readonly gflopPerS: number;
  readonly gbPerS: number;
  readonly rooflineShare: number;
}

/** A layer of one network. */
export interface LayerSide {
  readonly macs: number;
  readonly depth?: number;
  readonly measured?: MeasuredLayer;
}

/** A layer of a network and of its plain twin; a side is absent where that network has no such layer. */
export interface LayerPair {
  readonly name: string;
  /** Absent for the dispatches that belong to no layer. */
  readonly layer?: GraphLayer;
  readonly plain?: LayerSide;
  readonly own?: LayerSide;
  /** How many times as fast as the plain layer, where both were measured. */
  readonly speedUp?: number;
}

export const BETWEEN_LAYERS = 'between layers';

/** In the order of the graph. @param plain the twin; without one, `own` alone */
export function pairLayers(plain: BenchResult | undefined, own: BenchResult): LayerPair[] {
  const plainSides = plain ? sidesOf(plain) : new Map<string, LayerSide>();
  const ownSides = sidesOf(own);
  const layers = new Map([...(plain?.graphLayers ?? []), ...own.graphLayers].map((layer) => [layer.name, layer]));
  const names = new Set([...ownSides.keys(), ...plainSides.keys()].filter((name) => name !== BETWEEN_LAYERS));
  return [...names, BETWEEN_LAYERS].flatMap((name): LayerPair[] => {
    const [plainSide, ownSide, layer] = [plainSides.get(name), ownSides.get(name), layers.get(name)];
    if (!plainSide && !ownSide) return [];
    const [plainMs, ownMs] = [plainSide?.measured?.timeMs, ownSide?.measured?.timeMs];
    return [
      {
        name,
        ...(layer && { layer }),
        ...(plainSide && { plain: plainSide }),
        ...(ownSide && { own: ownSide }),
        ...(plainMs !== undefined && ownMs !== undefined && { speedUp: plainMs / ownMs }),
      },
    ];
  });
}

function sidesOf({ graphLayers, layers }: BenchResult): Map<string, LayerSide> {
  const known = new Set(graphLayers.map(({ name }) => name));
  const byLayer = new Map<string, LayerResult[]>();
  for (const dispatch of [...(layers?.dispatches ?? [])].sort((a, b) => a.index - b.index)) {
    const name = known.has(dispatch.layer) ? dispatch.layer : BETWEEN_LAYERS;
    byLayer.set(name, [...(byLayer.get(name) ?? []), dispatch]);
  }
  const sides = new Map<string, LayerSide>();
  for (const { name, macs, depth } of graphLayers) {
    const own = byLayer.get(name);
    sides.set(name, { macs, ...(depth !== undefined && { depth }), ...(own && { measured: measuredLayer(own, macs) }) });
  }
  const rest = byLayer.get(BETWEEN_LAYERS);
  if (rest) {
    const macs = sum(rest, (dispatch) => dispatch.macs);
    sides.set(BETWEEN_LAYERS, { macs, measured: measuredLayer(rest, macs) });
  }
  return sides;
}

/** @param macs by the layer's formula: what its dispatches compute beside it is not counted */
function measuredLayer(dispatches: readonly LayerResult[], macs: number): MeasuredLayer {
  const kernels = new Map<string, number>();
  for (const { kernel } of dispatches) kernels.set(kernel, (kernels.get(kernel) ?? 0) + 1);
  const timeMs = sum(dispatches, (dispatch) => dispatch.timeMs.median);
  const bytes = sum(dispatches, (dispatch) => dispatch.bytes);
  return {
    dispatches: dispatches.length,
    kernels,
    bytes,
    timeMs,
    gflopPerS: gigaPerSecond(macs * FLOPS_PER_MAC, timeMs),
    gbPerS: gigaPerSecond(bytes, timeMs),
    rooflineShare: sum(dispatches, (dispatch) => dispatch.rooflineMs) / timeMs,
  };
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
