// conv2d-8x4: tile of 8 pixels x 4 output channels per invocation. Begins with conv2d.wgsl.
//
//   weights  [k, k, 4 groupVectors, weightVectors] vec4 over output channels

@group(0) @binding(1) var<storage, read> weights: array<Stored>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let tile = (group.y * groups.x + group.x) * 64 + local;
  copy(tile);
  if (tile >= sizes.tiles) { return; }
  let pixelTile = tile / sizes.channelTiles;
  let vector = (tile - pixelTile * sizes.channelTiles);
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
  var a00 = bias0;
  var a10 = bias0;
  var a20 = bias0;
  var a30 = bias0;
  var a40 = bias0;
  var a50 = bias0;
  var a60 = bias0;
  var a70 = bias0;

  let skipped = firstOfRun(vector + 1);
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

        let wx0 = vec4f(weights[w]);
        a00 += x0.x * wx0;
        a10 += x1.x * wx0;
        a20 += x2.x * wx0;
        a30 += x3.x * wx0;
        a40 += x4.x * wx0;
        a50 += x5.x * wx0;
        a60 += x6.x * wx0;
        a70 += x7.x * wx0;
        w += sizes.weightVectors;

        let wy0 = vec4f(weights[w]);
        a00 += x0.y * wy0;
        a10 += x1.y * wy0;
        a20 += x2.y * wy0;
        a30 += x3.y * wy0;
        a40 += x4.y * wy0;
        a50 += x5.y * wy0;
        a60 += x6.y * wy0;
        a70 += x7.y * wy0;
        w += sizes.weightVectors;

        let wz0 = vec4f(weights[w]);
        a00 += x0.z * wz0;
        a10 += x1.z * wz0;
        a20 += x2.z * wz0;
        a30 += x3.z * wz0;
        a40 += x4.z * wz0;
        a50 += x5.z * wz0;
        a60 += x6.z * wz0;
        a70 += x7.z * wz0;
        w += sizes.weightVectors;

        let ww0 = vec4f(weights[w]);
        a00 += x0.w * ww0;
        a10 += x1.w * ww0;
        a20 += x2.w * ww0;
        a30 += x3.w * ww0;
        a40 += x4.w * ww0;
        a50 += x5.w * ww0;
        a60 += x6.w * ww0;
        a70 += x7.w * ww0;
        w += sizes.weightVectors;
      }
    }
  }

  // One pixel at a time, the others move up: what a store may have to do is much code, and an array would be indexed in memory.
  let place0 = storesOf(vector);
  for (var p = 0u; p < 8; p += 1) {
    store(pixel + p, a00, place0);
    a00 = a10;
    a10 = a20;
    a20 = a30;
    a30 = a40;
    a40 = a50;
    a50 = a60;
    a60 = a70;
  }
}
