"""Modules fitted to trained convolutions: how near they come, on noise and in the trained network that the project ships."""
import unittest
from typing import List
from unittest import mock

import torch
from torch import Tensor, nn

from compconv import CompConv2d, convert
from compconv.engine_file import load_engine_file
from compconv.fit import fit, recalibrate, relative_error
from sensitivity import sensitivity
from trainer.data import read_idx

from .test_module import FIXTURES

DATA = FIXTURES.parent / 'data'


def errors(module: CompConv2d, conv: nn.Conv2d, x: Tensor) -> List[float]:
    """Before the fit and after it, on inputs that it has not seen: the second half."""
    seen, other = x.chunk(2)
    with torch.no_grad():
        before = relative_error(module(other), conv(other))
        said = fit(module, conv, seen)
        assert abs(said - relative_error(module(seen), conv(seen))) < 1e-4
        return [before, relative_error(module(other), conv(other))]


class FitTest(unittest.TestCase):
    def test_exact_where_it_can_be(self) -> None:
        """A convolution that computes what some CompConv of depth 1 does is found again."""
        torch.manual_seed(0)
        for bias in (False, True):
            conv = nn.Conv2d(6, 8, 1, bias=bias)
            # Of depth 1 with two shuffle groups, channel 2 j is a multiple of channel 2 j + 1.
            with torch.no_grad():
                conv.weight[0::2] = conv.weight[1::2] * torch.tensor([0.5, -2, 3, 0.1]).view(-1, 1, 1, 1)
            module = CompConv2d(6, 8, 1, depth=1, bias=bias)
            x = torch.randn(4, 6, 5, 5)
            self.assertLess(fit(module, conv, x), 1e-4)
            if bias:
                torch.testing.assert_close(module(x), conv(x), rtol=1e-3, atol=1e-3)

    def test_noise(self) -> None:
        """Random filters have nothing in common that a CompConv could use: these are the hardest."""
        torch.manual_seed(0)
        for depth, groups, stride, inner_bias in [(1, 2, 1, False), (1, 4, 2, True), (2, 2, 1, True), (3, 2, 2, False)]:
            with self.subTest(depth=depth, groups=groups, stride=stride):
                conv = nn.Conv2d(32, 32, 3, stride, 1)
                module = CompConv2d(32, 32, 3, stride, 1, depth=depth, shuffle_groups=groups, bias=True, inner_bias=inner_bias)
                before, after = errors(module, conv, torch.randn(96, 32, 12, 12))
                self.assertLess(after, 0.9 * before)
                self.assertLess(after, {1: 0.7, 2: 1.5, 3: 1.6}[depth])

    def test_a_few_windows_at_a_time(self) -> None:
        """The sums of a regression are those of all windows at once."""
        torch.manual_seed(0)
        conv, x = nn.Conv2d(16, 16, 3, padding=1), 2 + torch.randn(8, 16, 10, 10)
        module = CompConv2d(16, 16, 3, 1, 1, depth=2, inner_bias=True)
        fit(module, conv, x, iterations=0)
        whole = {name: value.clone() for name, value in module.state_dict().items()}
        with mock.patch('compconv.fit.WINDOW_VALUES', 3 * 16 * 9 * 100):
            fit(module, conv, x, iterations=0)
        for name, value in module.state_dict().items():
            torch.testing.assert_close(value, whole[name], rtol=1e-4, atol=1e-5)

    def test_constant_input(self) -> None:
        """Of what does not change nothing can be learnt: rounding is no reason for large weights."""
        torch.manual_seed(0)
        conv = nn.Conv2d(8, 8, 1)
        for value in (0.0, 0.3, 1.7):
            module = CompConv2d(8, 8, 1, depth=1, bias=True)
            fit(module, conv, torch.full((4, 8, 10, 10), value), iterations=0)
            self.assertLess(float(module.tail.weight.detach().abs().max()), 1e-2)

    def test_frozen_batch_norm(self) -> None:
        """It takes the means that the module does not have, as BatchNorm does."""
        from torchvision.ops import FrozenBatchNorm2d

        torch.manual_seed(0)
        conv, x = nn.Conv2d(16, 16, 3, padding=1), 1 + torch.randn(32, 16, 10, 10)
        y = conv(x).detach()
        outputs = []
        for norm in (nn.BatchNorm2d(16), FrozenBatchNorm2d(16)):
            norm.running_mean.copy_(y.mean(dim=(0, 2, 3)))
            norm.running_var.copy_(y.var(dim=(0, 2, 3)))
            torch.manual_seed(1)
            light = convert(nn.Sequential(conv, norm), depths={'0': 1}, init='fit', images=x, copy=True).eval()
            self.assertIsNone(light[0].bias)
            with torch.no_grad():
                outputs.append(light(x))
        torch.testing.assert_close(outputs[1], outputs[0], rtol=1e-3, atol=1e-3)
        self.assertLess(float(outputs[1].mean(dim=(0, 2, 3)).abs().max()), 1e-3)

    def test_batch_norm_that_is_not_reached(self) -> None:
        """It keeps its statistics; one that is reached twice has those of both."""

        class Network(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.bn, self.other = nn.BatchNorm2d(2), nn.BatchNorm2d(2)

            def forward(self, x: Tensor) -> Tensor:
                return self.bn(x) + self.bn(x + 2)

        model = Network().eval()
        for norm in (model.bn, model.other):
            norm.running_mean.fill_(5)
            norm.num_batches_tracked.fill_(7)
        recalibrate(model, torch.randn(8, 2, 4, 4) * torch.tensor(1e-3) + 1)
        torch.testing.assert_close(model.bn.running_mean, torch.full((2,), 2.0), rtol=1e-2, atol=0)
        self.assertEqual((model.other.running_mean.tolist(), int(model.other.num_batches_tracked)), ([5, 5], 7))
        self.assertEqual((model.bn.momentum, model.other.momentum), (0.1, 0.1))
        self.assertFalse(model.bn._forward_pre_hooks)

    def test_not_finite(self) -> None:
        """Says where, and leaves the model as it was."""
        images = torch.randn(4, 8, 5, 5)
        for value in (float('nan'), float('inf'), 3e38):
            with self.subTest(value):
                torch.manual_seed(0)
                conv = nn.Conv2d(8, 8, 1)
                model = nn.Sequential(conv, nn.Conv2d(8, 8, 1))
                with torch.no_grad():
                    conv.weight[0, 0] = value
                with self.assertRaisesRegex(ValueError, '^[01]: the fit gives weights that are not finite'):
                    convert(model, depths={'0': 1, '1': 1}, init='fit', images=images)
                self.assertEqual([type(m) for m in model], [nn.Conv2d] * 2)
                self.assertFalse(conv._forward_hooks)

    def test_sensitivity_is_the_layers_own(self) -> None:
        """What fits exactly costs nothing, however far the statistics of the network are from those of the images."""
        torch.manual_seed(0)
        conv = nn.Conv2d(6, 8, 1, bias=False)
        with torch.no_grad():
            conv.weight[0::2] = conv.weight[1::2] * torch.tensor([0.5, -2, 3, 0.1]).view(-1, 1, 1, 1)
        norm = nn.BatchNorm2d(8)
        model = nn.Sequential(conv, norm, nn.Flatten(), nn.Linear(8 * 25, 3)).eval()
        images = 10 + 5 * torch.randn(64, 6, 5, 5)
        self.assertLess(sensitivity(model, images)['0'][1], 1e-5)
        self.assertEqual(float(norm.running_mean.abs().max()), 0)

    def test_polish_helps(self) -> None:
        torch.manual_seed(0)
        conv, x = nn.Conv2d(16, 16, 3, padding=1), torch.randn(8, 16, 10, 10)
        module = CompConv2d(16, 16, 3, 1, 1, depth=2)
        self.assertLess(fit(module, conv, x, iterations=20), fit(module, conv, x, iterations=0))

    def test_trained_network(self) -> None:
        plain = load_engine_file(FIXTURES.parents[1] / 'public' / 'models' / 'fashion-mnist-plain.safetensors').model.eval()
        images, labels = (read_idx(DATA / name, n) for name, n in (('t10k-images-idx3-ubyte.gz', 3), ('t10k-labels-idx1-ubyte.gz', 1)))
        x = (images[:512, None].float() / 255 - 0.286) / 0.353

        def accuracy(model: nn.Module) -> float:
            with torch.no_grad():
                return float((model.eval()(x[128:]).argmax(1) == labels[128:512]).float().mean())

        def converted(init: str, **options: object) -> nn.Module:
            torch.manual_seed(0)
            return convert(plain, init=init, images=x[:128] if init == 'fit' else None, copy=True, **options)

        self.assertGreater(accuracy(plain), 0.94)
        one = {'layer2.0.conv2': 1}
        self.assertLess(accuracy(converted('random', depths=one)), 0.5)
        self.assertGreater(accuracy(converted('fit', depths=one)), 0.92)
        # All layers at once, without any training. What is not fitted guesses.
        self.assertGreater(accuracy(converted('fit', c0=64)), 0.5)

        read: List[Tensor] = []
        plain.layer2[0].conv2.register_forward_hook(lambda _conv, inputs, _output: read.append(inputs[0]))
        accuracy(plain)
        for depth in (1, 2, 3):
            module = CompConv2d(32, 32, 3, 1, 1, depth=depth)
            before, after = errors(module, plain.layer2[0].conv2, read[0].detach())
            self.assertLess(after, 0.7 * before)
            self.assertLess(after, {1: 0.65, 2: 0.8, 3: 0.85}[depth])

    def test_messages(self) -> None:
        conv = nn.Conv2d(8, 8, 3, padding=1)
        x = torch.zeros(1, 8, 4, 4)
        with self.assertRaisesRegex(ValueError, "needs a module of depth 1 to 3 with inner = 'linear'"):
            fit(CompConv2d(8, 8, 3, 1, 1, depth=1, inner='bn-relu'), conv, x)
        with self.assertRaisesRegex(ValueError, r'replaces a convolution of \(8, 10, 3, 1, 1\) .*, not of \(8, 8, 3, 1, 1\)'):
            fit(CompConv2d(8, 10, 3, 1, 1, depth=1), conv, x)
        for options, message in [
            (dict(init='zeros'), "init must be one of random, fit, got 'zeros'"),
            (dict(init='fit', inner='bn-relu'), "init = 'fit' needs inner = 'linear', got 'bn-relu'"),
        ]:
            with self.assertRaisesRegex(ValueError, message):
                convert(nn.Sequential(conv), c0=8, **options)


if __name__ == '__main__':
    unittest.main()
