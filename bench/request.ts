/**
 * What a person asks a benchmark for: architectures and `C_0`s instead of networks. The page's form, its address and the
 * command line all make one, so that a link repeats a run. Plain data; `README.md` lists the parameters.
 */
import { CompConvError, show } from '../src/errors.ts';
import { shapeOf, withInputShape } from '../src/graph/graph.ts';
import { architectures, createNetwork, type NetworkOptions } from '../src/models/network.ts';
import { schedules, type ScheduleName } from '../src/scheduler/plan.ts';
import { passNames, type PassName } from '../src/scheduler/schedule.ts';
import { dtypes, type Dtype } from '../src/tensor/dtype.ts';
import { sections as allSections, type BenchNetwork, type BenchOptions, type BenchSection } from './options.ts';
import { peerNames, type PeerName } from './peers/peer.ts';

export interface BenchRequest {
  /** Each plain, and with every one of the `c0`. */
  readonly networks: readonly string[];
  /** `C_0` of each CompConv twin; none for the plain networks alone. */
  readonly c0: readonly number[];
  /** Depth by layer; other layers follow the `c0`, or stay plain without one. */
  readonly depths?: Readonly<Record<string, number>>;
  readonly inner?: 'linear' | 'bn-relu';
  readonly shuffleGroups?: number;
  readonly classes?: number;
  /** Absent: what each network was made for. */
  readonly size?: number;
  readonly batch: number;
  readonly runs: number;
  readonly dtype: Dtype;
  readonly schedule: ScheduleName;
  readonly withoutPasses: readonly PassName[];
  readonly forcedPasses: readonly PassName[];
  readonly sections: readonly BenchSection[];
  readonly peers: readonly PeerName[];
  readonly seed: number;
}

export const DEFAULT_REQUEST: BenchRequest = {
  networks: ['resnet50'],
  c0: [128],
  batch: 1,
  runs: 10,
  dtype: 'f32',
  schedule: 'optimized',
  withoutPasses: [],
  forcedPasses: [],
  sections: ['times'],
  peers: [],
  seed: 1,
};

/** `C_0`s of a sweep, as in the paper. */
export const SWEEP_C0: readonly number[] = [32, 64, 128, 256, 512];

/** Larger ones are mistakes. */
const MAX_INTEGER = 2 ** 24;
const MAX_SEED = 2 ** 32 - 1;

/** More would take longer to list than anybody waits, and the rest of the year to measure. */
const MAX_NETWORKS = 500;

/** The networks of a request, each plain one followed by its CompConv twins, which are compared with it. @throws invalid-argument, invalid-graph */
export function requestedNetworks({ networks, c0, depths, inner, shuffleGroups, classes, size }: BenchRequest): BenchNetwork[] {
  const compressions = c0.length > 0 ? c0.map((value) => ({ c0: value })) : depths ? [{}] : [];
  const count = networks.length * (1 + compressions.length);
  if (count > MAX_NETWORKS) throw new CompConvError('invalid-argument', `networks and c0: they make ${count} networks, at most ${MAX_NETWORKS} can be asked for`);
  const nameOf = (options: NetworkOptions) => {
    const graph = createNetwork(options);
    if (size !== undefined) withInputShape(graph, { ...shapeOf(graph, graph.input), h: size, w: size });
    return graph.name;
  };
  return networks.flatMap((arch) => {
    const network: NetworkOptions = { arch, ...(classes !== undefined && { classes }) };
    const plain = { label: nameOf(network), options: network };
    const twins = compressions.map((compression): BenchNetwork => {
      const options = {
        ...network,
        ...compression,
        ...(depths && { depths }),
        ...(inner && { inner }),
        ...(shuffleGroups !== undefined && { shuffleGroups }),
      };
      // The name says of the depths that there are some, unless it has a C_0 to tell.
      const name = nameOf(options);
      return { label: 'c0' in compression && depths ? `${name} with depths` : name, options, baseline: plain.label };
    });
    return [{ ...plain, baseline: plain.label }, ...twins];
  });
}

/** The request as the harness takes it. @throws invalid-argument, invalid-graph */
export function requestedOptions(request: BenchRequest): BenchOptions {
  const { networks: _, c0, depths, inner, shuffleGroups, classes, ...common } = request;
  return { ...common, networks: requestedNetworks(request) };
}

/** The address's parameters of a request; what is as it would be anyway is left out. */
export function toSearchParams(request: BenchRequest): URLSearchParams {
  const params = new URLSearchParams();
  for (const [name, { print }] of entriesOf(PARAMETERS)) {
    const text = print(request);
    if (text !== undefined && text !== print(DEFAULT_REQUEST)) params.set(name, text);
  }
  return params;
}

/** Names of the parameters. */
export type ParameterName = keyof typeof PARAMETERS;

/** Reads one parameter. @param calledAs what to call it in messages. @throws invalid-argument */
export function parseParameter(name: ParameterName, text: string, calledAs: string = name): Partial<BenchRequest> {
  return PARAMETERS[name].parse(text, calledAs);
}

