// preprocess: an image to one slot of a network's input: antialiased resize, centre crop, flip, normalisation.
//
//   y[image, oy, ox, c] = (level of c at (ox, oy)) * scale[c] + shift[c]    levels are 0..255, 0 outside the image
//
//   source  [height, width] texture of any kind; the host writes its binding, and `fn pixel(at: vec2u) -> vec3f`, which gives
//           one of its pixels as sRGB levels in 0..1, in front of this file
//   rows    [rows, outWidth] packed RGB, 8 bits each: source rows firstRow, firstRow + 1, ... resized in x
//   y       [N, outHeight, outWidth] vec4
//
// Pillow's BILINEAR, but in float32 instead of fixed point: a triangle that reaches one pixel to both sides, of the
// source when enlarging, of the target when reducing; weights normalised over the taps inside the image; first x, then
// y, and each result rounded to 8 bits. Two passes, since one would need the product of both numbers of taps.
//
// One invocation of `resizeRows` writes one pixel of rows, one of `resizeColumns` one vec4 of y.

struct Sizes {
  toSource: mat3x3f, // target to source coordinates, axis-aligned; pixel i spans i to i + 1
  scale: vec4f,      // 0 in padding lanes, as shift
  shift: vec4f,
  outHeight: u32,
  outWidth: u32,
  firstRow: u32,
  rows: u32,
  image: u32,        // slot of the batch
}

// ITU-R 601 luma before the resize, as convert('L').
override GRAY: bool = false;

// Rounds levels to whole ones, halves up as Pillow does: float32 may put what ends in exactly .5 a hair below.
const HALF = 0.5 + 1.0 / 8192;

@group(0) @binding(1) var<storage, read_write> rows: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<Stored>;
@group(0) @binding(3) var<uniform> sizes: Sizes;

// The source pixels, along one axis, that one target pixel is made of.
struct Taps {
  center: f32,
  steepness: f32, // of the triangle, per source pixel
  begin: u32,
  end: u32,
}

fn taps(center: f32, sourcePixels: f32, size: u32) -> Taps {
  let reach = max(abs(sourcePixels), 1);
  let begin = u32(max(center - reach + 0.5, 0));
  let end = min(u32(max(center + reach + 0.5, 0)), size);
  return Taps(center, 1 / reach, begin, end);
}

fn weight(t: Taps, i: u32) -> f32 {
  return max(1 - abs(f32(i) + 0.5 - t.center) * t.steepness, 0);
}

fn sourceCenter(x: u32, y: u32) -> vec2f {
  return (sizes.toSource * vec3f(f32(x) + 0.5, f32(y) + 0.5, 1)).xy;
}

fn isInside(center: f32, size: u32) -> bool {
  return center >= 0 && center < f32(size);
}

// The level that stands for so much light, for sources that give light: whole 8-bit ones, which is what they hold.
fn levelOf(light: vec3f) -> vec3f {
  let level = select(1.055 * pow(light, vec3f(1 / 2.4)) - 0.055, 12.92 * light, light <= vec3f(0.0031308));
  return round(level * 255) / 255;
}

// What the network sees of one source pixel, in 0..1.
fn texel(x: u32, y: u32) -> vec3f {
  let rgb = pixel(vec2u(x, y));
  if (!GRAY) { return rgb; }
  // Whole numbers below 2^24 throughout, so exact.
  let levels = round(rgb * 255);
  return vec3f(floor((levels.r * 19595 + levels.g * 38470 + levels.b * 7471 + 32768) / 65536) / 255, 0, 0);
}

@compute @workgroup_size(64)
fn resizeRows(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let index = (group.y * groups.x + group.x) * 64 + local;
  if (index >= sizes.rows * sizes.outWidth) { return; }
  let row = index / sizes.outWidth;
  let width = textureDimensions(source).x;
  let center = sourceCenter(index - row * sizes.outWidth, 0).x;
  if (!isInside(center, width)) { return; } // `resizeColumns` does not read it.
  let t = taps(center, sizes.toSource[0][0], width);

  var sum = vec3f(0);
  var total = 0f;
  for (var x = t.begin; x < t.end; x++) {
    let w = weight(t, x);
    sum += w * texel(x, sizes.firstRow + row);
    total += w;
  }
  let rgb = vec3u(sum * (255 / total) + HALF);
  rows[index] = rgb.r | (rgb.g << 8) | (rgb.b << 16);
}

@compute @workgroup_size(64)
fn resizeColumns(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let index = (group.y * groups.x + group.x) * 64 + local;
  let pixels = sizes.outHeight * sizes.outWidth;
  if (index >= pixels) { return; }
  let oy = index / sizes.outWidth;
  let ox = index - oy * sizes.outWidth;
  let center = sourceCenter(ox, oy);
  let size = textureDimensions(source);

  var rgb = vec3f(0);
  if (isInside(center.x, size.x) && isInside(center.y, size.y)) {
    let t = taps(center.y, sizes.toSource[1][1], size.y);
    var sum = vec3f(0);
    var total = 0f;
    for (var row = t.begin; row < t.end; row++) {
      let w = weight(t, row);
      let packed = rows[(row - sizes.firstRow) * sizes.outWidth + ox];
      sum += w * vec3f(vec3u(packed, packed >> 8, packed >> 16) & vec3u(255));
      total += w;
    }
    rgb = floor(sum / total + HALF);
  }
  y[sizes.image * pixels + index] = Stored(vec4f(rgb, 0) * sizes.scale + sizes.shift);
}
