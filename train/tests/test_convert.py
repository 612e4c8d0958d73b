"""The rules of `convert` on small models: which convolutions it replaces, which of them have a bias then, and what it refuses."""
import copy
import unittest
from typing import Any, Dict

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize

from compconv import CompConv2d, NetworkOptions, convert, create_network
from compconv.convert import is_plain


class SameConv2d(nn.Conv2d):
    """Pads by the size of its input, as TensorFlow does, whatever its `padding` says."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(nn.functional.pad(x, (0, 1, 0, 1)))


class StandardisedConv2d(nn.Conv2d):
    def _conv_forward(self, x: Tensor, weight: Tensor, bias: Any) -> Tensor:
        return super()._conv_forward(x, weight - weight.mean(), bias)


class NamedConv2d(nn.Conv2d):
    """Computes what its parent does."""


class BatchNormReLU(nn.BatchNorm2d):
    """With a child."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(super().forward(x))


class Auxiliary(nn.Module):
    """Answers twice while it trains, as GoogLeNet does; with a flag, in a way that cannot be traced."""

    def __init__(self, traceable: bool = True) -> None:
        super().__init__()
        self.traceable = traceable
        self.conv, self.bn = nn.Conv2d(8, 8, 1), BatchNormReLU(8)
        self.aux = nn.Sequential(nn.Conv2d(8, 8, 1), BatchNormReLU(8), nn.Conv2d(8, 4, 1))
        self.head = nn.Conv2d(8, 4, 1)

    def forward(self, x: Tensor) -> Any:
        if not self.traceable and x.sum() == 0:
            raise ValueError('nothing')
        x = self.bn(self.conv(x))
        return (self.head(x), self.aux(x)) if self.training else self.head(x)


def with_bias(model: nn.Module) -> Dict[str, bool]:
    return {name: m.bias is not None for name, m in model.named_modules() if isinstance(m, CompConv2d)}


class WhichTest(unittest.TestCase):
    def test_subclasses(self) -> None:
        kinds = (nn.Conv2d, SameConv2d, StandardisedConv2d, NamedConv2d, nn.Conv2d, nn.Conv2d)
        model = nn.Sequential(*(kind(8, 8, 3, padding=1) for kind in kinds))
        parametrizations.spectral_norm(model[4])
        model[5].forward = lambda x: 2 * x
        self.assertEqual([is_plain(m) for m in model], [True, False, False, True, True, False])
        with self.assertRaisesRegex(ValueError, "there is no plain convolution '2'; the convolutions are 0, 3, 4$"):
            convert(model, depths={'2': 1})
        shape = model(torch.zeros(1, 8, 9, 9)).shape
        converted = convert(model, c0=8)
        self.assertEqual([isinstance(m, CompConv2d) for m in converted.children()], [True, False, False, True, True, False])
        self.assertEqual(converted(torch.zeros(1, 8, 9, 9)).shape, shape)

    def test_lazy(self) -> None:
        model = nn.Sequential(nn.LazyConv2d(8, 3, padding=1), nn.LazyBatchNorm2d(), nn.LazyConv2d(4, 1, bias=False))
        with self.assertRaisesRegex(ValueError, "the lazy convolution '0' .*; run the model once first"):
            convert(model, c0=8)
        model(torch.zeros(2, 6, 5, 5))
        self.assertEqual(with_bias(convert(model, c0=8)), {'0': False, '2': True})

    def test_shared_convolution(self) -> None:
        """One convolution at two places becomes one module at two places."""
        conv = nn.Conv2d(8, 8, 3, padding=1)
        model = convert(nn.Sequential(conv, nn.ReLU(), conv), depths={'0': 1})
        self.assertIs(model[0], model[2])
        self.assertIsInstance(model[0], CompConv2d)

    def test_shuffle_groups(self) -> None:
        """By the adaptive rule a layer that they do not divide stays plain."""
        model = nn.Sequential(nn.Conv2d(8, 8, 1), nn.Conv2d(8, 21, 1))
        self.assertEqual([type(m) for m in convert(model, c0=8, copy=True).children()], [CompConv2d, nn.Conv2d])
        self.assertEqual([type(m) for m in convert(model, c0=8, shuffle_groups=3, copy=True).children()], [nn.Conv2d, CompConv2d])
        self.assertEqual(convert(model, c0=8, shuffle_groups=1, copy=True)[1].depth, 1)


