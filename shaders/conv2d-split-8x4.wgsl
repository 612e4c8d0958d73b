// conv2d-split-8x4: tile of 8 pixels x 4 output channels per SLICES invocations, each of which sums every SLICES-th vec4 of a
// window's rows. Begins with conv2d.wgsl.
//
//   weights  [k, k, 4 groupVectors, weightVectors] vec4 over output channels
//
// For few outputs that sum many inputs each, and for few output channels: tiles alone would leave most of a GPU idle. Wastes
// nothing on channel counts that larger tiles pad. A workgroup of 64 computes 64 / SLICES tiles, channels fastest, so that its
// invocations share pixels; their sums meet in workgroup memory, and each of the results is stored by an invocation of its own.

@group(0) @binding(1) var<storage, read> weights: array<Stored>;

// A power of two, no more than 64.
override SLICES: u32 = 16;
override TILES: u32 = 64 / SLICES;

var<workgroup> sums: array<vec4f, 512>; // [8 pixels][SLICES][TILES]

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let groupNumber = group.y * groups.x + group.x;
  copy(groupNumber * 64 + local);
  let firstTile = groupNumber * TILES;
  if (firstTile >= sizes.tiles) { return; }
  let slice = local / TILES;
  let tile = min(firstTile + local % TILES, sizes.tiles - 1); // What lies past the last tile is not stored.
  let pixelTile = tile / sizes.channelTiles;
  let vector = tile - pixelTile * sizes.channelTiles;
  let pixel = pixelTile * 8;
  let last = sizes.pixels - 1; // Tiles that reach past the end compute its last pixel again and do not store it.

  let p0 = window(pixel);
  let p1 = window(min(pixel + 1, last));
  let p2 = window(min(pixel + 2, last));
  let p3 = window(min(pixel + 3, last));
  let p4 = window(min(pixel + 4, last));
  let p5 = window(min(pixel + 5, last));
  let p6 = window(min(pixel + 6, last));
  let p7 = window(min(pixel + 7, last));

  var a0 = vec4f(0);
  var a1 = vec4f(0);
  var a2 = vec4f(0);
  var a3 = vec4f(0);
  var a4 = vec4f(0);
  var a5 = vec4f(0);
  var a6 = vec4f(0);
  var a7 = vec4f(0);
  let begin = firstOfRun(vector + 1);
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
    for (var i = begin + slice; i < sizes.runVectors; i += SLICES) {
      let x0 = load(s0, i, p0, n0);
      let x1 = load(s1, i, p1, n1);
      let x2 = load(s2, i, p2, n2);
      let x3 = load(s3, i, p3, n3);
      let x4 = load(s4, i, p4, n4);
      let x5 = load(s5, i, p5, n5);
      let x6 = load(s6, i, p6, n6);
      let x7 = load(s7, i, p7, n7);
      var w = (ky * sizes.runVectors + i) * 4 * sizes.weightVectors + vector;
      let wx = vec4f(weights[w]);
      a0 += x0.x * wx;
      a1 += x1.x * wx;
      a2 += x2.x * wx;
      a3 += x3.x * wx;
      a4 += x4.x * wx;
      a5 += x5.x * wx;
      a6 += x6.x * wx;
      a7 += x7.x * wx;
      w += sizes.weightVectors;
      let wy = vec4f(weights[w]);
      a0 += x0.y * wy;
      a1 += x1.y * wy;
      a2 += x2.y * wy;
      a3 += x3.y * wy;
      a4 += x4.y * wy;
      a5 += x5.y * wy;
      a6 += x6.y * wy;
      a7 += x7.y * wy;
      w += sizes.weightVectors;
      let wz = vec4f(weights[w]);
      a0 += x0.z * wz;
      a1 += x1.z * wz;
      a2 += x2.z * wz;
      a3 += x3.z * wz;
      a4 += x4.z * wz;
      a5 += x5.z * wz;
      a6 += x6.z * wz;
      a7 += x7.z * wz;
      w += sizes.weightVectors;
      let ww = vec4f(weights[w]);
      a0 += x0.w * ww;
      a1 += x1.w * ww;
      a2 += x2.w * ww;
      a3 += x3.w * ww;
      a4 += x4.w * ww;
      a5 += x5.w * ww;
      a6 += x6.w * ww;
      a7 += x7.w * ww;
    }
  }

  sums[local] = a0;
  sums[64 + local] = a1;
  sums[128 + local] = a2;
  sums[192 + local] = a3;
  sums[256 + local] = a4;
  sums[320 + local] = a5;
  sums[384 + local] = a6;
  sums[448 + local] = a7;
  // Half of the slices add the sums of the other half to theirs, until those of one are left.
  for (var apart = 32u; apart >= TILES; apart /= 2) {
    workgroupBarrier();
    if (local < apart) {
      for (var at = local; at < 512; at += 64) { sums[at] += sums[at + apart]; }
    }
  }
  workgroupBarrier();

  for (var result = local; result < 8 * TILES; result += 64) {
    let p = result / TILES;
    let inGroup = result - p * TILES;
    let ofTile = firstTile + inGroup;
    let ofPixels = ofTile / sizes.channelTiles;
    let ofVector = ofTile - ofPixels * sizes.channelTiles;
    // Numbered past the end, tiles past the last one have pixels past the last one.
    store(ofPixels * 8 + p, sums[p * 64 + inGroup] + params[ofVector], storesOf(ofVector));
  }
}