/** Reads an address's parameters; unknown ones are somebody else's. @throws invalid-argument naming the parameter and what it may be */
export function fromSearchParams(params: URLSearchParams): BenchRequest {
  const parts = entriesOf(PARAMETERS).map(([name, { parse }]) => {
    const text = params.get(name);
    return text === null ? {} : parse(text, name);
  });
  return Object.assign({}, DEFAULT_REQUEST, ...parts) as BenchRequest;
}

/** Whether the address asks for a run right away. */
export function isAutostart(params: URLSearchParams): boolean {
  const value = params.get('autostart');
  return value !== null && !['0', 'false'].includes(value);
}

interface Parameter {
  parse(text: string, name: string): Partial<BenchRequest>;
  /** Undefined where the request has no such part. */
  print(request: BenchRequest): string | undefined;
}

const PARAMETERS = {
  networks: {
    parse: (text, name) => ({ networks: choices(text, name, architectures, 1) }),
    print: ({ networks }) => networks.join(','),
  },
  c0: {
    parse: (text, name) => ({ c0: list(text).map((item) => number(item, name)) }),
    print: ({ c0 }) => c0.join(','),
  },
  depths: {
    parse: (text, name) => ({ depths: depthMap(text, name) }),
    print: ({ depths }) => depths && JSON.stringify(depths),
  },
  inner: {
    parse: (text, name) => ({ inner: choice(text, name, ['linear', 'bn-relu'] as const) }),
    print: ({ inner }) => inner,
  },
  groups: {
    parse: (text, name) => ({ shuffleGroups: integer(text, name) }),
    print: ({ shuffleGroups }) => shuffleGroups?.toString(),
  },
  classes: { parse: (text, name) => ({ classes: integer(text, name) }), print: ({ classes }) => classes?.toString() },
  size: { parse: (text, name) => ({ size: integer(text, name) }), print: ({ size }) => size?.toString() },
  batch: { parse: (text, name) => ({ batch: integer(text, name) }), print: ({ batch }) => String(batch) },
  runs: { parse: (text, name) => ({ runs: integer(text, name) }), print: ({ runs }) => String(runs) },
  dtype: { parse: (text, name) => ({ dtype: choice(text, name, dtypes) }), print: ({ dtype }) => dtype },
  schedule: { parse: (text, name) => ({ schedule: choice(text, name, schedules) }), print: ({ schedule }) => schedule },
  without: {
    parse: (text, name) => ({ withoutPasses: choices(text, name, passNames) }),
    print: ({ withoutPasses }) => withoutPasses.join(','),
  },
  force: {
    parse: (text, name) => ({ forcedPasses: choices(text, name, passNames) }),
    print: ({ forcedPasses }) => forcedPasses.join(','),
  },
  sections: {
    parse: (text, name) => ({ sections: choices(text, name, allSections, 1) }),
    print: ({ sections }) => sections.join(','),
  },
  peers: { parse: (text, name) => ({ peers: choices(text, name, peerNames) }), print: ({ peers }) => peers.join(',') },
  seed: { parse: (text, name) => ({ seed: integer(text, name, 0, MAX_SEED) }), print: ({ seed }) => String(seed) },
} satisfies Record<string, Parameter>;

function entriesOf(parameters: Record<string, Parameter>): [string, Parameter][] {
  return Object.entries(parameters);
}

const wrong = (name: string, expected: string, text: string) =>
  new CompConvError('invalid-argument', `${name}: must be ${expected}, got ${show(text)}`);

function list(text: string): string[] {
  return text.split(',').flatMap((item) => item.trim() || []);
}

function choice<T extends string>(text: string, name: string, known: readonly T[]): T {
  const found = known.find((item) => item === text.trim());
  if (found === undefined) throw wrong(name, `one of ${known.join(', ')}`, text);
  return found;
}

/** Each once, in the order given. */
function choices<T extends string>(text: string, name: string, known: readonly T[], atLeast = 0): T[] {
  const items = list(text);
  if (items.length < atLeast) throw wrong(name, `at least one of ${known.join(', ')}`, text);
  return [...new Set(items.map((item) => choice(item, name, known)))];
}

function integer(text: string, name: string, min = 1, max = MAX_INTEGER): number {
  const value = /^\d+$/.test(text.trim()) ? Number(text) : NaN;
  if (!(value >= min && value <= max)) throw wrong(name, `an integer from ${min} to ${max}`, text);
  return value;
}

function number(text: string, name: string): number {
  const value = Number(text);
  if (!(value > 0 && Number.isFinite(value))) throw wrong(name, 'numbers above 0', text);
  return value;
}

/** What depths are allowed where is the network's to check. */
function depthMap(text: string, name: string): Record<string, number> {
  const expected = 'a JSON object, layer name to depth, such as {"layer4.2.conv2":3}';
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw wrong(name, expected, text);
  }
  const isMap = typeof value === 'object' && value !== null && !Array.isArray(value);
  if (!isMap || !Object.values(value as object).every((depth) => Number.isFinite(depth))) throw wrong(name, expected, text);
  return value as Record<string, number>;
}
