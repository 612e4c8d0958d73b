// softmax: exp(x - max) / sum over the channels of each pixel.
//
//   x, y  [pixels, 4 vectors] scalars; y's padding lanes become 0
//
// One invocation computes one pixel: a classifier has one, and a thousand values.

struct Sizes {
  pixels: u32,
  channels: u32,
  pitch: u32, // scalars per pixel
}

@group(0) @binding(0) var<storage, read> x: array<StoredLane>;
@group(0) @binding(1) var<storage, read_write> y: array<StoredLane>;
@group(0) @binding(8) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let pixel = (group.y * groups.x + group.x) * 64 + local;
  if (pixel >= sizes.pixels) { return; }
  let first = pixel * sizes.pitch;
  var largest = f32(x[first]);
  for (var c = 1u; c < sizes.channels; c++) { largest = max(largest, f32(x[first + c])); }
  var sum = 0f;
  for (var c = 0u; c < sizes.channels; c++) {
    let e = exp(f32(x[first + c]) - largest);
    y[first + c] = StoredLane(e);
    sum += e;
  }
  for (var c = 0u; c < sizes.channels; c++) { y[first + c] = StoredLane(f32(y[first + c]) / sum); }
  for (var c = sizes.channels; c < sizes.pitch; c++) { y[first + c] = 0; }
}
