// depthwise-conv2d at stride 1, four neighbouring pixels of one row per invocation. A store file (store.wgsl or
// store-parts.wgsl) is appended.
//
// The same sum as depthwise-conv2d.wgsl, turned round: each input vec4 of a row is loaded once and added to all four
// pixels that see it, while the weights move through four registers. A k x k filter so needs k (k + 3) loads of x for
// four pixels instead of 4 k k.
//
//   x        [N, H, W, inVectors] vec4
//   weights  [k, k, outVectors] vec4, 0 in the lanes past the last channel
//   params   begins with the bias: [outVectors] vec4

struct Sizes {
  inHeight: u32,
  inWidth: u32,
  inVectors: u32,
  outHeight: u32,
  outWidth: u32,
  outVectors: u32,
  pixels: u32,      // N OH OW
  rowTiles: u32,    // ceil(OW / 4)
  invocations: u32, // N OH rowTiles outVectors
  kernelSize: u32,
  stride: u32,      // 1
  padding: u32,
}

@group(0) @binding(0) var<storage, read> x: array<Stored>;
@group(0) @binding(1) var<storage, read> weights: array<Stored>;
@group(0) @binding(8) var<uniform> sizes: Sizes;

fn storeInRow(row: u32, ox: u32, sum: vec4f, place: Place) {
  // A tile may reach past the end of its row: what lies there is no pixel.
  store(select(sizes.pixels, row * sizes.outWidth + ox, ox < sizes.outWidth), sum, place);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let index = (group.y * groups.x + group.x) * 64 + local;
  if (index >= sizes.invocations) { return; }
  let tile = index / sizes.outVectors;
  let vector = index - tile * sizes.outVectors;
  let row = tile / sizes.rowTiles; // of all images
  let ox = (tile - row * sizes.rowTiles) * 4;
  let image = row / sizes.outHeight;
  let top = i32(row - image * sizes.outHeight) - i32(sizes.padding);
  let left = i32(ox) - i32(sizes.padding);
  let columns = sizes.kernelSize + 3;

  let bias0 = params[vector];
  var a0 = bias0;
  var a1 = bias0;
  var a2 = bias0;
  var a3 = bias0;
  for (var ky = 0u; ky < sizes.kernelSize; ky++) {
    let iy = top + i32(ky);
    if (u32(iy) >= sizes.inHeight) { continue; }
    let source = i32(image * sizes.inHeight) + iy;
    // Weights that the four pixels apply to the current column: the first pixel is one column ahead of the second.
    var w0 = vec4f(0);
    var w1 = vec4f(0);
    var w2 = vec4f(0);
    var w3 = vec4f(0);
    for (var kx = 0u; kx < columns; kx++) {
      w3 = w2;
      w2 = w1;
      w1 = w0;
      w0 = vec4f(0);
      if (kx < sizes.kernelSize) { w0 = vec4f(weights[(ky * sizes.kernelSize + kx) * sizes.outVectors + vector]); }
      let ix = left + i32(kx);
      if (u32(ix) < sizes.inWidth) {
        let value = vec4f(x[u32(source * i32(sizes.inWidth) + ix) * sizes.inVectors + vector]);
        a0 += value * w0;
        a1 += value * w1;
        a2 += value * w2;
        a3 += value * w3;
      }
    }
  }
  let place = storesOf(vector);
  storeInRow(row, ox, a0, place);
  storeInRow(row, ox + 1, a1, place);
  storeInRow(row, ox + 2, a2, place);
  storeInRow(row, ox + 3, a3, place);
}
