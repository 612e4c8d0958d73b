"""Runs on a few small images: learning, stopping and going on, messages."""
import contextlib
import json
import os
import signal
import tempfile
import unittest
from pathlib import Path
from typing import Any, Dict, Iterator
from unittest import mock

import numpy as np
import torch

from make_fixtures import write_idx
from trainer import run as run_module
from trainer.checkpoint import load_checkpoint
from trainer.config import Config, ConfigError, config_from
from trainer.data import open_data, read_idx
from trainer.distributed import join
from trainer.run import Diverged, Stopped, train
from trainer.run_folder import RunFolder

TRAIN = Path(__file__).parents[1]


def values(folder: Path, **train_values: Any) -> Dict[str, Any]:
    return {
        'data': {'kind': 'idx', 'path': str(folder), 'size': 8, 'mean': [0.4], 'std': [0.3], 'pad': 1},
        'network': {'arch': 'resnet_small14', 'widths': [8, 16], 'blocks_per_stage': 1, 'c0': 4},
        'train': {'epochs': 3, 'batch_size': 16, 'lr': 0.05, 'threads': 1, 'device': 'cpu', **train_values},
    }


class TrainingTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        write_idx(self.folder, 96, 8)

    def config(self, **train_values: Any) -> Config:
        return config_from(values(self.folder, **train_values))

    def train(self, config: Config, name: str) -> Dict[str, Any]:
        return train(config, self.folder / name, lambda _line: None)

    def assert_same_run(self, a: str, b: str) -> None:
        """The same weights, buffers and records, to the bit."""
        ours, theirs = (load_checkpoint(self.folder / name / 'checkpoint.pt') for name in (a, b))
        self.assertEqual(ours.model.keys(), theirs.model.keys())
        for key in ours.model:
            self.assertTrue(torch.equal(ours.model[key], theirs.model[key]), key)
        for key, state in ours.optimizer.items():
            self.assertTrue(torch.equal(state['momentum_buffer'], theirs.optimizer[key]['momentum_buffer']))
        for one, other in zip(ours.meta['progress']['history'], theirs.meta['progress']['history']):
            for key in ('epoch', 'lr', 'trainLoss', 'trainAccuracy', 'testAccuracy'):
                self.assertEqual(one[key], other[key], key)

    def test_learns(self) -> None:
        result = self.train(self.config(epochs=8), 'run')
        self.assertGreater(result['testAccuracy'], 0.9)
        self.assertEqual(sum(map(sum, result['confusion'])), 96)
        records = [json.loads(line) for line in (self.folder / 'run' / 'log.jsonl').read_text().splitlines()]
        self.assertEqual([record['epoch'] for record in records], list(range(1, 9)))
        self.assertLess(records[-1]['trainLoss'], records[0]['trainLoss'])
        # A run that is complete is not trained again.
        with mock.patch.object(run_module, '_Run', side_effect=AssertionError):
            self.assertEqual(self.train(self.config(epochs=8), 'run'), result)

    def test_resumes_to_the_bit(self) -> None:
        """Stopped within an epoch, at its end, and killed between checkpoints."""
        self.train(self.config(), 'whole')
        for name, stops in [('within', {2}), ('twice', {4, 11}), ('at-the-end', {6})]:
            with self.subTest(name):
                for step in sorted(stops):
                    with self.stopping_at(step), self.assertRaises(Stopped):
                        self.train(self.config(), name)
                self.train(self.config(), name)
                self.assert_same_run('whole', name)
        with self.subTest('killed'):
            with self.failing_at(9), self.assertRaises(KeyboardInterrupt):
                self.train(self.config(), 'killed')
            self.assertEqual(load_checkpoint(self.folder / 'killed' / 'checkpoint.pt').meta['progress']['epoch'], 1)
            self.train(self.config(), 'killed')
            self.assert_same_run('whole', 'killed')

    @contextlib.contextmanager
    def at_step(self, number: int, action: Any) -> Iterator[None]:
        """Does something within the step that is so many steps after the run's start."""
        step = run_module._Run._step

        def counted(run: Any, *arguments: Any) -> Any:
            if run.progress.epoch * run.steps + run.progress.step + 1 == number:
                action()
            return step(run, *arguments)

        with mock.patch.object(run_module._Run, '_step', counted):
            yield

    def stopping_at(self, number: int) -> Any:
        return self.at_step(number, lambda: os.kill(os.getpid(), signal.SIGTERM))

    def failing_at(self, number: int) -> Any:
        def fail() -> None:
            raise KeyboardInterrupt

        return self.at_step(number, fail)

    def test_seed_decides(self) -> None:
        for name, seed in [('a', 0), ('b', 0), ('c', 1)]:
            self.train(self.config(epochs=1, seed=seed), name)
        self.assert_same_run('a', 'b')
        with self.assertRaises(AssertionError):
            self.assert_same_run('a', 'c')

    def test_distillation(self) -> None:
        self.train(self.config(epochs=8), 'teacher')
        config = values(self.folder, epochs=8)
        config['distill'] = {'teacher': str(self.folder / 'teacher' / 'checkpoint.pt'), 'weight': 1.0, 'temperature': 2}
        self.assertGreater(self.train(config_from(config), 'pupil')['testAccuracy'], 0.9)
        named = values(self.folder, epochs=1)
        named['data']['labels'] = ['a', 'b', 'c']
        self.train(config_from(named), 'named')
        for teacher, change, message in [
            ('teacher', {'labels': ['a', 'b', 'c', 'd']}, 'the teacher has 3 classes and 1 channels, not 4 and 1'),
            ('named', {'labels': ['c', 'b', 'a']}, 'the teacher has other classes: a, b, c'),
            ('teacher', {'mean': [0.5]}, r'the teacher takes images with data.mean = \[0.4\] and data.std = \[0.3\]'),
        ]:
            other = {**config, 'data': {**config['data'], **change}}
            other['distill'] = {'teacher': str(self.folder / teacher / 'checkpoint.pt')}
            with self.subTest(message), self.assertRaisesRegex(ConfigError, message):
                self.train(config_from(other), 'other')

    def test_pretrained(self) -> None:
        """A run that begins with a fit to its plain twin, or with its own kind, knows something before it has learnt anything."""
        config = values(self.folder, epochs=8)
        del config['network']['c0']
        self.train(config_from(config), 'plain')
        checkpoint = self.folder / 'plain' / 'checkpoint.pt'
        torch.save(load_checkpoint(checkpoint).model, self.folder / 'plain.pth')
        for name, c0, weights in [('fitted', 4, checkpoint), ('same', None, checkpoint), ('state-dict', 4, self.folder / 'plain.pth')]:
            with self.subTest(name):
                # A rate at which nothing is learnt: what is right is from the start.
                config = values(self.folder, epochs=1, lr=1e-9)
                config['network'].update(c0=c0, classes=3)
                config['pretrained'] = {'weights': str(weights), 'images': 48}
                self.assertGreater(self.train(config_from(config), name)['testAccuracy'], 0.6)
        with self.subTest('taken up'), self.stopping_at(4), self.assertRaises(Stopped):
            self.train(config_from(config), 'stopped')
        self.train(config_from(config), 'stopped')
        self.assert_same_run('state-dict', 'stopped')
        for change, message in [
            ({'inner': 'bn-relu'}, "needs inner = 'linear'"),
            ({'ghost_ratio': 2, 'c0': None}, 'must be of this very network, but has ghost_ratio = None, not 2'),
            ({'widths': [8, 12]}, 'is no state_dict of a plain resnet_small14: size mismatch for fc.weight'),
        ]:
            config['network'] = {**values(self.folder)['network'], **change}
            with self.subTest(message), self.assertRaisesRegex(ConfigError, message):
                self.train(config_from(config), 'bad')
        torch.save({'state_dict': load_checkpoint(checkpoint).model}, self.folder / 'wrapped.pth')
        torch.save({f'module.{key}': value for key, value in load_checkpoint(checkpoint).model.items()}, self.folder / 'parallel.pth')
        torch.save(load_checkpoint(checkpoint).model, self.folder / 'bare.pt')
        for file, message in [
            ('wrapped.pth', r'is no state_dict, as torch.save\(model.state_dict\(\), file\) writes'),
            ('parallel.pth', r'is no state_dict of a plain resnet_small14: there are \d+ other names, as bn1'),
            ('bare.pt', 'cannot be read as a checkpoint of a run .*; a state_dict, as torchvision has them, .* named .pth'),
            ('absent.pth', 'absent.pth: No such file or directory'),
        ]:
            config['network'] = values(self.folder)['network']
            config['pretrained'] = {'weights': str(self.folder / file)}
            with self.subTest(file), self.assertRaisesRegex(ConfigError, message):
                self.train(config_from(config), 'bad')
        with self.subTest('other classes: all but the classifier is taken over'):
            config = values(self.folder, epochs=1, lr=1e-9)
            source = 'fitted'
            for run, labels, is_new in [('more', 'abcde', True), ('named', 'xyz', False), ('renamed', 'pqr', True)]:
                config['data']['labels'] = list(labels)
                config['pretrained'] = {'weights': str(self.folder / source / 'checkpoint.pt')}
                self.train(config_from(config), run)
                ours, theirs = (load_checkpoint(self.folder / each / 'checkpoint.pt').model for each in (run, source))
                for key, value in ours.items():
                    if key.endswith('weight'):
                        same = value.shape == theirs[key].shape and float((value - theirs[key]).abs().max()) < 1e-4
                        self.assertEqual(same, not (is_new and key == 'fc.weight'), f'{run}: {key}')
                source = 'fitted' if run == 'more' else run
        config['network']['widths'] = [8, 12]
        config['pretrained']['weights'] = str(self.folder / 'fitted' / 'checkpoint.pt')
        with self.assertRaisesRegex(ConfigError, r"must be of this network or its plain twin, but has widths = \(8, 16\), not \(8, 12\)$"):
            self.train(config_from(config), 'bad')

    def test_clipping(self) -> None:
        """The first step of SGD goes as far as the rate times the gradient's length."""
        before = run_module._Run(self.config(), RunFolder(self.folder / 'none', self.config()), join('cpu'), print).model.state_dict()
        for clip, length in [(None, None), (0.01, 0.01)]:
            config = self.config(batch_size=96, epochs=1, schedule='step', weight_decay=0.0, lr=1.0, clip_norm=clip)
            self.train(config, f'clip-{clip}')
            after = load_checkpoint(self.folder / f'clip-{clip}' / 'checkpoint.pt').model
            moved = sum(float((after[name] - before[name]).square().sum()) for name in before if name.endswith(('weight', 'bias'))) ** 0.5
            if length is None:
                self.assertGreater(moved, 0.1)
            else:
                self.assertAlmostEqual(moved, length, delta=1e-4)

    def test_divergence_keeps_the_checkpoint(self) -> None:
        self.train(self.config(epochs=1), 'run')
        before = (self.folder / 'run' / 'checkpoint.pt').read_bytes()
        with self.assertRaisesRegex(Diverged, 'try a lower train.lr'):
            self.train(self.config(lr=1e30), 'other')
        self.assertEqual((self.folder / 'run' / 'checkpoint.pt').read_bytes(), before)
        self.assertFalse((self.folder / 'other' / 'checkpoint.pt').exists())

    def test_weights_that_are_not_finite_are_not_saved(self) -> None:
        """The loss of an epoch of one step is from before that step."""
        step = run_module._Run._step

        def exploding(run: Any, *arguments: Any) -> Any:
            sums = step(run, *arguments)
            torch.nn.init.constant_(run.model.fc.bias, float('inf'))
            return sums

        with mock.patch.object(run_module._Run, '_step', exploding):
            with self.assertRaisesRegex(Diverged, 'the weights are not finite after 1 epochs and 0 steps: try a lower train.lr'):
                self.train(self.config(batch_size=96), 'run')
        self.assertFalse((self.folder / 'run' / 'checkpoint.pt').exists())

    def test_ended_within_the_test(self) -> None:
        """Of the epoch nothing is lost; the test is done when the run is taken up."""
        self.train(self.config(), 'whole')
        with mock.patch.object(run_module._Run, '_test', side_effect=KeyboardInterrupt), self.assertRaises(KeyboardInterrupt):
            self.train(self.config(eval_every=3), 'ended')
        with mock.patch.object(run_module._Run, '_step', side_effect=AssertionError):
            self.train(self.config(eval_every=3), 'ended')
        for a, b in zip(*(load_checkpoint(self.folder / name / 'checkpoint.pt').meta['progress']['history'] for name in ('whole', 'ended'))):
            self.assertEqual(a['trainLoss'], b['trainLoss'])
        self.assertEqual(*(json.loads((self.folder / name / 'result.json').read_text())['confusion'] for name in ('whole', 'ended')))
        lines = (self.folder / 'ended' / 'log.jsonl').read_text().splitlines()
        self.assertEqual(['testAccuracy' in json.loads(line) for line in lines], [False, False, True])

    def test_bf16(self) -> None:
        self.assertGreater(self.train(self.config(epochs=8, precision='bf16', channels_last=True), 'run')['testAccuracy'], 0.9)

    def test_messages(self) -> None:
        def changed(table: str, **changes: Any) -> Dict[str, Any]:
            config = values(self.folder)
            config[table] = {**config[table], **changes}
            return config

        for config, message in [
            (changed('train', epoch=3), "train: unknown key 'epoch'; known are epochs"),
            (changed('train', epochs=0), 'train.epochs must be at least 1, got 0'),
            (changed('train', epochs='3'), "epochs: expected int, got '3'"),
            (changed('train', epochs=True), 'epochs: expected int, got True'),
            (changed('train', lr=-1), 'train.lr must be positive, got -1'),
            (changed('train', momentum=-1), 'train.momentum must be at least 0 and less than 1, got -1'),
            (changed('train', momentum=0, nesterov=True), 'train.nesterov must be false without train.momentum'),
            (changed('train', weight_decay=-1), 'train.weight_decay must be at least 0'),
            (changed('train', batch_size=1), 'train.batch_size must be at least 2'),
            (changed('data', test_limit=0), 'data.test_limit must be at least 1'),
            (changed('network', widths=[]), 'network.widths must be one or more numbers from 1'),
            ({**values(self.folder), 'network': {'arch': 'vgg11'}, 'data': {**values(self.folder)['data'], 'mean': [0.4] * 3, 'std': [0.3] * 3}},
             'vgg11 cannot take inputs of data.size = 8'),
            (changed('train', warmup_epochs=3), 'train.warmup_epochs must be at least 0 and less than train.epochs'),
            (changed('train', schedule='linear'), "train.schedule must be one of cosine, step, got 'linear'"),
            (changed('train', batch_size=100), 'train.batch_size = 100 is more than there are training images'),
            (changed('network', arch='resnet19'), "network.arch must be one of resnet18, .*, got 'resnet19'"),
            (changed('network', c0=-1), 'c0 must be a positive number'),
            (changed('network', depths={'conv9': 1}), "there is no plain convolution 'conv9'; the convolutions are conv1, layer1.0.conv1"),
            (changed('network', depths={'conv1': 3}), 'conv1: depth 3 leaves none of the 8 output channels .* the deepest feasible depth is 1'),
            (changed('network', classes=2), 'network.classes = 2, but the data have 3'),
            (changed('network', classes=4), 'network.classes = 4, but the data have 3; data.labels may name more'),
            (changed('network', blocks_per_stage=0), 'network.blocks_per_stage must be at least 1, got 0'),
            (changed('train', precision='f16', device='cpu'), 'train.precision = "f16" needs a GPU'),
            (changed('train', clip_norm=0), 'train.clip_norm must be positive, got 0'),
            (changed('data', path='/nowhere'), '/nowhere: there is no train-images-idx3-ubyte'),
            (changed('data', size=9), 'images are 8 x 8, but data.size is 9; data.resize = 9 resizes them'),
            (changed('data', mean=[0.4] * 3, std=[0.3] * 3), r'data.mean must be 1 number\(s\), as many as resnet_small14 takes channels .network.in_channels.'),
            (changed('data', labels=['a']), 'there are 3 classes, but data.labels has 1'),
            ({**values(self.folder), 'data': {}}, 'data: kind is missing'),
        ]:
            with self.subTest(message), self.assertRaisesRegex(ConfigError, message):
                self.train(config_from(config), 'run')
        self.train(self.config(epochs=1), 'run')
        with self.assertRaisesRegex(ConfigError, 'holds another run: its train.epochs = 1, not 2; name another folder'):
            self.train(self.config(epochs=2), 'run')

    def test_resized_in_three_channels(self) -> None:
        """What the engine makes of the same image: Pillow's resize, in each channel normalised by its own numbers."""
        from PIL import Image

        raw = values(self.folder)
        raw['data'].update(size=11, resize=11, mean=[0.1, 0.2, 0.3], std=[0.5, 0.6, 0.7])
        raw['network'].update(in_channels=3)
        config = config_from(raw)
        images, _ = next(open_data(config.data).test(2, 0, 1))
        self.assertEqual(images.shape, (2, 3, 11, 11))
        pixels = read_idx(self.folder / 't10k-images-idx3-ubyte', 3)[1].numpy()
        resized = np.asarray(Image.fromarray(pixels).resize((11, 11), Image.Resampling.BILINEAR))
        for channel, (mean, std) in enumerate(zip(config.data.mean, config.data.std)):
            expected = torch.from_numpy((resized / 255 - mean) / std).float()
            self.assertLess(float((images[1, channel] - expected).abs().max()), 1e-6)
        self.assertEqual(self.train(config, 'run')['images'], 96)

    def test_damaged_files(self) -> None:
        (self.folder / 't10k-labels-idx1-ubyte').write_bytes(b'\0\0\x08\x03')
        with self.assertRaisesRegex(ConfigError, 't10k-labels-idx1-ubyte is no IDX file'):
            open_data(self.config().data)
        (self.folder / 'run').mkdir()
        (self.folder / 'run' / 'checkpoint.pt').write_bytes(b'nothing')
        write_idx(self.folder, 96, 8)
        with self.assertRaisesRegex(ConfigError, 'cannot be read as a checkpoint'):
            self.train(self.config(), 'run')


if __name__ == '__main__':
    unittest.main()
