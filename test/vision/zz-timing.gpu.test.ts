import { test } from 'vitest';
import { useGpu } from '../support/gpu.ts';
import { ImagePreprocessor } from '../../src/vision/image-preprocessor.ts';
import { uploadImage } from '../../src/vision/image-source.ts';
import { targetToSource, rowRange, writeSizes, SIZES_BYTES } from '../../src/vision/preprocess.ts';
import { IMAGENET_PREPROCESS } from '../../src/models/preprocess.ts';
import code from '../../shaders/preprocess.wgsl?raw';
const gpu = useGpu();
test('time', async () => {
  const { device } = gpu.engine;
  const pre = await ImagePreprocessor.create(device);
  const target = device.createBuffer({ size: 224 * 224 * 16, usage: GPUBufferUsage.STORAGE });
  for (const [w, h] of [[4000, 3000], [1280, 720], [451, 300]]) {
    const data = new Uint8Array(w * h * 4).map((_, i) => (i * 7919) >> 5);
    for (let r = 0; r < 3; r++) {
      const t0 = performance.now();
      const p = await pre.prepare([{ width: w, height: h, data }], IMAGENET_PREPROCESS, { n: 1, h: 224, w: 224, c: 3 }, target);
      await device.queue.onSubmittedWorkDone();
      const t1 = performance.now();
      const e = device.createCommandEncoder(); p.encode(e); device.queue.submit([e.finish()]);
      await device.queue.onSubmittedWorkDone();
      console.log(w, h, 'two pass: upload', (t1 - t0).toFixed(1), 'gpu', (performance.now() - t1).toFixed(1));
      p.release();
    }
    continue;
    const single = code.slice(0, code.indexOf('@compute')) + `
@compute @workgroup_size(64)
fn single(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let index = (group.y * groups.x + group.x) * 64 + local;
  let pixels = sizes.outHeight * sizes.outWidth;
  if (index >= pixels) { return; }
  let oy = index / sizes.outWidth;
  let ox = index - oy * sizes.outWidth;
  let center = sourceCenter(ox, oy);
  let size = textureDimensions(source);
  let ty = taps(center.y, sizes.toSource[1][1], size.y);
  let tx = taps(center.x, sizes.toSource[0][0], size.x);
  var sum = vec3f(0); var total = 0f;
  for (var yy = ty.begin; yy < ty.end; yy++) {
    let wy = weight(ty, yy);
    for (var x = tx.begin; x < tx.end; x++) { let w = wy * weight(tx, x); sum += w * levels(x, yy); total += w; }
  }
  y[sizes.image * pixels + index] = vec4f(sum / total, 0) * sizes.scale + sizes.shift;
}`;
    const module = device.createShaderModule({ code: single });
    const pipeline = await device.createComputePipelineAsync({ layout: 'auto', compute: { module } });
    const texture = await uploadImage(device, { width: w, height: h, data });
    const mapping = { source: { width: w, height: h }, target: { width: 224, height: 224 }, shorter: 256 };
    const toSource = targetToSource(mapping);
    const b = new ArrayBuffer(SIZES_BYTES); writeSizes(b, 0, { mapping, toSource, range: rowRange(mapping, toSource), preprocess: IMAGENET_PREPROCESS, image: 0 });
    const sizes = device.createBuffer({ size: SIZES_BYTES, usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST });
    device.queue.writeBuffer(sizes, 0, b);
    const g = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries: [{ binding: 0, resource: texture.createView() }, { binding: 2, resource: { buffer: target } }, { binding: 3, resource: { buffer: sizes } }] });
    await device.queue.onSubmittedWorkDone();
    for (let r = 0; r < 3; r++) {
      const t = performance.now();
      const e = device.createCommandEncoder(); const p = e.beginComputePass(); p.setPipeline(pipeline); p.setBindGroup(0, g); p.dispatchWorkgroups(Math.ceil(224 * 224 / 64)); p.end(); device.queue.submit([e.finish()]);
      await device.queue.onSubmittedWorkDone();
      console.log(w, h, 'single', (performance.now() - t).toFixed(1));
    }
    texture.destroy();
  }
});
