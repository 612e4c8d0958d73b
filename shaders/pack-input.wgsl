// pack-input: a dense float32 tensor of the caller's to a network's input: NHWC, channels padded to whole vec4s.
//
//   x  [N, C, H, W] or [N, H, W, C] float32, beginning at element `first`
//   y  [N, H W, vectors] vec4; padding lanes become 0
//
// One invocation writes one vec4.

struct Sizes {
  first: u32,
  channels: u32,
  channelStride: u32, // in elements of x, as the others
  pixels: u32,        // H W
  pixelStride: u32,
  vectors: u32,
  outputs: u32,       // N H W vectors
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<Stored>;
@group(0) @binding(8) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let index = (group.y * groups.x + group.x) * 64 + local;
  if (index >= sizes.outputs) { return; }
  let channel = index % sizes.vectors * 4;
  let pixel = index / sizes.vectors;
  let image = pixel / sizes.pixels;
  let at = sizes.first + image * sizes.pixels * sizes.channels + pixel % sizes.pixels * sizes.pixelStride + channel * sizes.channelStride;

  var value = vec4f(0);
  for (var lane = 0u; lane < min(4, sizes.channels - channel); lane++) {
    value[lane] = x[at + lane * sizes.channelStride];
  }
  y[index] = Stored(value);
}
