"""Files for the engine: what is written is read back, in the engine's spelling."""
import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import torch

from compconv import NetworkOptions, create_network, safetensors
from compconv.engine_file import Preprocess, load_engine_file, metadata_of, save_engine_file
from make_fixtures import write_idx
from trainer.checkpoint import load_network
from trainer.config import ConfigError, config_from
from trainer.run import train

from .test_training import TRAIN, values

SHIPPED = TRAIN.parent / 'public' / 'models'
SMALL = dict(arch='resnet_small14', widths=(8, 16), blocks_per_stage=1)


class ExportTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def test_reads_back(self) -> None:
        for options in [
            NetworkOptions(**SMALL, in_channels=3),
            NetworkOptions(**SMALL, c0=8, inner='bn-relu', shuffle_groups=4),
            NetworkOptions(**SMALL, depths={'layer2.0.conv2': 2, 'conv1': 1}, inner_bias=True),
        ]:
            for dtype, error in [('F32', 0.0), ('F16', 2e-3)]:
                with self.subTest(options=options, dtype=dtype):
                    torch.manual_seed(0)
                    model = create_network(options)
                    file = self.folder / 'network.safetensors'
                    preprocess = Preprocess(12, (0.5,), (0.25,))
                    save_engine_file(file, model, options, preprocess, ['a', 'b'], dtype)
                    back = load_engine_file(file)
                    self.assertEqual(metadata_of(back.options), metadata_of(options))
                    self.assertEqual(back.options.inner_bias, options.inner_bias)
                    self.assertEqual((back.preprocess, back.labels), (preprocess, ['a', 'b']))
                    x = torch.randn(2, options.input_shape[1], 12, 12)
                    with torch.no_grad():
                        torch.testing.assert_close(back.model.eval()(x), model.eval()(x), rtol=error, atol=error)
                    tensors, _ = safetensors.load(file)
                    self.assertFalse([name for name in tensors if name.endswith('num_batches_tracked')])
                    self.assertEqual(tensors['fc.weight'].dtype, torch.float32 if dtype == 'F32' else torch.float16)
                    self.assertEqual(tensors['bn1.running_var'].dtype, torch.float32)

    def test_shipped_files(self) -> None:
        """Read, and written again: the same metadata and the same tensors."""
        files = sorted(SHIPPED.glob('*.safetensors'))
        self.assertGreaterEqual(len(files), 2)
        for shipped in files:
            with self.subTest(shipped.name):
                file = self.folder / shipped.name
                network = load_engine_file(shipped)
                save_engine_file(file, network.model, network.options, network.preprocess, network.labels, 'F16')
                (tensors, metadata), (expected, expected_metadata) = safetensors.load(file), safetensors.load(shipped)
                self.assertEqual({key: json.loads(text) for key, text in metadata.items()},
                                 {key: json.loads(text) for key, text in expected_metadata.items()})
                expected = {name: tensor for name, tensor in expected.items() if not name.endswith('num_batches_tracked')}
                self.assertEqual(list(tensors), list(expected))
                for name, tensor in expected.items():
                    self.assertEqual(tensors[name].dtype, tensor.dtype, name)
                    self.assertTrue(torch.equal(tensors[name], tensor), name)

    def test_torchvision_metadata(self) -> None:
        self.assertEqual(metadata_of(NetworkOptions('resnet50', c0=128.0)),
                         {'arch': 'resnet50', 'inChannels': 3, 'classes': 1000, 'c0': 128, 'shuffleGroups': 2, 'inner': 'linear'})
        self.assertEqual(Preprocess(256, (0.5,) * 3, (0.2,) * 3, 224).to_json(),
                         {'color': 'rgb', 'size': 256, 'crop': 224, 'mean': [0.5] * 3, 'std': [0.2] * 3})

    def test_command(self) -> None:
        """A run, exported by the command, read as a network and as a teacher."""
        write_idx(self.folder, 96, 8)
        config = values(self.folder, epochs=1)
        train(config_from(config), self.folder / 'run', lambda _line: None)
        checkpoint, file = self.folder / 'run' / 'checkpoint.pt', self.folder / 'network.safetensors'
        command = [sys.executable, str(TRAIN / 'export.py'), str(checkpoint), str(file)]
        done = subprocess.run(command, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        _, metadata = safetensors.load(file)
        self.assertEqual(json.loads(metadata['compconv']), {
            'arch': 'resnet_small14', 'inChannels': 1, 'widths': [8, 16], 'blocksPerStage': 1, 'classes': 3,
            'c0': 4, 'shuffleGroups': 2, 'inner': 'linear',
        })
        self.assertEqual(json.loads(metadata['labels']), ['0', '1', '2'])
        self.assertEqual(json.loads(metadata['preprocess']), {'color': 'gray', 'size': 8, 'mean': [0.4], 'std': [0.3]})
        ours, theirs = load_network(checkpoint).model.state_dict(), load_network(file).model.state_dict()
        for name in ours:
            self.assertTrue(torch.equal(ours[name], theirs[name]) or name.endswith('num_batches_tracked'), name)
        config['distill'] = {'teacher': str(file)}
        train(config_from(config), self.folder / 'pupil', lambda _line: None)

        again = subprocess.run([*command[:2], str(file), str(file), '--dtype', 'F16'], capture_output=True, text=True)
        self.assertEqual(again.returncode, 0, again.stderr)
        bad = subprocess.run([*command[:2], str(self.folder / 'nothing.pt'), str(file)], capture_output=True, text=True)
        self.assertEqual((bad.returncode, bad.stderr[:10]), (2, 'export.py:'))
        bad = subprocess.run([*command[:3], str(checkpoint)], capture_output=True, text=True)
        self.assertEqual((bad.returncode, bad.stderr), (2, f'export.py: {checkpoint}: the engine knows such files by the ending .safetensors\n'))

    def test_messages(self) -> None:
        file = self.folder / 'network.safetensors'
        for options, message in [
            (NetworkOptions(**SMALL, ghost_ratio=2), 'the engine does not run Ghost modules'),
            (NetworkOptions(**SMALL, c0=8, slice_order='shallowest-first'), "does not run slice_order 'shallowest-first'"),
            (NetworkOptions(**SMALL, c0=8, slice_stride='average'), "does not run slice_stride 'average'"),
        ]:
            with self.subTest(message), self.assertRaisesRegex(ValueError, message):
                save_engine_file(file, create_network(options), options)
        self.assertFalse(file.exists())
        options = NetworkOptions(**SMALL)
        model = create_network(options)
        torch.nn.init.constant_(model.fc.weight, 1e6)
        with self.assertRaisesRegex(ValueError, 'fc.weight has values that F16 cannot hold'):
            save_engine_file(file, model, options, dtype='F16')
        save_engine_file(file, model, NetworkOptions(**SMALL, c0=8))
        with self.assertRaisesRegex(ValueError, 'Missing key.*conv1.primitive.weight'):
            load_engine_file(file)
        header = b'{"x":{"dtype":"BF16","shape":[1],"data_offsets":[0,2]}}'
        file.write_bytes(len(header).to_bytes(8, 'little') + header + b'\0\0')
        with self.assertRaisesRegex(ValueError, 'x is of type BF16; only F64, F32'):
            load_engine_file(file)
        safetensors.save(file, {'x': torch.zeros(1)}, {})
        with self.assertRaisesRegex(ConfigError, 'has no "compconv" metadata'):
            load_network(file)


if __name__ == '__main__':
    unittest.main()
