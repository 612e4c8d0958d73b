/** A camera for Chromium that shows a picture: its fake device plays a file of raw video. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';

/** Pixels of the video on each pixel of the picture, so that little is lost when it is made small again. */
const SCALE = 10;

/**
 * Chromium's flags for it.
 * @param picture a gray picture's file
 * @param folder where the video is put
 */
export async function cameraFlags(picture: string, folder: string): Promise<string[]> {
  const { data, info } = await sharp(picture).grayscale().raw().toBuffer({ resolveWithObject: true });
  const [width, height] = [info.width * SCALE, info.height * SCALE];
  const luma = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    // Video's black is 16, its white 235.
    for (let x = 0; x < width; x++) luma[y * width + x] = 16 + Math.round((data[Math.floor(y / SCALE) * info.width + Math.floor(x / SCALE)] * 219) / 255);
  }
  const frame = [Buffer.from('FRAME\n'), luma, Buffer.alloc((width * height) / 2, 128)];
  const path = join(folder, 'camera.y4m');
  await writeFile(path, Buffer.concat([Buffer.from(`YUV4MPEG2 W${width} H${height} F30:1 Ip A1:1 C420jpeg\n`), ...frame, ...frame]));
  return ['--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream', `--use-file-for-fake-video-capture=${path}`];
}
