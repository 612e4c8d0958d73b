// conv2d-split-16x32: tile of 16 pixels x 32 output channels per workgroup of 256: eight slices, each of which sums every
// eighth vec4 of a window's rows. Begins with conv2d.wgsl.
//
//   weights  [k, k, 4 groupVectors, weightVectors] vec4 over output channels
//
// For small maps with many channels on both sides: 32 invocations of a slice would be too few for a GPU that waits for memory.
// An invocation computes 4 pixels x 4 output channels; the sums of the slices meet in workgroup memory, 16 KiB of it.

@group(0) @binding(1) var<storage, read> weights: array<Stored>;

const SLICES = 8u;

var<workgroup> sums: array<vec4f, 1024>; // [4 pixels][8 slices][32 of a slice]

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let tile = group.y * groups.x + group.x;
  copy(tile * 256 + local);
  if (tile >= sizes.tiles) { return; }
  let slice = local >> 5;
  let pixelTile = tile / sizes.channelTiles;
  let firstVector = (tile - pixelTile * sizes.channelTiles) * 8;
  let firstPixel = pixelTile * 16;
  let vector = firstVector + (local & 7);
  let pixel = firstPixel + ((local >> 3) & 3); // and every fourth from there
  let last = sizes.pixels - 1; // Tiles that reach past the end compute its last pixel again and do not store it.

  let p0 = window(min(pixel, last));
  let p1 = window(min(pixel + 4, last));
  let p2 = window(min(pixel + 8, last));
  let p3 = window(min(pixel + 12, last));

  var a0 = vec4f(0);
  var a1 = vec4f(0);
  var a2 = vec4f(0);
  var a3 = vec4f(0);
  let begin = firstOfRun(firstVector + 8);
  for (var ky = 0u; ky < sizes.kernelSize; ky++) {
    let down = i32(ky * sizes.inWidth * sizes.inVectors);
    let s0 = p0.start + down;
    let s1 = p1.start + down;
    let s2 = p2.start + down;
    let s3 = p3.start + down;
    let n0 = rowInside(p0, ky);
    let n1 = rowInside(p1, ky);
    let n2 = rowInside(p2, ky);
    let n3 = rowInside(p3, ky);
    for (var i = begin + slice; i < sizes.runVectors; i += SLICES) {
      let x0 = load(s0, i, p0, n0);
      let x1 = load(s1, i, p1, n1);
      let x2 = load(s2, i, p2, n2);
      let x3 = load(s3, i, p3, n3);
      var w = (ky * sizes.runVectors + i) * 4 * sizes.weightVectors + vector;
      let wx = vec4f(weights[w]);
      a0 += x0.x * wx;
      a1 += x1.x * wx;
      a2 += x2.x * wx;
      a3 += x3.x * wx;
      w += sizes.weightVectors;
      let wy = vec4f(weights[w]);
      a0 += x0.y * wy;
      a1 += x1.y * wy;
      a2 += x2.y * wy;
      a3 += x3.y * wy;
      w += sizes.weightVectors;
      let wz = vec4f(weights[w]);
      a0 += x0.z * wz;
      a1 += x1.z * wz;
      a2 += x2.z * wz;
      a3 += x3.z * wz;
      w += sizes.weightVectors;
      let ww = vec4f(weights[w]);
      a0 += x0.w * ww;
      a1 += x1.w * ww;
      a2 += x2.w * ww;
      a3 += x3.w * ww;
    }
  }

  sums[local] = a0;
  sums[256 + local] = a1;
  sums[512 + local] = a2;
  sums[768 + local] = a3;
  // Half of the slices add the sums of the other half to theirs, until those of one are left.
  for (var apart = 128u; apart >= 32; apart /= 2) {
    workgroupBarrier();
    if (local < apart) {
      for (var at = local; at < 1024; at += 256) { sums[at] += sums[at + apart]; }
    }
  }
  workgroupBarrier();

  // Invocations 0 .. 127 have a result each: `pixel` and `vector` are those of its first pixel in the slice.
  if (local < 128) {
    store(pixel + (local >> 5) * 4, sums[(local >> 5) * 256 + (local & 31)] + params[vector], storesOf(vector));
  }
}
