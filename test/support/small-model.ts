/** A model file for tests that load it often: few kernels, quickly compiled, 28 x 28 images of one channel, 5 classes. */
import { seededModel, writeSafetensors, type Tensor } from '../../src/index.ts';

export function smallModelFile(): Uint8Array<ArrayBuffer> {
  const network = { arch: 'resnet_small14', widths: [8], blocksPerStage: 1, classes: 5 };
  const { weights } = seededModel(network, 1);
  const tensors = [...weights.shapes.keys()].map((name): [string, Tensor] => [name, weights.get(name)]);
  return writeSafetensors(tensors, { compconv: JSON.stringify(network) });
}
