// conv2d-shared-64x64: tile of 64 pixels x 64 output channels per workgroup of 128, each invocation 8 pixels x 4 output channels.
// Begins with conv2d.wgsl and conv2d-shared.wgsl.
//
// For layers with work for the whole GPU. Per 4 inputs an invocation reads 12 vec4s of workgroup memory for 128 multiply-adds.
// 8 KiB of workgroup memory in f32, so that several workgroups fit side by side and hide each other's barriers.

var<workgroup> xs: array<Stored, 256>;  // [64 pixels][4 vec4 over inputs]
var<workgroup> ws: array<Stored, 256>;  // [16 inputs][16 vec4 over outputs]

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let tile = group.y * groups.x + group.x;
  copy(tile * 128 + local);
  if (tile >= sizes.tiles) { return; }
  let pixelTile = tile / sizes.channelTiles;
  let firstVector = (tile - pixelTile * sizes.channelTiles) * 16;
  let firstPixel = pixelTile * 64;
  let last = sizes.pixels - 1; // Tiles that reach past the end compute its last pixel again and do not store it.

  // What it stages of each block: of 2 pixels vec4 `xLane`, of 2 inputs a vec4 of weights.
  let xLane = local & 3;
  let xPixel = firstPixel + (local >> 2);
  let p0 = window(min(xPixel, last));
  let p1 = window(min(xPixel + 32, last));
  let wVector = firstVector + (local & 15);
  let wInput = local >> 4;

  // What it sums: every 8th pixel from `row` on, vec4 `column` of the outputs.
  let column = local & 15;
  let row = local >> 4;
  let bias = params[firstVector + column];
  var a0 = bias;
  var a1 = bias;
  var a2 = bias;
  var a3 = bias;
  var a4 = bias;
  var a5 = bias;
  var a6 = bias;
  var a7 = bias;

  let begin = firstOfRun(firstVector + 16);
  let blocks = sizes.kernelSize * blocksOfRun(begin);
  var ky = 0u;
  var i = begin;
  var nextX0 = stagedInput(p0, ky, i + xLane);
  var nextX1 = stagedInput(p1, ky, i + xLane);
  var nextW0 = stagedWeight(ky, i, wInput, wVector);
  var nextW1 = stagedWeight(ky, i, wInput + 8, wVector);
  for (var block = 0u; block < blocks; block++) {
    xs[local] = nextX0;
    xs[local + 128] = nextX1;
    ws[local] = nextW0;
    ws[local + 128] = nextW1;
    workgroupBarrier();
    // The next block is on its way while this one is summed.
    i += 4;
    if (i >= sizes.runVectors) { i = begin; ky++; }
    if (ky < sizes.kernelSize) {
      nextX0 = stagedInput(p0, ky, i + xLane);
      nextX1 = stagedInput(p1, ky, i + xLane);
      nextW0 = stagedWeight(ky, i, wInput, wVector);
      nextW1 = stagedWeight(ky, i, wInput + 8, wVector);
    }
    for (var j = 0u; j < 4; j++) {
      let x0 = vec4f(xs[row * 4 + j]);
      let x1 = vec4f(xs[row * 4 + 32 + j]);
      let x2 = vec4f(xs[row * 4 + 64 + j]);
      let x3 = vec4f(xs[row * 4 + 96 + j]);
      let x4 = vec4f(xs[row * 4 + 128 + j]);
      let x5 = vec4f(xs[row * 4 + 160 + j]);
      let x6 = vec4f(xs[row * 4 + 192 + j]);
      let x7 = vec4f(xs[row * 4 + 224 + j]);
      let wx = vec4f(ws[j * 64 + column]);
      a0 += x0.x * wx;
      a1 += x1.x * wx;
      a2 += x2.x * wx;
      a3 += x3.x * wx;
      a4 += x4.x * wx;
      a5 += x5.x * wx;
      a6 += x6.x * wx;
      a7 += x7.x * wx;
      let wy = vec4f(ws[j * 64 + 16 + column]);
      a0 += x0.y * wy;
      a1 += x1.y * wy;
      a2 += x2.y * wy;
      a3 += x3.y * wy;
      a4 += x4.y * wy;
      a5 += x5.y * wy;
      a6 += x6.y * wy;
      a7 += x7.y * wy;
      let wz = vec4f(ws[j * 64 + 32 + column]);
      a0 += x0.z * wz;
      a1 += x1.z * wz;
      a2 += x2.z * wz;
      a3 += x3.z * wz;
      a4 += x4.z * wz;
      a5 += x5.z * wz;
      a6 += x6.z * wz;
      a7 += x7.z * wz;
      let ww = vec4f(ws[j * 64 + 48 + column]);
      a0 += x0.w * ww;
      a1 += x1.w * ww;
      a2 += x2.w * ww;
      a3 += x3.w * ww;
      a4 += x4.w * ww;
      a5 += x5.w * ww;
      a6 += x6.w * ww;
      a7 += x7.w * ww;
    }
    workgroupBarrier();
  }

  // One pixel at a time, the others move up: what a store may have to do is much code, and an array would be indexed in memory.
  let place = storesOf(firstVector + column);
  for (var pixel = firstPixel + row; pixel < firstPixel + 64; pixel += 8) {
    store(pixel, a0, place);
    a0 = a1;
    a1 = a2;
    a2 = a3;
    a3 = a4;
    a4 = a5;
    a5 = a6;
    a6 = a7;
  }
}
