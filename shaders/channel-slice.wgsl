// channel-slice: a run of channels of every stride-th pixel.
//
//   y[n, oy, ox, c] = x[n, oy stride, ox stride, position(begin + c)]   for c < channels, 0 in the padding lanes
//   position(c) = c % order * orderChannels + c / order: where a channel lies in a value of shuffled order; c if order is 1
//
//   x  [N, H, W, 4 inVectors] scalars: begin need not be a multiple of 4
//   y  [N, OH, OW, outVectors] vec4
//
// One invocation writes one vec4.

struct Sizes {
  inHeight: u32,
  inWidth: u32,
  inVectors: u32,
  outHeight: u32,
  outWidth: u32,
  outVectors: u32,
  outputs: u32, // N OH OW outVectors
  stride: u32,
  begin: u32,
  channels: u32,
  order: u32,
  orderChannels: u32, // channels of x / order
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(2) var<uniform> sizes: Sizes;

fn channel(pixel: u32, c: u32) -> f32 {
  let group = c / sizes.order;
  return x[pixel + (c - group * sizes.order) * sizes.orderChannels + group];
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let index = (group.y * groups.x + group.x) * 64 + local;
  if (index >= sizes.outputs) { return; }
  let c = index % sizes.outVectors * 4;
  let pixel = index / sizes.outVectors;
  let row = pixel / sizes.outWidth;
  let inRow = row / sizes.outHeight * sizes.inHeight + row % sizes.outHeight * sizes.stride;
  let source = (inRow * sizes.inWidth + pixel % sizes.outWidth * sizes.stride) * sizes.inVectors * 4;
  let first = sizes.begin + c;
  var value = vec4f(0);
  value.x = channel(source, first);
  if (c + 1 < sizes.channels) { value.y = channel(source, first + 1); }
  if (c + 2 < sizes.channels) { value.z = channel(source, first + 2); }
  if (c + 3 < sizes.channels) { value.w = channel(source, first + 3); }
  y[index] = value;
}
