// channel-slice: a run of channels of every stride-th pixel, or the same channels in another layout. Nothing but the copies
// of store-parts.wgsl, which is appended: a table says which lane of x each lane of y is.
//
//   x  [N, H, W, inVectors] vec4

struct Sizes {
  inHeight: u32,
  inWidth: u32,
  inVectors: u32,
  outHeight: u32,
  outWidth: u32,
  outVectors: u32,
  pixels: u32, // N OH OW
  stride: u32,
}

@group(0) @binding(0) var<storage, read> x: array<Stored>;
@group(0) @binding(8) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  copy((group.y * groups.x + group.x) * 64 + local);
}
