/**
 * Pass, the last one: how the channels of every value lie, and a copy where a kernel cannot take them as they do.
 * Convolutions and linear layers read any layout; pools and pointwise ops hand theirs on; the others want the graph's own
 * order. The network's output ends up in it, too.
 */
import { invariant } from '../errors.ts';
import { plainLayout, sameLayout, segmentedLayout, shuffledChannel, type ChannelLayout } from '../tensor/channel-layout.ts';
import type { ImageShape } from '../tensor/image-shape.ts';
import type { ChannelSliceAttrs } from '../ops/channel-slice.ts';
import type { FusedOp, JoinAttrs } from '../kernels/fused-op.ts';
import type { KernelLimits, Surroundings } from '../kernels/kernel.ts';
import { joinedLayout, opsWithin, type Op, type Program } from './program.ts';

/** The program with every layout that is not plain in `layouts`, and the copies that make it so. */
export function settleLayouts(program: Program): Program {
  const layouts = new Map<string, ChannelLayout>([...joinedLayouts(program), ...program.layouts]);
  const shapes = new Map<string, ImageShape>([[program.input, program.inputShape]]);
  for (const [name, { shape }] of program.joined) shapes.set(name, shape);
  const layoutOf = (value: string) => layouts.get(value) ?? plainLayout(shapes.get(value)!.c);
  const ops: Op[] = [];
  const copies = new Map<string, string>();

  /** The value itself where it lies as wanted, or else a copy of it that does. */
  const laidOut = (value: string, wanted: ChannelLayout): string => {
    if (sameLayout(layoutOf(value), wanted)) return value;
    const name = `${value}~${wanted.key}`;
    if (!copies.has(name)) {
      copies.set(name, value);
      const shape = shapes.get(value)!;
      shapes.set(name, shape);
      if (wanted.key !== 'plain') layouts.set(name, wanted);
      ops.push(copyOp(name, value, shape));
    }
    return name;
  };
  const plain = (value: string) => laidOut(value, plainLayout(shapes.get(value)!.c));

  for (const op of program.ops) {
    const { attrs } = op;
    let { inputs } = op;
    let own: ChannelLayout | undefined = layouts.get(op.name);
    switch (attrs.op) {
      case 'conv2d':
        if (attrs.groups > 1) inputs = inputs.map(plain);
        // A convolution writes in any order: in that of what is added to it.
        else if (op.residual !== undefined && !op.stores) own = layoutOf(op.residual);
        break;
      case 'conv2d-then-depthwise':
      case 'conv2d-then-conv2d':
      case 'linear':
      case 'channel-slice':
        break;
      case 'depthwise-conv2d':
        if (attrs.channels === op.inputShapes[0].c && !op.stores) own = layoutOf(inputs[0]);
        else inputs = inputs.map(plain);
        break;
      case 'max-pool':
      case 'avg-pool':
      case 'pointwise':
        own = layoutOf(inputs[0]);
        break;
      case 'channel-concat': {
        inputs = inputs.map(plain);
        const { groups = 1 } = attrs as JoinAttrs;
        if (groups > 1) own = segmentedLayout([Array.from({ length: op.output.c }, (_, position) => shuffledChannel(position, op.output.c, groups))]);
        break;
      }
      default:
        inputs = inputs.map(plain);
    }
    const isPlain = own === undefined || own.key === 'plain';
    if (!isPlain) layouts.set(op.name, own!);
    shapes.set(op.name, op.output);
    // A store looks the residual's lanes up; an epilogue of its own wants it as its value lies.
    const looksUp = attrs.op === 'conv2d' || attrs.op === 'depthwise-conv2d';
    const residual = op.residual === undefined || looksUp ? op.residual : laidOut(op.residual, layoutOf(op.name));
    ops.push({ ...op, inputs, ...(residual !== undefined && { residual }) });
  }
  const output = plain(program.output);
  return { ...program, ops, output, layouts };
}

/** What lowering asks of a settled program, or `freeSlices` of one whose joined values are known. */
export function surroundings(program: Program, given: Partial<Omit<Surroundings, 'layoutOf'>> = {}): Surroundings {
  const known = new Map<string, ChannelLayout>(program.layouts);
  const channels = new Map([[program.input, program.inputShape.c], ...program.ops.flatMap(opsWithin).map(({ name, output }) => [name, output.c] as const)]);
  return {
    limits: NO_LIMITS,
    dtype: 'f32',
    ...given,
    layoutOf(value) {
      let layout = known.get(value);
      if (!layout) {
        const joined = program.joined.get(value);
        invariant(joined || channels.has(value), `no op computes ${value}`);
        known.set(value, (layout = joined ? joinedLayout(joined) : plainLayout(channels.get(value)!)));
      }
      return layout;
    },
  };
}

const NO_LIMITS: KernelLimits = {
  maxStorageBufferBindingSize: Infinity,
  maxComputeWorkgroupsPerDimension: Infinity,
  maxTextureDimension2D: Infinity,
  maxComputeWorkgroupStorageSize: Infinity,
  maxComputeInvocationsPerWorkgroup: Infinity,
};

function joinedLayouts({ joined }: Program): Map<string, ChannelLayout> {
  return new Map([...joined].map(([name, value]) => [name, joinedLayout(value)]));
}

function copyOp(name: string, value: string, shape: ImageShape): FusedOp<ChannelSliceAttrs> {
  return {
    name,
    attrs: { op: 'channel-slice', begin: 0, channels: shape.c, stride: 1 },
    inputs: [value],
    inputShapes: [shape],
    output: shape,
    affine: [],
    relu: false,
    source: value,
    macs: 0,
  };
}
