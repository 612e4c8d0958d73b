// unpack-output: a value, NHWC with its channels in any lanes, to a dense float32 tensor.
//
//   x      [N, H W, pitch] lanes
//   lanes  [C] lane of each channel
//   y      [N, C, H W] float32
//
// One invocation writes one element.

struct Sizes {
  channels: u32,
  pitch: u32,
  pixels: u32,  // H W
  outputs: u32, // N C H W
}

@group(0) @binding(0) var<storage, read> x: array<StoredLane>;
@group(0) @binding(1) var<storage, read> lanes: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(8) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let index = (group.y * groups.x + group.x) * 64 + local;
  if (index >= sizes.outputs) { return; }
  let pixel = index % sizes.pixels;
  let plane = index / sizes.pixels;
  let image = plane / sizes.channels;
  y[index] = f32(x[(image * sizes.pixels + pixel) * sizes.pitch + lanes[plane % sizes.channels]]);
}
