/**
 * Makes the page's bundled pictures, `public/images/fashion-mnist/`, from the Fashion-MNIST test set in `test/data/`:
 * the first two of every class in the order of the test set, so that nobody picked them by what the networks make of
 * them.
 */

import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import sharp from 'sharp';

const PER_CLASS = 2;
const SIDE = 28;
const IMAGES_HEADER_BYTES = 16;
const LABELS_HEADER_BYTES = 8;
const CLASSES = [
  'T-shirt/top',
  'Trouser',
  'Pullover',
  'Dress',
  'Coat',
  'Sandal',
  'Shirt',
  'Sneaker',
  'Bag',
  'Ankle boot',
];

const path = (name) => fileURLToPath(new URL(`../${name}`, import.meta.url));
const unpacked = (name) => gunzipSync(readFileSync(path(`test/data/${name}`)));
const images = unpacked('t10k-images-idx3-ubyte.gz').subarray(IMAGES_HEADER_BYTES);
const classes = unpacked('t10k-labels-idx1-ubyte.gz').subarray(LABELS_HEADER_BYTES);
const folder = path('public/images/fashion-mnist/');
mkdirSync(folder, { recursive: true });

const samples = [];
for (const [classIndex, label] of CLASSES.entries()) {
  const indices = [...classes.keys()].filter((index) => classes[index] === classIndex).slice(0, PER_CLASS);
  for (const index of indices) {
    const file = `test-${String(index).padStart(4, '0')}.png`;
    const pixels = images.subarray(index * SIDE * SIDE, (index + 1) * SIDE * SIDE);
    await sharp(pixels, { raw: { width: SIDE, height: SIDE, channels: 1 } })
      .toColourspace('b-w')
      .png({ compressionLevel: 9, palette: false })
      .toFile(`${folder}${file}`);
    samples.push({ file, label, index });
  }
}

const reference = JSON.parse(readFileSync(path('test/data/reference.json'), 'utf8'));
const correct = Object.entries(reference).map(([file, { correctOf10000 }]) => [file, correctOf10000]);
const description = {
  choice: `the first ${PER_CLASS} images of every class, in the order of the test set`,
  testSet: { images: classes.length, correctInPyTorch: Object.fromEntries(correct) },
  samples,
};
writeFileSync(`${folder}samples.json`, `${JSON.stringify(description, null, 2)}\n`);
copyFileSync(path('test/data/fashion-mnist.LICENSE'), `${folder}LICENSE`);
console.log(`${samples.length} images in public/images/fashion-mnist/`);
