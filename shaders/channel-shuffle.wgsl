// channel-shuffle: ShuffleNet's shuffle of `groups` groups, with epilogue.
//
//   y[pixel, j groups + q] = relu?(x[pixel, q channels/groups + j] * scale + shift + residual)
//
//   x            [pixels, 4 vectors] scalars
//   affine       [2, vectors] vec4: scale, then shift; read only if sizes.affine is 1
//   y, residual  [pixels, vectors] vec4
//
// One invocation writes one vec4.

struct Sizes {
  channels: u32,
  groups: u32,
  groupChannels: u32, // channels / groups
  vectors: u32,
  outputs: u32,       // pixels x vectors
  affine: u32,
  residual: u32,
  relu: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> affine: array<vec4f>;
@group(0) @binding(2) var<storage, read> residual: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(4) var<uniform> sizes: Sizes;

fn channel(first: u32, c: u32) -> f32 {
  if (c >= sizes.channels) { return 0; }
  return x[first + c % sizes.groups * sizes.groupChannels + c / sizes.groups];
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let index = (group.y * groups.x + group.x) * 64 + local;
  if (index >= sizes.outputs) { return; }
  let vector = index % sizes.vectors;
  let first = index / sizes.vectors * sizes.vectors * 4;
  let c = vector * 4;
  var value = vec4f(channel(first, c), channel(first, c + 1), channel(first, c + 2), channel(first, c + 3));
  if (sizes.affine != 0) { value = value * affine[vector] + affine[sizes.vectors + vector]; }
  if (sizes.residual != 0) { value += residual[index]; }
  if (sizes.relu != 0) { value = max(value, vec4f(0)); }
  y[index] = value;
}
