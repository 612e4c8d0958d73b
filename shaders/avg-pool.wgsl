// avg-pool: adaptive average pooling; output row i averages input rows floor(i H / OH) up to ceil((i + 1) H / OH).
//
//   x  [N, H, W, vectors] vec4
//   y  [N, OH, OW, vectors] vec4
//
// One invocation computes one vec4 of channels of one pixel.

struct Sizes {
  inHeight: u32,
  inWidth: u32,
  outHeight: u32,
  outWidth: u32,
  vectors: u32,
  outputs: u32, // N OH OW vectors
}

@group(0) @binding(0) var<storage, read> x: array<Stored>;
@group(0) @binding(1) var<storage, read_write> y: array<Stored>;
@group(0) @binding(8) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let index = (group.y * groups.x + group.x) * 64 + local;
  if (index >= sizes.outputs) { return; }
  let vector = index % sizes.vectors;
  let pixel = index / sizes.vectors;
  let ox = pixel % sizes.outWidth;
  let oy = pixel / sizes.outWidth % sizes.outHeight;
  let image = pixel / sizes.outWidth / sizes.outHeight * sizes.inHeight;
  let yBegin = oy * sizes.inHeight / sizes.outHeight;
  let xBegin = ox * sizes.inWidth / sizes.outWidth;
  let yEnd = ((oy + 1) * sizes.inHeight + sizes.outHeight - 1) / sizes.outHeight;
  let xEnd = ((ox + 1) * sizes.inWidth + sizes.outWidth - 1) / sizes.outWidth;

  var sum = vec4f(0);
  for (var iy = yBegin; iy < yEnd; iy++) {
    for (var ix = xBegin; ix < xEnd; ix++) {
      sum += vec4f(x[((image + iy) * sizes.inWidth + ix) * sizes.vectors + vector]);
    }
  }
  y[index] = Stored(sum / f32((yEnd - yBegin) * (xEnd - xBegin)));
}
