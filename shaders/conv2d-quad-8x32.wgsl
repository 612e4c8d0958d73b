// conv2d-quad-8x32: tile of 8 pixels x 32 output channels per four invocations (a quad). Begins with conv2d.wgsl.
//
//   weights  texture: row r holds inputs 4 r .. 4 r + 3 of a window, in the order (ky, kx, ci); in it, each channel tile's
//            32 texels lie together: [input of the four][8 vec4 over output channels]
//
// For software adapters (SwiftShader), where loading a vec4 from a buffer costs as much as some 20 multiply-adds of one:
//
// - The quad shares its pixels: each invocation loads a quarter of them and hands them to the others. Each has its own
//   output channels.
// - Weights come from a texture through a nearest sampler. SwiftShader fetches a texel as one 16 byte load, a buffer's
//   vec4 as four tested scalars. textureLoad would be as slow as a buffer: its coordinates are clamped one by one.
//
// Takes an adapter whose subgroups put invocations 4 n .. 4 n + 3 into one quad, which WGSL does not promise; and no groups.

@group(0) @binding(1) var weights: texture_2d<f32>;
@group(0) @binding(10) var nearest: sampler;

@compute @workgroup_size(16)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let first = (group.y * groups.x + group.x) * 16;
  let invocation = first + local;
  copy(invocation);
  // Only whole workgroups return, as quadBroadcast asks for uniform control flow. What lies past the last tile is not stored.
  if (first >= sizes.tiles * 4) { return; }
  let lane = invocation & 3;
  let tile = invocation >> 2;
  let pixelTile = tile / sizes.channelTiles;
  let firstVector = (tile - pixelTile * sizes.channelTiles) * 8;
  let vector = firstVector + lane; // and every fourth from there
  let pixel = pixelTile * 8;
  let last = sizes.pixels - 1; // Tiles that reach past the end compute its last pixel again and do not store it.

  let p0 = window(min(pixel + lane, last));
  let p1 = window(min(pixel + 4 + lane, last));

  let bias0 = params[vector];
  let bias1 = params[vector + 4];
  var a00 = bias0; var a01 = bias1;
  var a10 = bias0; var a11 = bias1;
  var a20 = bias0; var a21 = bias1;
  var a30 = bias0; var a31 = bias1;
  var a40 = bias0; var a41 = bias1;
  var a50 = bias0; var a51 = bias1;
  var a60 = bias0; var a61 = bias1;
  var a70 = bias0; var a71 = bias1;

  // Texel centres. The columns stay, the row moves on with each vec4 of input.
  let texel = f32(firstVector * 4 + lane) + 0.5;
  let column = 1 / f32(sizes.weightVectors * 4);
  let ux0 = texel * column; let ux1 = (texel + 4) * column;
  let uy0 = (texel + 8) * column; let uy1 = (texel + 12) * column;
  let uz0 = (texel + 16) * column; let uz1 = (texel + 20) * column;
  let uw0 = (texel + 24) * column; let uw1 = (texel + 28) * column;
  let row = 1 / f32(sizes.kernelSize * sizes.runVectors);
  var step = 0.5;

  let begin = firstOfRun(firstVector + 8);
  // A tile with no more than half of its channels has a loop of its own: of two loops, the one without iterations costs nothing.
  let isWhole = firstVector + 4 < sizes.outVectors;
  let endOfWhole = select(begin, sizes.runVectors, isWhole);
  let endOfHalf = select(sizes.runVectors, begin, isWhole);

  for (var ky = 0u; ky < sizes.kernelSize; ky++) {
    let down = i32(ky * sizes.inWidth * sizes.inVectors);
    let s0 = p0.start + down;
    let s1 = p1.start + down;
    let n0 = rowInside(p0, ky);
    let n1 = rowInside(p1, ky);
    step += f32(begin);
    for (var i = begin; i < endOfWhole; i++) {
      let own0 = load(s0, i, p0, n0);
      let own1 = load(s1, i, p1, n1);
      let v = step * row;
      step += 1;
      let wx0 = textureSampleLevel(weights, nearest, vec2f(ux0, v), 0); let wx1 = textureSampleLevel(weights, nearest, vec2f(ux1, v), 0);
      let wy0 = textureSampleLevel(weights, nearest, vec2f(uy0, v), 0); let wy1 = textureSampleLevel(weights, nearest, vec2f(uy1, v), 0);
      let wz0 = textureSampleLevel(weights, nearest, vec2f(uz0, v), 0); let wz1 = textureSampleLevel(weights, nearest, vec2f(uz1, v), 0);
      let ww0 = textureSampleLevel(weights, nearest, vec2f(uw0, v), 0); let ww1 = textureSampleLevel(weights, nearest, vec2f(uw1, v), 0);

      let x0 = quadBroadcast(own0, 0);
      a00 += x0.x * wx0 + x0.y * wy0 + x0.z * wz0 + x0.w * ww0;
      a01 += x0.x * wx1 + x0.y * wy1 + x0.z * wz1 + x0.w * ww1;
      let x1 = quadBroadcast(own0, 1);
      a10 += x1.x * wx0 + x1.y * wy0 + x1.z * wz0 + x1.w * ww0;
      a11 += x1.x * wx1 + x1.y * wy1 + x1.z * wz1 + x1.w * ww1;
      let x2 = quadBroadcast(own0, 2);
      a20 += x2.x * wx0 + x2.y * wy0 + x2.z * wz0 + x2.w * ww0;
      a21 += x2.x * wx1 + x2.y * wy1 + x2.z * wz1 + x2.w * ww1;
      let x3 = quadBroadcast(own0, 3);
      a30 += x3.x * wx0 + x3.y * wy0 + x3.z * wz0 + x3.w * ww0;
      a31 += x3.x * wx1 + x3.y * wy1 + x3.z * wz1 + x3.w * ww1;
      let x4 = quadBroadcast(own1, 0);
      a40 += x4.x * wx0 + x4.y * wy0 + x4.z * wz0 + x4.w * ww0;
      a41 += x4.x * wx1 + x4.y * wy1 + x4.z * wz1 + x4.w * ww1;
      let x5 = quadBroadcast(own1, 1);
      a50 += x5.x * wx0 + x5.y * wy0 + x5.z * wz0 + x5.w * ww0;
      a51 += x5.x * wx1 + x5.y * wy1 + x5.z * wz1 + x5.w * ww1;
      let x6 = quadBroadcast(own1, 2);
      a60 += x6.x * wx0 + x6.y * wy0 + x6.z * wz0 + x6.w * ww0;
      a61 += x6.x * wx1 + x6.y * wy1 + x6.z * wz1 + x6.w * ww1;
      let x7 = quadBroadcast(own1, 3);
      a70 += x7.x * wx0 + x7.y * wy0 + x7.z * wz0 + x7.w * ww0;
      a71 += x7.x * wx1 + x7.y * wy1 + x7.z * wz1 + x7.w * ww1;
    }
    for (var i = begin; i < endOfHalf; i++) {
      let own0 = load(s0, i, p0, n0);
      let own1 = load(s1, i, p1, n1);
      let v = step * row;
      step += 1;
      let wx0 = textureSampleLevel(weights, nearest, vec2f(ux0, v), 0);
      let wy0 = textureSampleLevel(weights, nearest, vec2f(uy0, v), 0);
      let wz0 = textureSampleLevel(weights, nearest, vec2f(uz0, v), 0);
      let ww0 = textureSampleLevel(weights, nearest, vec2f(uw0, v), 0);

      let x0 = quadBroadcast(own0, 0);
      a00 += x0.x * wx0 + x0.y * wy0 + x0.z * wz0 + x0.w * ww0;
      let x1 = quadBroadcast(own0, 1);
      a10 += x1.x * wx0 + x1.y * wy0 + x1.z * wz0 + x1.w * ww0;
      let x2 = quadBroadcast(own0, 2);
      a20 += x2.x * wx0 + x2.y * wy0 + x2.z * wz0 + x2.w * ww0;
      let x3 = quadBroadcast(own0, 3);
      a30 += x3.x * wx0 + x3.y * wy0 + x3.z * wz0 + x3.w * ww0;
      let x4 = quadBroadcast(own1, 0);
      a40 += x4.x * wx0 + x4.y * wy0 + x4.z * wz0 + x4.w * ww0;
      let x5 = quadBroadcast(own1, 1);
      a50 += x5.x * wx0 + x5.y * wy0 + x5.z * wz0 + x5.w * ww0;
      let x6 = quadBroadcast(own1, 2);
      a60 += x6.x * wx0 + x6.y * wy0 + x6.z * wz0 + x6.w * ww0;
      let x7 = quadBroadcast(own1, 3);
      a70 += x7.x * wx0 + x7.y * wy0 + x7.z * wz0 + x7.w * ww0;
    }
  }

  // One pixel at a time, the others move up: what a store may have to do is much code, and an array would be indexed in memory.
  let place0 = storesOf(vector);
  let place1 = storesOf(vector + 4);
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
