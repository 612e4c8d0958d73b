"""Images and labels, in batches: MNIST's IDX files in memory, or a folder of images for each class."""
from __future__ import annotations

import atexit
import contextlib
import gzip
import hashlib
import multiprocessing.util
import signal
import struct
from pathlib import Path
from typing import Any, Callable, Iterator, List, Optional, Protocol, Sequence, Tuple

import numpy as np
import torch
from torch import Tensor

from .config import ConfigError, DataConfig
from .seeds import generator_for, seed_for

Batch = Tuple[Tensor, Tensor]
"""Normalised images `[N, C, H, W]` in float32, and their classes `[N]`."""


class Data(Protocol):
    classes: Sequence[str]
    fingerprint: str
    """Of the training images' order and classes: a run cannot go on with others."""

    def steps(self, batch_size: int) -> int:
        """Of an epoch: whole batches only, so that no small one has a say in BatchNorm's statistics."""

    def training(self, batch_size: int, seed: int, epoch: int, first: int, rank: int, world: int) -> Iterator[Batch]:
        """The batches of an epoch from step `first` on, in random order, augmented; of each, the share of process `rank`."""

    def test(self, batch_size: int, rank: int, world: int) -> Iterator[Batch]:
        """Every `world`-th image of the test set, in order."""


def some_images(data: Data, count: int, seed: int) -> Tensor:
    """The first training images of the first epoch: `count`, or as many as there are."""
    images, _ = next(data.training(min(count, data.steps(1)), seed, 0, 0, 0, 1))
    return images


def open_data(config: DataConfig, for_gpu: bool = False) -> Data:
    """Raises ConfigError where the files are not there or not what they should be."""
    if config.kind == 'idx':
        return IdxData(config)
    return FolderData(config, for_gpu)


# --- IDX files ---------------------------------------------------------------------------------------------------------


class IdxData:
    def __init__(self, config: DataConfig) -> None:
        folder = Path(config.path)
        self._train = _idx_pair(folder, 'train', config.train_limit)
        self._test = _idx_pair(folder, 't10k', config.test_limit)
        if config.resize is not None:
            self._train, self._test = ((_resized(images, config.resize), labels) for images, labels in (self._train, self._test))
        for images, _ in (self._train, self._test):
            if images.shape[1:] != (config.size, config.size):
                size = f'{images.shape[2]} x {images.shape[1]}'
                hint = f'; data.resize = {config.size} resizes them' if config.resize is None else ' (after data.resize)'
                raise ConfigError(f'{folder}: images are {size}, but data.size is {config.size}{hint}')
        count = 1 + max(int(self._train[1].max()), int(self._test[1].max()))
        self.classes: Sequence[str] = config.labels or [str(i) for i in range(count)]
        if len(self.classes) < count:
            raise ConfigError(f'{folder}: there are {count} classes, but data.labels has {len(self.classes)}')
        self.fingerprint = hashlib.sha256(self._train[1].numpy().tobytes()).hexdigest()
        self._config = config
        self._padded = torch.nn.functional.pad(self._train[0], [config.pad] * 4)

    def steps(self, batch_size: int) -> int:
        return len(self._train[1]) // batch_size

    def training(self, batch_size: int, seed: int, epoch: int, first: int, rank: int, world: int) -> Iterator[Batch]:
        count, size, pad = len(self._train[1]), self._config.size, self._config.pad
        generator = generator_for('images', seed, epoch)
        order = torch.randperm(count, generator=generator)
        # Of each image's window: its corner in the padded image, and whether it is read from right to left.
        top, left = torch.randint(0, 2 * pad + 1, (2, count), generator=generator)
        mirrored = torch.randint(0, 2, (count,), generator=generator) * int(self._config.flip)
        side = torch.arange(size)
        rows = top[:, None] + side
        columns = left[:, None] + torch.where(mirrored[:, None] == 1, side.flip(0), side)
        for step in range(first, self.steps(batch_size)):
            places = slice(step * batch_size + rank, (step + 1) * batch_size, world)
            chosen = order[places]
            pixels = self._padded[chosen[:, None, None], rows[places][:, :, None], columns[places][:, None, :]]
            yield self._normalised(pixels), self._train[1][chosen]

    def test(self, batch_size: int, rank: int, world: int) -> Iterator[Batch]:
        images, labels = (part[rank::world] for part in self._test)
        for begin in range(0, len(labels), batch_size):
            yield self._normalised(images[begin : begin + batch_size]), labels[begin : begin + batch_size]

    def _normalised(self, pixels: Tensor) -> Tensor:
        mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (self._config.mean, self._config.std))
        return ((pixels.unsqueeze(1).float() / 255) - mean) / std


