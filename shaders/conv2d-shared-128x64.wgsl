// conv2d-shared-128x64: tile of 128 pixels x 64 output channels per workgroup of 128, each invocation 8 pixels x 8 output channels.
// Begins with conv2d.wgsl and conv2d-shared.wgsl.
//
// For large layers on GPUs with many registers: 16 vec4s of workgroup memory for 256 multiply-adds. 12 KiB in f32.

var<workgroup> xs: array<Stored, 512>;  // [128 pixels][4 vec4 over inputs]
var<workgroup> ws: array<Stored, 256>;  // [16 inputs][16 vec4 over outputs]

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let tile = group.y * groups.x + group.x;
  copy(tile * 128 + local);
  if (tile >= sizes.tiles) { return; }
  let pixelTile = tile / sizes.channelTiles;
  let firstVector = (tile - pixelTile * sizes.channelTiles) * 16;
  let firstPixel = pixelTile * 128;
  let last = sizes.pixels - 1; // Tiles that reach past the end compute its last pixel again and do not store it.

  // What it stages of each block: of 4 pixels vec4 `xLane`, of 2 inputs a vec4 of weights.
  let xLane = local & 3;
  let xPixel = firstPixel + (local >> 2);
  let p0 = window(min(xPixel, last));
  let p1 = window(min(xPixel + 32, last));
  let p2 = window(min(xPixel + 64, last));
  let p3 = window(min(xPixel + 96, last));
  let wVector = firstVector + (local & 15);
  let wInput = local >> 4;

  // What it sums: every 16th pixel from `row` on, vec4s `column` and `column + 8`.
  let column = local & 7;
  let row = local >> 3;
  let bias0 = params[firstVector + column];
  let bias1 = params[firstVector + column + 8];
  var a00 = bias0; var a01 = bias1;
  var a10 = bias0; var a11 = bias1;
  var a20 = bias0; var a21 = bias1;
  var a30 = bias0; var a31 = bias1;
  var a40 = bias0; var a41 = bias1;
  var a50 = bias0; var a51 = bias1;
  var a60 = bias0; var a61 = bias1;
  var a70 = bias0; var a71 = bias1;

  let begin = firstOfRun(firstVector + 16);
  let blocks = sizes.kernelSize * blocksOfRun(begin);
  var ky = 0u;
  var i = begin;
  var nextX0 = stagedInput(p0, ky, i + xLane);
  var nextX1 = stagedInput(p1, ky, i + xLane);
  var nextX2 = stagedInput(p2, ky, i + xLane);
  var nextX3 = stagedInput(p3, ky, i + xLane);
  var nextW0 = stagedWeight(ky, i, wInput, wVector);
  var nextW1 = stagedWeight(ky, i, wInput + 8, wVector);
  for (var block = 0u; block < blocks; block++) {
    xs[local] = nextX0;
    xs[local + 128] = nextX1;
    xs[local + 256] = nextX2;
    xs[local + 384] = nextX3;
    ws[local] = nextW0;
    ws[local + 128] = nextW1;
    workgroupBarrier();
    // The next block is on its way while this one is summed.
    i += 4;
    if (i >= sizes.runVectors) { i = begin; ky++; }
    if (ky < sizes.kernelSize) {
      nextX0 = stagedInput(p0, ky, i + xLane);
      nextX1 = stagedInput(p1, ky, i + xLane);
      nextX2 = stagedInput(p2, ky, i + xLane);
      nextX3 = stagedInput(p3, ky, i + xLane);
      nextW0 = stagedWeight(ky, i, wInput, wVector);
      nextW1 = stagedWeight(ky, i, wInput + 8, wVector);
    }
    for (var j = 0u; j < 4; j++) {
      let x0 = vec4f(xs[row * 4 + j]);
      let x1 = vec4f(xs[row * 4 + 64 + j]);
      let x2 = vec4f(xs[row * 4 + 128 + j]);
      let x3 = vec4f(xs[row * 4 + 192 + j]);
      let x4 = vec4f(xs[row * 4 + 256 + j]);
      let x5 = vec4f(xs[row * 4 + 320 + j]);
      let x6 = vec4f(xs[row * 4 + 384 + j]);
      let x7 = vec4f(xs[row * 4 + 448 + j]);
      let wx0 = vec4f(ws[j * 64 + column]); let wx1 = vec4f(ws[j * 64 + 8 + column]);
      a00 += x0.x * wx0; a01 += x0.x * wx1;
      a10 += x1.x * wx0; a11 += x1.x * wx1;
      a20 += x2.x * wx0; a21 += x2.x * wx1;
      a30 += x3.x * wx0; a31 += x3.x * wx1;
      a40 += x4.x * wx0; a41 += x4.x * wx1;
      a50 += x5.x * wx0; a51 += x5.x * wx1;
      a60 += x6.x * wx0; a61 += x6.x * wx1;
      a70 += x7.x * wx0; a71 += x7.x * wx1;
      let wy0 = vec4f(ws[j * 64 + 16 + column]); let wy1 = vec4f(ws[j * 64 + 24 + column]);
      a00 += x0.y * wy0; a01 += x0.y * wy1;
      a10 += x1.y * wy0; a11 += x1.y * wy1;
      a20 += x2.y * wy0; a21 += x2.y * wy1;
      a30 += x3.y * wy0; a31 += x3.y * wy1;
      a40 += x4.y * wy0; a41 += x4.y * wy1;
      a50 += x5.y * wy0; a51 += x5.y * wy1;
      a60 += x6.y * wy0; a61 += x6.y * wy1;
      a70 += x7.y * wy0; a71 += x7.y * wy1;
      let wz0 = vec4f(ws[j * 64 + 32 + column]); let wz1 = vec4f(ws[j * 64 + 40 + column]);
      a00 += x0.z * wz0; a01 += x0.z * wz1;
      a10 += x1.z * wz0; a11 += x1.z * wz1;
      a20 += x2.z * wz0; a21 += x2.z * wz1;
      a30 += x3.z * wz0; a31 += x3.z * wz1;
      a40 += x4.z * wz0; a41 += x4.z * wz1;
      a50 += x5.z * wz0; a51 += x5.z * wz1;
      a60 += x6.z * wz0; a61 += x6.z * wz1;
      a70 += x7.z * wz0; a71 += x7.z * wz1;
      let ww0 = vec4f(ws[j * 64 + 48 + column]); let ww1 = vec4f(ws[j * 64 + 56 + column]);
      a00 += x0.w * ww0; a01 += x0.w * ww1;
      a10 += x1.w * ww0; a11 += x1.w * ww1;
      a20 += x2.w * ww0; a21 += x2.w * ww1;
      a30 += x3.w * ww0; a31 += x3.w * ww1;
      a40 += x4.w * ww0; a41 += x4.w * ww1;
      a50 += x5.w * ww0; a51 += x5.w * ww1;
      a60 += x6.w * ww0; a61 += x6.w * ww1;
      a70 += x7.w * ww0; a71 += x7.w * ww1;
    }
    workgroupBarrier();
  }

  // One pixel at a time, the others move up: what a store may have to do is much code, and an array would be indexed in memory.
  let place0 = storesOf(firstVector + column);
  let place1 = storesOf(firstVector + column + 8);
  for (var pixel = firstPixel + row; pixel < firstPixel + 128; pixel += 16) {
    store(pixel, a00, place0);
    store(pixel, a01, place1);
    a00 = a10; a01 = a11;
    a10 = a20; a11 = a21;
    a20 = a30; a21 = a31;
    a30 = a40; a31 = a41;
    a40 = a50; a41 = a51;
    a50 = a60; a51 = a61;
    a60 = a70; a61 = a71;
  }
}
