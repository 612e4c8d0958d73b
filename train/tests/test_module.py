"""CompConv2d against the reference data of `test/fixtures`, which another implementation made."""
import copy
import json
import unittest
from pathlib import Path
from unittest import mock

import torch
from torch import Tensor, nn

from compconv import CompConv2d, safetensors
from compconv.channels import adaptive_depth
from compconv.shuffle import ConcatAndShuffle, concat_and_shuffle

FIXTURES = Path(__file__).parents[2] / 'test' / 'fixtures'


def module_of(case: dict) -> CompConv2d:
    return CompConv2d(
        case['inChannels'],
        case['outChannels'],
        case['kernelSize'],
        case['stride'],
        case['padding'],
        depth=case['depth'],
        shuffle_groups=case['shuffleGroups'],
        inner=case['inner'],
        bias=case['bias'],
        inner_bias=case.get('innerBias', False),
    )


class FixtureTest(unittest.TestCase):
    def test_every_module(self) -> None:
        files = sorted((FIXTURES / 'modules').glob('*.safetensors'))
        self.assertGreaterEqual(len(files), 39)
        for file in files:
            with self.subTest(file.stem):
                tensors, metadata = safetensors.load(file)
                module = module_of(json.loads(metadata['case'])).double().eval()
                own = {name.removeprefix('conv.'): value.double() for name, value in tensors.items() if name.startswith('conv.')}
                result = module.load_state_dict(own, strict=False)
                self.assertEqual(result.unexpected_keys, [])
                self.assertEqual([key for key in result.missing_keys if not key.endswith('num_batches_tracked')], [])
                x = tensors['input'].double()
                expected = tensors['output'].double()
                with torch.no_grad():
                    torch.testing.assert_close(module(x), expected, rtol=1e-6, atol=1e-6)
                if module.inner == 'linear':
                    # The fused concatenation of training gives the same.
                    torch.testing.assert_close(module.train()(x.requires_grad_()).detach(), expected, rtol=1e-6, atol=1e-6)


class InnerBatchNormTest(unittest.TestCase):
    def test_converted_batch_norm(self) -> None:
        """Whoever puts another BatchNorm in place of each, as PyTorch does for several processes, leaves the ReLUs."""
        torch.manual_seed(0)
        module, x = CompConv2d(8, 14, 3, 1, 1, depth=2, inner='bn-relu').eval(), torch.randn(2, 8, 5, 5)
        other = nn.SyncBatchNorm.convert_sync_batchnorm(copy.deepcopy(module)).eval()
        self.assertEqual(sum(isinstance(m, nn.SyncBatchNorm) for m in other.modules()), 3)
        # By itself it works on a GPU only.
        with torch.no_grad(), mock.patch.object(nn.SyncBatchNorm, 'forward', nn.BatchNorm2d.forward):
            self.assertTrue(torch.equal(other(x), module(x)))


class GradientTest(unittest.TestCase):
    def test_fused_concatenation(self) -> None:
        torch.manual_seed(0)
        for widths, groups in [((3, 5), 2), ((1, 2, 3, 6), 3), ((4,), 4), ((5, 1, 1, 1), 2), ((2, 3), 1)]:
            for memory_format in (torch.contiguous_format, torch.channels_last):
                with self.subTest(widths=widths, groups=groups, memory_format=memory_format):
                    parts = [
                        torch.randn(2, w, 3, 2, dtype=torch.float64).contiguous(memory_format=memory_format).requires_grad_()
                        for w in widths
                    ]
                    expected = concat_and_shuffle(parts, groups)
                    got = ConcatAndShuffle.apply(groups, *parts)
                    self.assertTrue(torch.equal(got, expected))
                    towards = torch.randn_like(expected)
                    for ours, theirs in zip(self.grads(got, towards, parts), self.grads(expected, towards, parts)):
                        self.assertTrue(torch.equal(ours, theirs))

    @staticmethod
    def grads(y: Tensor, towards: Tensor, parts: list) -> tuple:
        return torch.autograd.grad(y, parts, towards)

    def test_whole_module(self) -> None:
        """Gradients of a module in training equal those through plain operations."""
        torch.manual_seed(0)
        for depth in (1, 2, 3):
            module = CompConv2d(16, 22, 3, 2, 1, depth=depth).double()
            x = torch.randn(2, 16, 7, 9, dtype=torch.float64, requires_grad=True)
            inputs = [x, *module.parameters()]
            fused = torch.autograd.grad(module.train()(x).square().sum(), inputs)
            plain = torch.autograd.grad(module.eval()(x).square().sum(), inputs)
            for ours, theirs in zip(fused, plain):
                torch.testing.assert_close(ours, theirs)