def _idx_pair(folder: Path, part: str, limit: Optional[int]) -> Tuple[Tensor, Tensor]:
    images = read_idx(_idx_file(folder, f'{part}-images-idx3-ubyte'), 3)[:limit]
    labels = read_idx(_idx_file(folder, f'{part}-labels-idx1-ubyte'), 1)[:limit]
    if len(images) != len(labels) or len(images) == 0:
        raise ConfigError(f'{folder}: {len(images)} {part} images, but {len(labels)} labels')
    return images, labels.long()


def _idx_file(folder: Path, name: str) -> Path:
    for path in (folder / f'{name}.gz', folder / name):
        if path.exists():
            return path
    raise ConfigError(f'{folder}: there is no {name} or {name}.gz (data.path names the folder of the IDX files)')


def _resized(images: Tensor, side: int) -> Tensor:
    """Square images of that side, as the engine and torchvision resize them: by Pillow, to whole levels."""
    try:
        from PIL import Image
    except ImportError as error:
        raise ConfigError('data.resize needs Pillow') from error
    resized = [np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BILINEAR)) for image in images.numpy()]
    return torch.from_numpy(np.stack(resized))


def read_idx(path: Path, dimensions: int) -> Tensor:
    """Unsigned bytes of an IDX file, gzipped or not. Raises ConfigError."""
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == '.gz' else path.read_bytes()
        zero, kind, found, *shape = struct.unpack_from(f'>HBB{dimensions}I', data)
        if (zero, kind, found) != (0, 8, dimensions):
            raise ValueError(f'expected unsigned bytes in {dimensions} dimension(s)')
        array = np.frombuffer(data, np.uint8, offset=4 + 4 * dimensions).reshape(shape)
    except (OSError, EOFError, struct.error, ValueError) as error:
        raise ConfigError(f'{path} is no IDX file: {error}') from error
    return torch.from_numpy(array.copy())


# --- folders -----------------------------------------------------------------------------------------------------------


