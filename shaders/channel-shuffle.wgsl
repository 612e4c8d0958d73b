// channel-shuffle: ShuffleNet's shuffle of `groups` groups, with epilogue.
//
//   y[pixel, j groups + q] = relu?(x[pixel, q channels/groups + j] * scale + shift + residual)
//
//   x            [pixels, 4 vectors] scalars
//   affine       [2, vectors] vec4: scale, then shift; read only if sizes.affine is 1
//   y, residual  [pixels, vectors] vec4
//
// One invocation writes one vec4 of four pixels: where the channels come from and the affine are worked out once.

struct Sizes {
  channels: u32,
  groups: u32,
  groupChannels: u32, // channels / groups
  vectors: u32,
  pixels: u32,
  invocations: u32,   // ceil(pixels / 4) x vectors
  affine: u32,
  relu: u32,
}

// Whether a residual is added. Fixed per pipeline: some adapters run both sides of a branch, loads included.
override RESIDUAL: bool = false;

@group(0) @binding(0) var<storage, read> x: array<StoredLane>;
@group(0) @binding(1) var<storage, read> affine: array<vec4f>;
@group(0) @binding(2) var<storage, read> residual: array<Stored>;
@group(0) @binding(3) var<storage, read_write> y: array<Stored>;
@group(0) @binding(8) var<uniform> sizes: Sizes;

fn next(source: vec2u) -> vec2u {
  return select(vec2u(source.x, source.y + 1), vec2u(source.x + 1, 0), source.y + 1 == sizes.groups);
}

// Past the last channel this reads some other one; the caller drops it.
fn channel(first: u32, source: vec2u) -> f32 {
  return f32(x[first + source.y * sizes.groupChannels + source.x]);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let index = (group.y * groups.x + group.x) * 64 + local;
  if (index >= sizes.invocations) { return; }
  let tile = index / sizes.vectors;
  let vector = index - tile * sizes.vectors;
  let c = vector * 4;
  // (j, q) of the vec4's first channel; the others count on from there, since a division costs more than a step.
  let j = c / sizes.groups;
  let source0 = vec2u(j, c - j * sizes.groups);
  let source1 = next(source0);
  let source2 = next(source1);
  let source3 = next(source2);
  let isChannel = vec4u(c, c + 1, c + 2, c + 3) < vec4u(sizes.channels);
  var scale = vec4f(1);
  var shift = vec4f(0);
  if (sizes.affine != 0) { scale = affine[vector]; shift = affine[sizes.vectors + vector]; }

  let end = min(tile * 4 + 4, sizes.pixels);
  for (var pixel = tile * 4; pixel < end; pixel++) {
    let first = pixel * sizes.vectors * 4;
    var value = vec4f(channel(first, source0), channel(first, source1), channel(first, source2), channel(first, source3));
    value = select(vec4f(0), value, isChannel) * scale + shift;
    let output = pixel * sizes.vectors + vector;
    if (RESIDUAL) { value += vec4f(residual[output]); }
    value = reluIf(sizes.relu != 0, value);
    y[output] = Stored(value);
  }
}