class BiasTest(unittest.TestCase):
    def test_more_than_batch_norm(self) -> None:
        """A bias is needed where the sum is read by something else, too."""

        class Both(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.conv, self.bn = nn.Conv2d(8, 8, 1), nn.BatchNorm2d(8)

            def forward(self, x: Tensor) -> Tensor:
                y = self.conv(x)
                return self.bn(y) + y

        class Twice(Both):
            def forward(self, x: Tensor) -> Tensor:
                return self.bn(self.conv(x)) + self.conv(x).relu()

        for network in (Both(), Twice()):
            self.assertIsNotNone(convert(network, depths={'conv': 1}).conv.bias)

    def test_layers_with_children(self) -> None:
        """A parametrized convolution and a BatchNorm that is an activation too are layers, traced or not."""
        for traceable in (True, False):
            with self.subTest(traceable=traceable):
                model = Auxiliary(traceable)
                parametrize.register_parametrization(model.conv, 'weight', nn.Identity())
                self.assertEqual(with_bias(convert(model, c0=8)), {'conv': False, 'aux.0': False, 'aux.2': True, 'head': True})

    def test_mode(self) -> None:
        """What runs in training alone is converted alike in both modes, and the mode stays."""
        for traceable in (True, False):
            with self.subTest(traceable=traceable):
                trained, evaluated = (convert(Auxiliary(traceable).train(mode), c0=8) for mode in (True, False))
                self.assertEqual(with_bias(trained), {'conv': False, 'aux.0': False, 'aux.2': True, 'head': True})
                self.assertEqual(with_bias(evaluated), with_bias(trained))
                self.assertEqual((trained.aux[1].training, evaluated.aux[1].training), (True, False))
                evaluated.load_state_dict(trained.state_dict())

    def test_step_by_step(self) -> None:
        """A model that has modules already is traced like any other: the order of definition would mislead here."""

        class Network(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.first, self.second = nn.Conv2d(8, 8, 1), nn.Conv2d(8, 8, 1)
                self.bn1, self.bn2 = nn.BatchNorm2d(8), nn.BatchNorm2d(8)

            def forward(self, x: Tensor) -> Tensor:
                return self.bn2(self.second(self.bn1(self.first(x))))

        model = convert(convert(Network(), depths={'second': 1}), depths={'first': 1})
        self.assertEqual(with_bias(model), {'first': False, 'second': False})
        self.assertIs(convert(model, c0=8), model)


class RefusalTest(unittest.TestCase):
    def assert_refused(self, model: nn.Module, options: Dict[str, Any], message: str) -> None:
        before = copy.deepcopy(model)
        with self.subTest(message), self.assertRaisesRegex(ValueError, message):
            convert(model, **options)
        self.assertEqual(str(model), str(before), 'what fails changes nothing')
        for name, value in model.state_dict().items():
            self.assertTrue(torch.equal(value, before.state_dict()[name]), name)

    def test_depths(self) -> None:
        """In the engine's words: `src/models/compress.ts`, `src/ops/comp-conv-channels.ts`."""
        model = create_network(NetworkOptions('resnet_small14', widths=(4, 42)))
        for options, message in [
            (dict(), r'convert: give c0 \(32, 64, 128, ...\) or depths \(layer name to depth 0..3\)'),
            (dict(depths={'conv9': 1}), "there is no plain convolution 'conv9'; the convolutions are conv1, layer1.0.conv1"),
            (dict(depths={'fc': 1}), "there is no plain convolution 'fc'"),
            (dict(depths={'layer2.0.downsample.0': 3}), 'downsample.0: depth 3 needs 9 input channels .* got 4; the deepest feasible depth is 1'),
            (dict(depths={'conv1': 3}), 'conv1: depth 3 leaves none of the 4 output channels for its tail, .* the deepest feasible depth is 1'),
            (dict(depths={'conv1': 4}), 'conv1: depth must be an integer from 0 to 3, got 4'),
            (dict(depths={'conv1': 1.5}), 'conv1: depth must be an integer from 0 to 3, got 1.5'),
            (dict(c0=16, depths={'conv1': 1}, shuffle_groups=3),
             'conv1: depth 1 needs shuffle groups that divide its 4 output channels, got 3; depth 0 leaves it plain'),
            (dict(c0=16, shuffle_groups=5), "shuffle_groups: 5 divides no layer's output channels; give 2, or 1 for no shuffle"),
            (dict(c0=16, shuffle_groups=0), 'shuffle_groups must be a positive integer, got 0'),
            (dict(c0=16, shuffle_groups=1.5), 'shuffle_groups must be a positive integer, got 1.5'),
        ]:
            self.assert_refused(model, options, message)

    def test_c0(self) -> None:
        for c0 in (0, -64, float('nan'), float('inf'), '128', True):
            # Also where no layer asks for it.
            self.assert_refused(nn.Sequential(nn.ReLU()), dict(c0=c0), rf'^c0 must be a positive number \(32, 64, 128, ...\), got {c0!r}$')

    def test_images(self) -> None:
        model, images = nn.Sequential(nn.Conv2d(8, 8, 1), nn.BatchNorm2d(8)), torch.zeros(2, 8, 4, 4)
        wrong = 'images must be a floating-point tensor \\[N, C, H, W\\], got '
        self.assert_refused(model, dict(c0=8, images=images), "images are for init = 'fit', not for 'random'")
        for bad, message in [
            (images.numpy(), wrong + 'ndarray'),
            (images.byte(), wrong + r'torch.uint8 \[2, 8, 4, 4\]'),
            (images[0], wrong + r'torch.float32 \[8, 4, 4\]'),
            (images[:0], wrong + r'torch.float32 \[0, 8, 4, 4\]'),
            (images / 0, 'images must be finite'),
            (images + float('inf'), 'images must be finite'),
        ]:
            self.assert_refused(model, dict(c0=8, init='fit', images=bad), message)


if __name__ == '__main__':
    unittest.main()
