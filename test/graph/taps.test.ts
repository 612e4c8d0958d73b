/** Names of taps: nodes, modules of nodes, and what is said of names that are neither. */
import { expect, test } from 'vitest';
import { resolveTap } from '../../src/graph/taps.ts';
import { createNetwork } from '../../src/models/network.ts';

const networks = {
  resnet: createNetwork({ arch: 'resnet18', c0: 32 }, { height: 64 }),
  vgg: createNetwork({ arch: 'vgg11' }, { height: 64 }),
};

test.each([
  ['resnet', 'layer3.0.bn1', 'layer3.0.bn1'],
  ['resnet', 'layer3', 'layer3.1.relu2'],
  ['resnet', 'layer1.0', 'layer1.0.relu2'],
  ['resnet', 'layer2.0.downsample', 'layer2.0.downsample.1'],
  ['resnet', 'layer2.0.conv1', 'layer2.0.conv1'],
  ['resnet', 'input', 'input'],
  ['resnet', 'fc', 'fc'],
  ['vgg', 'features.2', 'features.2'],
  ['vgg', 'features', 'features.20'],
  ['vgg', 'classifier', 'classifier.6'],
] as const)('%s %s', (network, tap, node) => {
  const graph = networks[network];
  expect(resolveTap(graph, tap)).toBe(node);
});

test.each([
  ['resnet', 'layer3.1.convv1', /no value "layer3\.1\.convv1": close are layer3\.1\.conv1, layer3\.1\.conv2/],
  ['resnet', 'layer5', /close are layer1, layer2, layer3, layer4/],
  ['resnet', 'layer', /close are layer1, /],
  ['resnet', '', /close are /],
  ['resnet', 'layer1.0.conv1.primitive', /inside the CompConv layer1\.0\.conv1, whose parts cannot be tapped; take layer1\.0\.conv1$/],
  ['vgg', 'features.21', /close are features\.20, features\.2, /],
] as const)('not %s %s', (network, tap, message) => {
  const graph = networks[network];
  expect(() => resolveTap(graph, tap)).toThrow(expect.objectContaining({ code: 'invalid-argument', message: expect.stringMatching(message) as string }));
});
