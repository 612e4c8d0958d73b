// conv2d-quad-16x20: tile of 16 pixels x 20 output channels per four invocations (a quad). Begins with conv2d.wgsl.
//
//   weights  texture: row r holds inputs 4 r .. 4 r + 3 of a window, in the order (ky, kx, ci); in it, each channel tile's
//            20 texels lie together: [input of the four][5 vec4 over output channels]
//
// As conv2d-quad-8x32.wgsl, but the quad shares its weights and each invocation has pixels of its own: for layers so narrow
// that four invocations would not each find output channels.
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
  let pixelTile = tile / sizes.channelTiles;
  let vector = (tile - pixelTile * sizes.channelTiles) * 5;
  let pixel = (pixelTile * 4 + lane) * 4;
  let last = sizes.pixels - 1; // Tiles that reach past the end compute its last pixel again and do not store it.

  let p0 = window(min(pixel, last));
  let p1 = window(min(pixel + 1, last));
  let p2 = window(min(pixel + 2, last));
  let p3 = window(min(pixel + 3, last));

  let bias0 = params[vector];
  let bias1 = params[vector + 1];
  let bias2 = params[vector + 2];
  let bias3 = params[vector + 3];
  let bias4 = params[vector + 4];
  var a00 = bias0; var a01 = bias1; var a02 = bias2; var a03 = bias3; var a04 = bias4;
  var a10 = bias0; var a11 = bias1; var a12 = bias2; var a13 = bias3; var a14 = bias4;
  var a20 = bias0; var a21 = bias1; var a22 = bias2; var a23 = bias3; var a24 = bias4;
  var a30 = bias0; var a31 = bias1; var a32 = bias2; var a33 = bias3; var a34 = bias4;

  // Texel centres. The columns stay, the row moves on with each vec4 of input.
  let texel = f32(vector * 4 + lane * 5) + 0.5;
  let column = 1 / f32(sizes.weightVectors * 4);
  let u0 = texel * column;
  let u1 = (texel + 1) * column;
  let u2 = (texel + 2) * column;
  let u3 = (texel + 3) * column;
  let u4 = (texel + 4) * column;
  let row = 1 / f32(sizes.kernelSize * sizes.runVectors);
  var step = 0.5;
  let begin = firstOfRun(vector + 5);

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
    step += f32(begin);
    for (var i = begin; i < sizes.runVectors; i++) {
      let x0 = load(s0, i, p0, n0);
      let x1 = load(s1, i, p1, n1);
      let x2 = load(s2, i, p2, n2);
      let x3 = load(s3, i, p3, n3);
      let v = step * row;
      step += 1;
      let own0 = textureSampleLevel(weights, nearest, vec2f(u0, v), 0);
      let own1 = textureSampleLevel(weights, nearest, vec2f(u1, v), 0);
      let own2 = textureSampleLevel(weights, nearest, vec2f(u2, v), 0);
      let own3 = textureSampleLevel(weights, nearest, vec2f(u3, v), 0);
      let own4 = textureSampleLevel(weights, nearest, vec2f(u4, v), 0);

      let wx0 = quadBroadcast(own0, 0); let wx1 = quadBroadcast(own1, 0); let wx2 = quadBroadcast(own2, 0); let wx3 = quadBroadcast(own3, 0); let wx4 = quadBroadcast(own4, 0);
      a00 += x0.x * wx0; a01 += x0.x * wx1; a02 += x0.x * wx2; a03 += x0.x * wx3; a04 += x0.x * wx4;
      a10 += x1.x * wx0; a11 += x1.x * wx1; a12 += x1.x * wx2; a13 += x1.x * wx3; a14 += x1.x * wx4;
      a20 += x2.x * wx0; a21 += x2.x * wx1; a22 += x2.x * wx2; a23 += x2.x * wx3; a24 += x2.x * wx4;
      a30 += x3.x * wx0; a31 += x3.x * wx1; a32 += x3.x * wx2; a33 += x3.x * wx3; a34 += x3.x * wx4;

      let wy0 = quadBroadcast(own0, 1); let wy1 = quadBroadcast(own1, 1); let wy2 = quadBroadcast(own2, 1); let wy3 = quadBroadcast(own3, 1); let wy4 = quadBroadcast(own4, 1);
      a00 += x0.y * wy0; a01 += x0.y * wy1; a02 += x0.y * wy2; a03 += x0.y * wy3; a04 += x0.y * wy4;
      a10 += x1.y * wy0; a11 += x1.y * wy1; a12 += x1.y * wy2; a13 += x1.y * wy3; a14 += x1.y * wy4;
      a20 += x2.y * wy0; a21 += x2.y * wy1; a22 += x2.y * wy2; a23 += x2.y * wy3; a24 += x2.y * wy4;
      a30 += x3.y * wy0; a31 += x3.y * wy1; a32 += x3.y * wy2; a33 += x3.y * wy3; a34 += x3.y * wy4;

      let wz0 = quadBroadcast(own0, 2); let wz1 = quadBroadcast(own1, 2); let wz2 = quadBroadcast(own2, 2); let wz3 = quadBroadcast(own3, 2); let wz4 = quadBroadcast(own4, 2);
      a00 += x0.z * wz0; a01 += x0.z * wz1; a02 += x0.z * wz2; a03 += x0.z * wz3; a04 += x0.z * wz4;
      a10 += x1.z * wz0; a11 += x1.z * wz1; a12 += x1.z * wz2; a13 += x1.z * wz3; a14 += x1.z * wz4;
      a20 += x2.z * wz0; a21 += x2.z * wz1; a22 += x2.z * wz2; a23 += x2.z * wz3; a24 += x2.z * wz4;
      a30 += x3.z * wz0; a31 += x3.z * wz1; a32 += x3.z * wz2; a33 += x3.z * wz3; a34 += x3.z * wz4;

      let ww0 = quadBroadcast(own0, 3); let ww1 = quadBroadcast(own1, 3); let ww2 = quadBroadcast(own2, 3); let ww3 = quadBroadcast(own3, 3); let ww4 = quadBroadcast(own4, 3);
      a00 += x0.w * ww0; a01 += x0.w * ww1; a02 += x0.w * ww2; a03 += x0.w * ww3; a04 += x0.w * ww4;
      a10 += x1.w * ww0; a11 += x1.w * ww1; a12 += x1.w * ww2; a13 += x1.w * ww3; a14 += x1.w * ww4;
      a20 += x2.w * ww0; a21 += x2.w * ww1; a22 += x2.w * ww2; a23 += x2.w * ww3; a24 += x2.w * ww4;
      a30 += x3.w * ww0; a31 += x3.w * ww1; a32 += x3.w * ww2; a33 += x3.w * ww3; a34 += x3.w * ww4;
    }
  }

  // One pixel at a time, the others move up: what a store may have to do is much code, and an array would be indexed in memory.
  let place0 = storesOf(vector);
  let place1 = storesOf(vector + 1);
  let place2 = storesOf(vector + 2);
  let place3 = storesOf(vector + 3);
  let place4 = storesOf(vector + 4);
  for (var p = 0u; p < 4; p += 1) {
    store(pixel + p, a00, place0);
    store(pixel + p, a01, place1);
    store(pixel + p, a02, place2);
    store(pixel + p, a03, place3);
    store(pixel + p, a04, place4);
    a00 = a10; a01 = a11; a02 = a12; a03 = a13; a04 = a14;
    a10 = a20; a11 = a21; a12 = a22; a13 = a23; a14 = a24;
    a20 = a30; a21 = a31; a22 = a32; a23 = a33; a24 = a34;
  }
}
