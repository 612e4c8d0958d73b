// conv2d-shared-32x32: tile of 32 pixels x 32 output channels per workgroup of 64, each invocation 4 pixels x 4 output channels.
// Begins with conv2d.wgsl and conv2d-shared.wgsl.
//
// For smaller maps, fewer channels and GPUs with few registers: 8 vec4s of workgroup memory for 64 multiply-adds. 4 KiB in f32.

var<workgroup> xs: array<Stored, 128>;  // [32 pixels][4 vec4 over inputs]
var<workgroup> ws: array<Stored, 128>;  // [16 inputs][8 vec4 over outputs]

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let tile = group.y * groups.x + group.x;
  copy(tile * 64 + local);
  if (tile >= sizes.tiles) { return; }
  let pixelTile = tile / sizes.channelTiles;
  let firstVector = (tile - pixelTile * sizes.channelTiles) * 8;
  let firstPixel = pixelTile * 32;
  let last = sizes.pixels - 1; // Tiles that reach past the end compute its last pixel again and do not store it.

  // What it stages of each block: of 2 pixels vec4 `xLane`, of 2 inputs a vec4 of weights.
  let xLane = local & 3;
  let xPixel = firstPixel + (local >> 2);
  let p0 = window(min(xPixel, last));
  let p1 = window(min(xPixel + 16, last));
  let wVector = firstVector + (local & 7);
  let wInput = local >> 3;

  // What it sums: every 8th pixel from `row` on, vec4 `column` of the outputs.
  let column = local & 7;
  let row = local >> 3;
  let bias = params[firstVector + column];
  var a0 = bias;
  var a1 = bias;
  var a2 = bias;
  var a3 = bias;

  let begin = firstOfRun(firstVector + 8);
  let blocks = sizes.kernelSize * blocksOfRun(begin);
  var ky = 0u;
  var i = begin;
  var nextX0 = stagedInput(p0, ky, i + xLane);
  var nextX1 = stagedInput(p1, ky, i + xLane);
  var nextW0 = stagedWeight(ky, i, wInput, wVector);
  var nextW1 = stagedWeight(ky, i, wInput + 8, wVector);
  for (var block = 0u; block < blocks; block++) {
    xs[local] = nextX0;
    xs[local + 64] = nextX1;
    ws[local] = nextW0;
    ws[local + 64] = nextW1;
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
      let wx = vec4f(ws[j * 32 + column]);
      a0 += x0.x * wx;
      a1 += x1.x * wx;
      a2 += x2.x * wx;
      a3 += x3.x * wx;
      let wy = vec4f(ws[j * 32 + 8 + column]);
      a0 += x0.y * wy;
      a1 += x1.y * wy;
      a2 += x2.y * wy;
      a3 += x3.y * wy;
      let wz = vec4f(ws[j * 32 + 16 + column]);
      a0 += x0.z * wz;
      a1 += x1.z * wz;
      a2 += x2.z * wz;
      a3 += x3.z * wz;
      let ww = vec4f(ws[j * 32 + 24 + column]);
      a0 += x0.w * ww;
      a1 += x1.w * ww;
      a2 += x2.w * ww;
      a3 += x3.w * ww;
    }
    workgroupBarrier();
  }

  // One pixel at a time, the others move up: what a store may have to do is much code, and an array would be indexed in memory.
  let place = storesOf(firstVector + column);
  for (var pixel = firstPixel + row; pixel < firstPixel + 32; pixel += 8) {
    store(pixel, a0, place);
    a0 = a1;
    a1 = a2;
    a2 = a3;
  }
}