class FolderData:
    """ImageNet's layout, read by torchvision: `train/<class>/*.jpg` and `val/<class>/*.jpg`."""

    def __init__(self, config: DataConfig, for_gpu: bool) -> None:
        try:
            from torchvision import datasets, transforms
        except ImportError as error:
            raise ConfigError('data.kind = "folder" needs torchvision') from error
        if len(config.mean) != 3:
            raise ConfigError(f'data.kind = "folder" reads images of 3 channels, but data.mean has {len(config.mean)}')
        finish = [transforms.ToTensor(), transforms.Normalize(config.mean, config.std)]
        flip = [transforms.RandomHorizontalFlip()] if config.flip else []
        augmented = transforms.Compose([transforms.RandomResizedCrop(config.size), *flip, *finish])
        plain = transforms.Compose([transforms.Resize(config.resize or config.size), transforms.CenterCrop(config.size), *finish])
        sets = []
        for part, transform in (('train', augmented), ('val', plain)):
            try:
                sets.append(datasets.ImageFolder(str(Path(config.path) / part), transform, loader=read_image))
            except (OSError, RuntimeError) as error:
                raise ConfigError(f'{config.path}: expected train/<class>/ and val/<class>/ with images: {part}/: {error}') from error
        self._train, self._test = sets
        if self._train.classes != self._test.classes:
            differing = ', '.join(sorted(set(self._train.classes) ^ set(self._test.classes)))
            raise ConfigError(f'{config.path}: train/ and val/ have different classes: {differing} in one of them alone')
        self.classes: Sequence[str] = config.labels or self._train.classes
        if len(self.classes) < len(self._train.classes):
            raise ConfigError(f'{config.path}: there are {len(self._train.classes)} classes, but data.labels has {len(self.classes)}')
        images = '\n'.join(Path(path).relative_to(self._train.root).as_posix() for path, _ in self._train.samples)
        self.fingerprint = hashlib.sha256(images.encode()).hexdigest()
        # Every so many, rather than the first: these are sorted by class.
        self._train_indices = _spread(len(self._train), config.train_limit)
        self._test_indices = _spread(len(self._test), config.test_limit)
        self._workers, self._for_gpu = config.workers, for_gpu

    def steps(self, batch_size: int) -> int:
        return len(self._train_indices) // batch_size

    def training(self, batch_size: int, seed: int, epoch: int, first: int, rank: int, world: int) -> Iterator[Batch]:
        order = self._train_indices[torch.randperm(len(self._train_indices), generator=generator_for('images', seed, epoch))]
        batches = [
            order[step * batch_size + rank : (step + 1) * batch_size : world].tolist() for step in range(first, self.steps(batch_size))
        ]
        return self._load(_Seeded(self._train, ('augment', seed, epoch)), batches)

    def test(self, batch_size: int, rank: int, world: int) -> Iterator[Batch]:
        mine = self._test_indices[rank::world]
        return self._load(self._test, [batch.tolist() for batch in mine.split(batch_size) if len(batch) > 0])

    def _load(self, images: Any, batches: List[List[int]]) -> Iterator[Batch]:
        loader: Any = torch.utils.data.DataLoader(images, batch_sampler=batches, num_workers=self._workers, pin_memory=self._for_gpu)
        with _blocked_stop_signals():
            loaded = iter(loader)
        try:
            yield from loaded
        except ConfigError as error:  # Of a worker, whose traceback is its message.
            raise ConfigError(str(error).strip().splitlines()[-1].split('ConfigError: ')[-1]) from error
        except RuntimeError as error:
            if 'DataLoader worker' not in str(error):
                raise
            raise ConfigError(f'a process that reads images has ended; if memory is short, lower data.workers ({error})') from error


def read_image(path: str) -> Any:
    """In RGB and upright, as the engine reads it. Raises ConfigError."""
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as file:
            image = ImageOps.exif_transpose(file)
            if image.mode.startswith('I'):  # 16 bits, of which Pillow would make white what is above 255.
                image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
            return image.convert('RGB')
    except Exception as error:  # Whatever a damaged file makes Pillow raise.
        reason = ' '.join(str(error).split())
        raise ConfigError(f'{path} cannot be read as an image: {reason}') from error


@contextlib.contextmanager
def _blocked_stop_signals() -> Iterator[None]:
    """Processes begun meanwhile never get them. They are often sent to all of a group: the training process stops when it has saved, and these
    with it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_readers() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # PyTorch 2 would take it for an error, and hide the one that ends the run.
    for process in multiprocessing.active_children():
        process.kill()


# Before multiprocessing's own, which asks them by SIGTERM, and after an error would wait for them forever.
atexit.register(_end_readers)


def _spread(count: int, limit: Optional[int]) -> Tensor:
    kept = count if limit is None else min(limit, count)
    return torch.arange(kept) * count // max(kept, 1)


class _Seeded(torch.utils.data.Dataset):  # type: ignore[type-arg]
    """A dataset whose augmentation depends on the place and the image alone, not on the process that loads it."""

    def __init__(self, images: Any, place: Tuple[object, ...]) -> None:
        self._images, self._place = images, place

    def __getitem__(self, index: int) -> Any:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed_for(*self._place, index))
            return self._images[index]
