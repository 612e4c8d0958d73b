// conv2d-8x8: tile of 8 pixels x 8 output channels per invocation. Begins with conv2d.wgsl.
//
//   weights  [k, k, 4 groupVectors, weightVectors] vec4 over output channels

@group(0) @binding(1) var<storage, read> weights: array<Stored>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let tile = (group.y * groups.x + group.x) * 64 + local;
  copy(tile);
  if (tile >= sizes.tiles) { return; }
  let pixelTile = tile / sizes.channelTiles;
  let vector = (tile - pixelTile * sizes.channelTiles) * 2;
  let pixel = pixelTile * 8;
  let firstInput = vector / sizes.groupOutVectors * sizes.groupVectors;
  let last = sizes.pixels - 1; // Tiles that reach past the end compute its last pixel again and do not store it.

  let p0 = window(pixel);
  let p1 = window(min(pixel + 1, last));
  let p2 = window(min(pixel + 2, last));
  let p3 = window(min(pixel + 3, last));
  let p4 = window(min(pixel + 4, last));
  let p5 = window(min(pixel + 5, last));
  let p6 = window(min(pixel + 6, last));
  let p7 = window(min(pixel + 7, last));

  let bias0 = params[vector];
  let bias1 = params[vector + 1];
  var a00 = bias0; var a01 = bias1;
  var a10 = bias0; var a11 = bias1;
  var a20 = bias0; var a21 = bias1;
  var a30 = bias0; var a31 = bias1;
  var a40 = bias0; var a41 = bias1;
  var a50 = bias0; var a51 = bias1;
  var a60 = bias0; var a61 = bias1;
  var a70 = bias0; var a71 = bias1;

  let skipped = firstOfRun(vector + 2);
  var w = vector;
  for (var ky = 0u; ky < sizes.kernelSize; ky++) {
    let down = i32(ky * sizes.inWidth * sizes.inVectors);
    let s0 = p0.start + down;
    let s1 = p1.start + down;
    let s2 = p2.start + down;
    let s3 = p3.start + down;
    let s4 = p4.start + down;
    let s5 = p5.start + down;
    let s6 = p6.start + down;
    let s7 = p7.start + down;
    let n0 = rowInside(p0, ky);
    let n1 = rowInside(p1, ky);
    let n2 = rowInside(p2, ky);
    let n3 = rowInside(p3, ky);
    let n4 = rowInside(p4, ky);
    let n5 = rowInside(p5, ky);
    let n6 = rowInside(p6, ky);
    let n7 = rowInside(p7, ky);
    for (var run = 0u; run < sizes.runs; run++) {
      let first = run * sizes.inVectors + firstInput;
      let end = first + sizes.runVectors;
      w += skipped * 4 * sizes.weightVectors;
      for (var i = first + skipped; i < end; i++) {
        let x0 = load(s0, i, p0, n0);
        let x1 = load(s1, i, p1, n1);
        let x2 = load(s2, i, p2, n2);
        let x3 = load(s3, i, p3, n3);
        let x4 = load(s4, i, p4, n4);
        let x5 = load(s5, i, p5, n5);
        let x6 = load(s6, i, p6, n6);
        let x7 = load(s7, i, p7, n7);

        let wx0 = vec4f(weights[w]); let wx1 = vec4f(weights[w + 1]);
        a00 += x0.x * wx0; a01 += x0.x * wx1;
        a10 += x1.x * wx0; a11 += x1.x * wx1;
        a20 += x2.x * wx0; a21 += x2.x * wx1;
        a30 += x3.x * wx0; a31 += x3.x * wx1;
        a40 += x4.x * wx0; a41 += x4.x * wx1;
        a50 += x5.x * wx0; a51 += x5.x * wx1;
        a60 += x6.x * wx0; a61 += x6.x * wx1;
        a70 += x7.x * wx0; a71 += x7.x * wx1;
        w += sizes.weightVectors;

        let wy0 = vec4f(weights[w]); let wy1 = vec4f(weights[w + 1]);
        a00 += x0.y * wy0; a01 += x0.y * wy1;
        a10 += x1.y * wy0; a11 += x1.y * wy1;
        a20 += x2.y * wy0; a21 += x2.y * wy1;
        a30 += x3.y * wy0; a31 += x3.y * wy1;
        a40 += x4.y * wy0; a41 += x4.y * wy1;
        a50 += x5.y * wy0; a51 += x5.y * wy1;
        a60 += x6.y * wy0; a61 += x6.y * wy1;
        a70 += x7.y * wy0; a71 += x7.y * wy1;
        w += sizes.weightVectors;

        let wz0 = vec4f(weights[w]); let wz1 = vec4f(weights[w + 1]);
        a00 += x0.z * wz0; a01 += x0.z * wz1;
        a10 += x1.z * wz0; a11 += x1.z * wz1;
        a20 += x2.z * wz0; a21 += x2.z * wz1;
        a30 += x3.z * wz0; a31 += x3.z * wz1;
        a40 += x4.z * wz0; a41 += x4.z * wz1;
        a50 += x5.z * wz0; a51 += x5.z * wz1;
        a60 += x6.z * wz0; a61 += x6.z * wz1;
        a70 += x7.z * wz0; a71 += x7.z * wz1;
        w += sizes.weightVectors;

        let ww0 = vec4f(weights[w]); let ww1 = vec4f(weights[w + 1]);
        a00 += x0.w * ww0; a01 += x0.w * ww1;
        a10 += x1.w * ww0; a11 += x1.w * ww1;
        a20 += x2.w * ww0; a21 += x2.w * ww1;
        a30 += x3.w * ww0; a31 += x3.w * ww1;
        a40 += x4.w * ww0; a41 += x4.w * ww1;
        a50 += x5.w * ww0; a51 += x5.w * ww1;
        a60 += x6.w * ww0; a61 += x6.w * ww1;
        a70 += x7.w * ww0; a71 += x7.w * ww1;
        w += sizes.weightVectors;
      }
    }
  }

  // One pixel at a time, the others move up: what a store may have to do is much code, and an array would be indexed in memory.
  let place0 = storesOf(vector);
  let place1 = storesOf(vector + 1);
  for (var p = 0u; p < 8; p += 1) {
    store(pixel + p, a00, place0);
    store(pixel + p, a01, place1);
    a00 = a10; a01 = a11;
    a10 = a20; a11 = a21;
    a20 = a30; a21 = a31;
    a30 = a40; a31 = a41;
    a40 = a50; a41 = a51;
    a50 = a60; a51 = a61;
    a60 = a70; a61 = a71;
  }
}
