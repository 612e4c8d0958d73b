// conv2d-quad-8x32: tile of 8 pixels x 32 output channels per four invocations (a quad). Begins with conv2d.wgsl.
//
//   weights  texture: row r holds inputs 4 r .. 4 r + 3 of a window, in the order (ky, kx, ci); in it, each channel tile's
//            32 texels lie together: [input of the four][8 vec4 over output channels]
//
// For software adapters (SwiftShader), where loading a vec4 from a buffer costs as much as some 20 multiply-adds of one:
//
// - The quad shares its pixels: each invocation loads a quarter of them and hands them to the others. Each has its own
//   output channels. Where no more than 16 channels are left, a tile computes them for 16 pixels: what would be an
//   invocation's second vec4 of channels is then the first one again, 8 pixels on.
// - Weights come from a texture through a nearest sampler. SwiftShader fetches a texel as one 16 byte load, a buffer's
//   vec4 as four tested scalars. textureLoad would be as slow as a buffer: its coordinates are clamped one by one.
//
// Takes an adapter whose subgroups put invocations 4 n .. 4 n + 3 into one quad, which WGSL does not promise; and no groups.

@group(0) @binding(1) var weights: texture_2d<f32>;
@group(0) @binding(10) var nearest: sampler;

// Invocations of a workgroup: a few tiles are spread over more cores by small ones, many cost less in larger ones.
override WORKGROUP: u32 = 16;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let first = (group.y * groups.x + group.x) * WORKGROUP;
  let invocation = first + local;
  copy(invocation);
  // Only whole workgroups return, as quadBroadcast asks for uniform control flow. What lies past the last tile is not stored.
  if (first >= sizes.tiles * 4) { return; }
  let lane = invocation & 3;
  let tile = invocation >> 2;
  let isWhole = tile < sizes.wholeTiles;
  let pixelTile = tile / sizes.channelTiles;
  let firstVector = select(sizes.restVector, (tile - pixelTile * sizes.channelTiles) * 8, isWhole);
  let vector = firstVector + lane;
  let pixel = select((tile - sizes.wholeTiles) * 16, pixelTile * 8, isWhole);
  let secondVector = select(vector, vector + 4, isWhole);
  let secondPixel = select(pixel + 8, pixel, isWhole);
  let last = sizes.pixels - 1; // Tiles that reach past the end compute its last pixel again and do not store it.

  let p0 = window(min(pixel + lane, last));
  let p1 = window(min(pixel + 4 + lane, last));

  let bias0 = params[vector];
  let bias1 = params[secondVector];
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
  // Of two loops, the one without iterations costs nothing.
  for (var ky = 0u; ky < select(0, sizes.kernelSize, isWhole); ky++) {
    let down = i32(ky * sizes.inWidth * sizes.inVectors);
    let s0 = p0.start + down;
    let s1 = p1.start + down;
    let n0 = rowInside(p0, ky);
    let n1 = rowInside(p1, ky);
    step += f32(begin);
    for (var i = begin; i < sizes.runVectors; i++) {
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
  }
  for (var ky = 0u; ky < select(sizes.kernelSize, 0, isWhole); ky++) {
    let p2 = window(min(pixel + 8 + lane, last));
    let p3 = window(min(pixel + 12 + lane, last));
    let down = i32(ky * sizes.inWidth * sizes.inVectors);
    let s0 = p0.start + down;
    let s1 = p1.start + down;
    let s2 = p2.start + down;
    let s3 = p3.start + down;
    let n0 = rowInside(p0, ky);
    let n1 = rowInside(p1, ky);
    let n2 = rowInside(p2, ky);
    let n3 = rowInside(p3, ky);
    step += f32(begin);
    for (var i = begin; i < sizes.runVectors; i++) {
      let own0 = load(s0, i, p0, n0);
      let own1 = load(s1, i, p1, n1);
      let own2 = load(s2, i, p2, n2);
      let own3 = load(s3, i, p3, n3);
      let v = step * row;
      step += 1;
      let wx = textureSampleLevel(weights, nearest, vec2f(ux0, v), 0);
      let wy = textureSampleLevel(weights, nearest, vec2f(uy0, v), 0);
      let wz = textureSampleLevel(weights, nearest, vec2f(uz0, v), 0);
      let ww = textureSampleLevel(weights, nearest, vec2f(uw0, v), 0);

      let x0 = quadBroadcast(own0, 0);
      a00 += x0.x * wx + x0.y * wy + x0.z * wz + x0.w * ww;
      let x1 = quadBroadcast(own0, 1);
      a10 += x1.x * wx + x1.y * wy + x1.z * wz + x1.w * ww;
      let x2 = quadBroadcast(own0, 2);
      a20 += x2.x * wx + x2.y * wy + x2.z * wz + x2.w * ww;
      let x3 = quadBroadcast(own0, 3);
      a30 += x3.x * wx + x3.y * wy + x3.z * wz + x3.w * ww;
      let x4 = quadBroadcast(own1, 0);
      a40 += x4.x * wx + x4.y * wy + x4.z * wz + x4.w * ww;
      let x5 = quadBroadcast(own1, 1);
      a50 += x5.x * wx + x5.y * wy + x5.z * wz + x5.w * ww;
      let x6 = quadBroadcast(own1, 2);
      a60 += x6.x * wx + x6.y * wy + x6.z * wz + x6.w * ww;
      let x7 = quadBroadcast(own1, 3);
      a70 += x7.x * wx + x7.y * wy + x7.z * wz + x7.w * ww;
      let x8 = quadBroadcast(own2, 0);
      a01 += x8.x * wx + x8.y * wy + x8.z * wz + x8.w * ww;
      let x9 = quadBroadcast(own2, 1);
      a11 += x9.x * wx + x9.y * wy + x9.z * wz + x9.w * ww;
      let x10 = quadBroadcast(own2, 2);
      a21 += x10.x * wx + x10.y * wy + x10.z * wz + x10.w * ww;
      let x11 = quadBroadcast(own2, 3);
      a31 += x11.x * wx + x11.y * wy + x11.z * wz + x11.w * ww;
      let x12 = quadBroadcast(own3, 0);
      a41 += x12.x * wx + x12.y * wy + x12.z * wz + x12.w * ww;
      let x13 = quadBroadcast(own3, 1);
      a51 += x13.x * wx + x13.y * wy + x13.z * wz + x13.w * ww;
      let x14 = quadBroadcast(own3, 2);
      a61 += x14.x * wx + x14.y * wy + x14.z * wz + x14.w * ww;
      let x15 = quadBroadcast(own3, 3);
      a71 += x15.x * wx + x15.y * wy + x15.z * wz + x15.w * ww;
    }
  }

  // One pixel at a time, the others move up: what a store may have to do is much code, and an array would be indexed in memory.
  let place0 = storesOf(vector);
  let place1 = storesOf(secondVector);
  for (var p = 0u; p < 8; p += 1) {
    store(pixel + p, a00, place0);
    store(secondPixel + p, a01, place1);
    a00 = a10; a01 = a11;
    a10 = a20; a11 = a21;
    a20 = a30; a21 = a31;
    a30 = a40; a31 = a41;
    a40 = a50; a41 = a51;
    a50 = a60; a51 = a61;
    a60 = a70; a61 = a71;
  }
}
