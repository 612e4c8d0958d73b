"""Configuration files: those of `configs/`, those that extend others, depth maps; and what `sensitivity.py` writes."""
import dataclasses
import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import torch

from compconv import NetworkOptions, create_network
from compconv.engine_file import save_engine_file
from compconv.networks import SMALL_RESNET
from make_fixtures import write_idx
from sensitivity import sensitivity
from trainer.checkpoint import load_network
from trainer.config import ConfigError, read_config

from .test_training import TRAIN, values


class ConfigFilesTest(unittest.TestCase):
    def test_every_file(self) -> None:
        configs = {path.stem: read_config(path) for path in (TRAIN / 'configs').glob('*.toml')}
        self.assertEqual(
            set(configs),
            {
                'fashion-mnist',
                'fashion-mnist-compconv16',
                'fashion-mnist-compconv16-distilled',
                'fashion-mnist-resnet',
                'fashion-mnist-searched',
                'imagenet-resnet50',
                'imagenet-resnet50-compconv128',
            },
        )
        plain, light, taught = (configs[f'fashion-mnist{suffix}'] for suffix in ('', '-compconv16', '-compconv16-distilled'))
        self.assertEqual((plain.data, plain.train), (light.data, light.train))
        self.assertEqual((light.network.arch, light.network.c0, taught.network), (SMALL_RESNET, 16, light.network))
        assert taught.distill is not None
        self.assertEqual(taught.distill.weight, 0.5)
        plain, light = (configs[f'imagenet-resnet50{suffix}'] for suffix in ('', '-compconv128'))
        self.assertEqual((plain.data, plain.train), (light.data, light.train))
        self.assertEqual((plain.network.c0, light.network.c0, light.network.arch, light.train.epochs), (None, 128, 'resnet50', 90))


class DepthsTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        write_idx(self.folder, 96, 8)
        config = values(self.folder, epochs=1)
        del config['network']['c0']
        self.config = self.folder / 'config.json'
        self.config.write_text(json.dumps(config))
        self.map = {'conv1': 1, 'layer2.0.conv2': 2}
        (self.folder / 'depths.json').write_text(json.dumps(self.map))

    def test_beside_the_configuration(self) -> None:
        self.assertEqual(read_config(self.config, ['network.depths="depths.json"']).network.depths, self.map)
        for text, message in [('[1]', 'expected a table'), ('{', 'line 1 column 2'), ('{"conv1": "deep"}', "depths: expected int, got 'deep'")]:
            (self.folder / 'depths.json').write_text(text)
            with self.subTest(text), self.assertRaisesRegex(ConfigError, message):
                read_config(self.config, ['network.depths="depths.json"'])
        with self.assertRaisesRegex(ConfigError, 'nowhere.json: No such file'):
            read_config(self.config, ['network.depths="nowhere.json"'])

    def test_extends(self) -> None:
        """What a file says wins over the file that it extends, and `--set` over both."""
        for name, base, lr in [('second', 'config', 0.2), ('third', 'second', 0.3)]:
            (self.folder / f'{name}.json').write_text(json.dumps({'extends': f'{base}.json', 'train': {'lr': lr}}))
        config = read_config(self.folder / 'third.json', ['train.seed=4'])
        self.assertEqual(config.train, dataclasses.replace(read_config(self.config).train, lr=0.3, seed=4))

    def test_beside_the_file_that_names_it(self) -> None:
        base = json.loads(self.config.read_text())
        base['network']['depths'] = 'depths.json'
        self.config.write_text(json.dumps(base))
        (self.folder / 'other').mkdir()
        extending = self.folder / 'other' / 'config.json'
        extending.write_text(json.dumps({'extends': '../config.json'}))
        self.assertEqual(read_config(extending).network.depths, self.map)

    def test_command(self) -> None:
        command = [sys.executable, str(TRAIN / 'train.py'), str(self.config), '--run-folder', 'run', '--depths', 'depths.json']
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        network = load_network(self.folder / 'run' / 'checkpoint.pt')
        self.assertEqual(network.options.depths, self.map)
        self.assertIn('layer2.0.conv2.grow.0.weight', network.model.state_dict())


class SensitivityTest(unittest.TestCase):
    OPTIONS = NetworkOptions(SMALL_RESNET, widths=(6, 14), blocks_per_stage=1)

    def test_both_measures(self) -> None:
        torch.manual_seed(0)
        model = create_network(self.OPTIONS)
        before = {name: value.clone() for name, value in model.state_dict().items()}
        images = torch.randn(64, 1, 10, 10)
        for measure in ('kl', 'error'):
            with self.subTest(measure):
                result = sensitivity(model, images, measure)
                depths = {name: len(costs) - 1 for name, costs in result.items()}
                self.assertEqual(depths, {
                    'conv1': 2, 'layer1.0.conv1': 2, 'layer1.0.conv2': 2,
                    'layer2.0.conv1': 3, 'layer2.0.conv2': 3, 'layer2.0.downsample.0': 3,
                })
                for name, costs in result.items():
                    self.assertEqual(costs[0], 0, name)
                    self.assertTrue(all(cost > 0 for cost in costs[1:]), name)
                # Channels that are copies of input channels cost more than channels that are not.
                self.assertLess(result['layer2.0.conv2'][1], result['layer2.0.conv2'][3])
        for name, value in model.state_dict().items():
            self.assertTrue(torch.equal(value, before[name]), name)

    def test_command(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            file, out = Path(name) / 'network.safetensors', Path(name) / 'sensitivity.json'
            save_engine_file(file, create_network(self.OPTIONS), self.OPTIONS)
            command = [sys.executable, str(TRAIN / 'sensitivity.py'), str(file), '--images', '8', '--size', '10', '--out', str(out)]
            done = subprocess.run(command, capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual([len(costs) for costs in json.loads(out.read_text()).values()], [3, 3, 3, 4, 4, 4])
            none = subprocess.run([*command, '--images', '0'], capture_output=True, text=True)
            self.assertEqual(none.returncode, 2)
            self.assertIn('argument --images: must be at least 1, got 0', none.stderr)
            options = NetworkOptions(SMALL_RESNET, widths=(6,), c0=4)
            save_engine_file(file, create_network(options), options)
            bad = subprocess.run(command, capture_output=True, text=True)
            self.assertEqual((bad.returncode, bad.stderr), (2, f'sensitivity.py: {file} is no plain network\n'))


if __name__ == '__main__':
    unittest.main()
