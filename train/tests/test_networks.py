"""Whole networks: costs against the reference data of `test/fixtures`, and conversion of networks that others wrote."""
import contextlib
import copy
import json
import unittest
from typing import Any, Iterator
from unittest import mock

import torch
import torchvision
from torch import Tensor, nn

from compconv import ARCHITECTURES, CompConv2d, NetworkOptions, convert, count, create_network
from compconv.channels import adaptive_depth
from compconv.convert import is_plain

from .test_module import FIXTURES


@contextlib.contextmanager
def without_initialisation() -> Iterator[None]:
    """Weights as memory has them: where only shapes count, it is most of the time."""
    with contextlib.ExitStack() as stack:
        for name in ('normal_', 'uniform_', 'fill_'):
            stack.enter_context(mock.patch.object(Tensor, name, lambda self, *_args, **_kwargs: self))
        yield


class CountTest(unittest.TestCase):
    def test_every_network(self) -> None:
        costs = json.loads((FIXTURES / 'costs.json').read_text())
        self.assertEqual(set(costs['networks']), set(ARCHITECTURES) - {'resnet_small14'})
        for arch, by_c0 in costs['networks'].items():
            for c0, expected in by_c0.items():
                with self.subTest(arch=arch, c0=c0):
                    with without_initialisation():
                        model = create_network(NetworkOptions(arch, c0=None if c0 == 'plain' else float(c0)))
                    # On this device there are shapes and no values.
                    self.assertEqual(count(model.to('meta'), tuple(costs['inputShape']))._asdict(), expected)

    def test_small_network(self) -> None:
        """What the engine counts of the two small networks that it ships with; `test/train/export.gpu.test.ts` compares others."""
        reference = json.loads((FIXTURES.parent / 'data' / 'reference.json').read_text())
        for c0, file in [(None, 'fashion-mnist-plain.safetensors'), (16, 'fashion-mnist-compconv.safetensors')]:
            cost = count(create_network(NetworkOptions('resnet_small14', c0=c0)), (1, 1, 28, 28))
            self.assertEqual(cost, (reference[file]['macs'], reference[file]['params']))

    def test_dtype(self) -> None:
        model = create_network(NetworkOptions('resnet_small14', c0=16))
        self.assertEqual(count(copy.deepcopy(model).double(), (1, 1, 28, 28)), count(model, (1, 1, 28, 28)))

    def test_mode_and_batch(self) -> None:
        """The batch does not count, and the model is left in the mode that it was in."""
        model = create_network(NetworkOptions('resnet_small14', c0=16)).train()
        model.bn1.eval()  # As is done to freeze it.
        statistics = copy.deepcopy(model.state_dict())
        self.assertEqual(count(model, (1, 1, 28, 28)), count(model, torch.zeros(3, 1, 28, 28)))
        self.assertEqual((model.training, model.bn1.training), (True, False))
        self.assertTrue(all(torch.equal(value, statistics[name]) for name, value in model.state_dict().items()))


class ConvertTest(unittest.TestCase):
    def assert_converted(self, model: nn.Module, c0: float, **options: Any) -> nn.Module:
        """Every plain convolution of depth >= 1 is a CompConv of the same geometry and name, everything else is as it was."""
        converted = convert(model, c0=c0, copy=True, **options)
        plain = {name: m for name, m in model.named_modules() if isinstance(m, nn.Conv2d) and is_plain(m)}
        replaced = 0
        for name, conv in plain.items():
            module = converted.get_submodule(name)
            depth = adaptive_depth(conv.in_channels, conv.out_channels, conv.kernel_size[0], int(conv.padding[0]), c0)
            if depth == 0:
                self.assertIs(type(module), nn.Conv2d, name)
                continue
            assert isinstance(module, CompConv2d)
            replaced += 1
            self.assertEqual((module.depth, module.stride), (depth, conv.stride[0]), name)
        self.assertGreater(replaced, 0)
        own = tuple(f'{name}.' for name in plain)
        others = {name: tensor for name, tensor in model.state_dict().items() if not name.startswith(own)}
        left = {name: tensor for name, tensor in converted.state_dict().items() if not name.startswith(own)}
        self.assertEqual(others.keys(), left.keys())
        self.assertTrue(all(torch.equal(others[name], left[name]) for name in others))
        # The original was copied, not changed.
        self.assertFalse([m for m in model.modules() if isinstance(m, CompConv2d)])
        return converted

    def test_torchvision_classifiers(self) -> None:
        for arch in ('resnet18', 'resnet50', 'vgg16_bn', 'squeezenet1_1', 'mobilenet_v2'):
            with self.subTest(arch):
                with without_initialisation():
                    model = getattr(torchvision.models, arch)()
                for parameter in model.parameters():
                    nn.init.zeros_(parameter)
                converted = self.assert_converted(model, 64)
                biases = [name for name, m in converted.named_modules() if isinstance(m, CompConv2d) and m.bias is not None]
                # SqueezeNet has no BatchNorm at all; the others have one behind every convolution.
                self.assertEqual(len(biases) > 0, arch == 'squeezenet1_1')
                self.assertEqual(converted.eval()(torch.zeros(1, 3, 64, 64)).shape, (1, 1000))
                grouped = [m for m in model.modules() if isinstance(m, nn.Conv2d) and m.groups > 1]
                kept = [m for m in converted.modules() if isinstance(m, nn.Conv2d) and m.groups > 1]
                tails = [m.tail for m in converted.modules() if isinstance(m, CompConv2d)]
                self.assertEqual(len(kept) - len(tails), len(grouped))
                self.assertEqual(len(grouped) > 0, arch == 'mobilenet_v2')

    def test_segmentation(self) -> None:
        """The last convolution has a channel for each of 21 classes, which no shuffle of two groups takes."""
        with without_initialisation():
            model = torchvision.models.segmentation.fcn_resnet50(weights=None, weights_backbone=None, num_classes=21, aux_loss=True)
            states = [convert(each, c0=128, copy=True).state_dict() for each in (model.train(), model.eval())]
        # The auxiliary head has no part in evaluation.
        self.assertEqual(states[0].keys(), states[1].keys())
        self.assertIn('aux_classifier.0.primitive.weight', states[0])
        self.assertNotIn('aux_classifier.0.bias', states[0])
        self.assertEqual(states[0]['classifier.4.weight'].shape, (21, 512, 1, 1))

    def test_detection_backbone(self) -> None:
        detection = torchvision.models.detection
        with without_initialisation():
            model = detection.retinanet_resnet50_fpn(weights=None, weights_backbone=None, num_classes=3)
        for parameter in model.parameters():
            nn.init.normal_(parameter, std=0.01)
        converted = self.assert_converted(model.backbone, 128)
        # The body has BatchNorms, the pyramid has biases.
        self.assertIsNone(converted.body.layer1[0].conv1.bias)
        self.assertIsNotNone(converted.fpn.layer_blocks[0][0].bias)
        model.backbone = converted
        x = torch.rand(3, 64, 64)
        with torch.no_grad():
            (found,) = model.eval()([x])
            self.assertEqual(set(found), {'boxes', 'scores', 'labels'})
        losses = model.train()([x], [{'boxes': torch.tensor([[8.0, 8.0, 40.0, 40.0]]), 'labels': torch.tensor([1])}])
        sum(losses.values()).backward()
        gradient = converted.body.layer4[2].conv2.primitive.weight.grad
        self.assertTrue(bool(torch.isfinite(gradient).all()))


if __name__ == '__main__':
    unittest.main()