class RulesTest(unittest.TestCase):
    def test_adaptive_depth(self) -> None:
        for in_channels, depth in [(3, 1), (128, 1), (255, 1), (256, 2), (511, 2), (512, 3), (4096, 3)]:
            self.assertEqual(adaptive_depth(in_channels, 512, 3, 1, 128 if in_channels < 256 else 128), depth)
        self.assertEqual(adaptive_depth(512, 512, 3, 0, 128), 1)  # Without "same" padding no slice lines up.
        self.assertEqual(adaptive_depth(512, 1, 3, 1, 128), 0)
        self.assertEqual([adaptive_depth(512, 21, 1, 0, 128, shuffle_groups=groups) for groups in (1, 2, 3)], [3, 0, 3])
        self.assertEqual(CompConv2d(512, 21, 1, c0=128).depth, 0)

    def test_messages(self) -> None:
        for arguments, message in [
            (dict(depth=4), 'depth must be an integer from 0 to 3, got 4'),
            (dict(depth=3, padding=0), 'depth 3 needs padding 1 .* the deepest feasible depth is 1'),
            (dict(depth=3, in_channels=3), 'needs 12 input channels for its identity slices, got 3; the deepest feasible depth is 1'),
            (dict(depth=3, out_channels=2), 'leaves none of the 2 output channels for its tail'),
            (dict(depth=1, kernel_size=2), 'needs an odd kernel size'),
            (dict(depth=1, out_channels=33), 'depth 1 needs shuffle groups that divide its 33 output channels, got 2; depth 0 leaves it plain'),
            (dict(depth=1, shuffle_groups=0), 'shuffle_groups must be a positive integer, got 0'),
            (dict(c0='16'), "c0 must be a positive number .*, got '16'"),
            (dict(), 'give either c0 or depth'),
            (dict(c0=16, depth=1), 'give either c0 or depth'),
            (dict(c0=-1), 'c0 must be a positive number'),
            (dict(depth=1, inner='gelu'), "inner must be one of linear, bn-relu, got 'gelu'"),
            (dict(depth=1, slice_order='random'), 'slice_order must be one of'),
            (dict(depth=1, slice_stride='max'), 'slice_stride must be one of'),
        ]:
            with self.subTest(message), self.assertRaisesRegex(ValueError, message):
                CompConv2d(**{'in_channels': 48, 'out_channels': 48, 'kernel_size': 3, 'padding': 1, **arguments})

    def test_slice_order(self) -> None:
        """The other order takes other channels: with slices of 1 and 2 of 3 channels, the two ranges change places."""
        torch.manual_seed(0)
        x = torch.randn(1, 4, 5, 5)
        forwards = CompConv2d(4, 14, 3, 1, 1, depth=3)
        backwards = CompConv2d(4, 14, 3, 1, 1, depth=3, slice_order='shallowest-first')
        backwards.load_state_dict(forwards.state_dict())
        with torch.no_grad():
            for module in (forwards, backwards):
                module.primitive.weight.zero_()
            self.assertFalse(torch.equal(forwards(x), backwards(x)))
            moved = x[:, [2, 0, 1, 3]]
            torch.testing.assert_close(forwards(moved), backwards(x))

    def test_slice_stride(self) -> None:
        """The first of each 2 x 2 pixels, or their average: equal where all four are; at an odd border, of those that there are."""
        torch.manual_seed(0)
        module = CompConv2d(4, 14, 3, 2, 1, depth=3, slice_stride='average')
        pixels = torch.randn(1, 4, 4, 3)
        x = pixels.repeat_interleave(2, 2).repeat_interleave(2, 3)[..., :5]
        for slice_, expected in zip(module.identity_slices(x), (pixels[:, :1], pixels[:, 1:3])):
            torch.testing.assert_close(slice_, expected)
        pair = torch.tensor([[1.0, 2.0], [3.0, 6.0]]).expand(1, 4, 2, 2)
        self.assertEqual(module.identity_slices(pair)[0].item(), 3)
        module.slice_stride = 'subsample'
        self.assertEqual(module.identity_slices(pair)[0].item(), 1)
        self.assertEqual(module(x).shape, (1, 14, 4, 3))


if __name__ == '__main__':
    unittest.main()
