"""A training run in a folder of its own: `checkpoint.pt`, `log.jsonl`, and at the end `result.json`.

A run that was stopped, by Ctrl-C or by force, is taken up where its last checkpoint is, and ends in the same weights to the bit
(on the same machine, with as many threads and processes).
"""
from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import math
import os
import signal
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional

import torch
from torch import Tensor, nn

from compconv import count, create_network

from .checkpoint import Checkpoint, load_checkpoint, load_network, load_pretrained, save_checkpoint
from .config import Config, ConfigError, PretrainedConfig, config_from
from .data import open_data, some_images
from .distributed import Process, join, leave
from .schedule import learning_rate
from .seeds import seed_for

PROGRESS_SECONDS = 30
Say = Callable[[str], None]


class Stopped(Exception):
    """By a signal; the run can be taken up again."""


class Diverged(Exception):
    """The loss is not finite any more; the checkpoint is of before."""


@dataclasses.dataclass
class Progress:
    """Where a run stands."""

    epoch: int = 0
    """Complete epochs."""
    step: int = 0
    """Steps of the epoch that has begun."""
    loss: float = 0.0
    correct: int = 0
    images: int = 0
    """Sums over those steps."""
    seconds: float = 0.0
    """Spent on the run so far, by all sessions that it took."""
    history: List[Dict[str, Any]] = dataclasses.field(default_factory=list)
    """A record of each epoch."""


def train(config: Config, folder: Path, say: Say = print) -> Dict[str, Any]:
    """Trains, or goes on with what is in the folder; returns what `result.json` holds.

    Raises ConfigError, Stopped, Diverged.
    """
    if config.train.threads is not None:
        torch.set_num_threads(config.train.threads)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f'{folder} cannot be the folder of a run: {error.strerror}') from error
    process = join(config.train.device)
    try:
        result_file = folder / 'result.json'
        with _only_one(folder, process):
            if result_file.exists():
                result: Dict[str, Any] = json.loads(result_file.read_text())
                _check_same(config, result['config'], folder)
                return result
            run = _Run(config, folder, process, say if process.is_first else lambda _line: None)
            result = run.to_the_end()
            if process.is_first:
                _write(result_file, json.dumps(result) + '\n')
            return result
    finally:
        leave(process)


class _Run:
    def __init__(self, config: Config, folder: Path, process: Process, say: Say) -> None:
        self.config, self.folder, self.process, self.say = config, folder, process, say
        t = config.train
        if t.batch_size % process.world != 0:
            raise ConfigError(f'train.batch_size = {t.batch_size} is no multiple of {process.world} processes')
        self.data = open_data(config.data)
        self.steps = self.data.steps(t.batch_size)
        if self.steps == 0:
            raise ConfigError(f'train.batch_size = {t.batch_size} is more than there are training images')

        torch.manual_seed(seed_for('network', t.seed))
        classes = config.network.classes or len(self.data.classes)
        if classes < len(self.data.classes):
            raise ConfigError(f'network.classes = {classes}, but the data have {len(self.data.classes)}')
        self.options = dataclasses.replace(config.network, classes=classes)
        checkpoint = folder / 'checkpoint.pt'
        try:
            pretrained = None if checkpoint.exists() else config.pretrained
            self.model = create_network(self.options) if pretrained is None else self._pretrained(pretrained)
        except ValueError as error:
            raise ConfigError(str(error)) from error
        try:
            self.cost = count(self.model, (1, self.options.input_shape[1], config.data.size, config.data.size))
        except RuntimeError as error:  # A pooling that nothing is left for.
            raise ConfigError(f'{self.options.arch} cannot take inputs of data.size = {config.data.size}: {error}') from error
        layout = torch.channels_last if t.channels_last else torch.contiguous_format
        self.layout: Dict[str, Any] = {'device': process.device, 'memory_format': layout, 'non_blocking': True}
        self.model.to(process.device, memory_format=layout)  # type: ignore[call-overload]
        self.optimizer = torch.optim.SGD(  # type: ignore[call-arg]
            self.model.parameters(), t.lr, t.momentum, weight_decay=t.weight_decay, nesterov=t.nesterov, foreach=True
        )
        self.scaler = _scaler(t.precision == 'f16' and process.device.type == 'cuda')
        self.teacher = self._teacher()
        self.progress = Progress()
        if checkpoint.exists():
            self._resume(load_checkpoint(checkpoint))
        self.parallel = process.wrap(self.model)

    # --- the loop ------------------------------------------------------------------------------------------------------

    def to_the_end(self) -> Dict[str, Any]:
        self.say(f'{self.folder}: {self.cost.macs / 1e6:.1f} MMAC, {self.cost.params:,} parameters, {self.config.train.epochs} epochs')
        if self.progress.epoch or self.progress.step:
            self.say(f'going on after {self.progress.epoch} epochs and {self.progress.step} steps')
        if self.process.is_first:
            _write(self.folder / 'log.jsonl', ''.join(json.dumps(record) + '\n' for record in self.progress.history))
        tested: Optional[Tensor] = None
        with _stop_signals() as stop:
            while self.progress.epoch < self.config.train.epochs:
                tested = self._epoch(stop)
        confusion = self._test() if tested is None else tested
        correct, images = int(confusion.trace()), int(confusion.sum())
        return {
            'config': self.config.to_json(),
            'classes': list(self.data.classes),
            'epochs': self.progress.epoch,
            'testAccuracy': correct / images,
            'correct': correct,
            'images': images,
            'macs': self.cost.macs,
            'params': self.cost.params,
            'seconds': round(self.progress.seconds, 1),
            'confusion': confusion.tolist(),
            'torch': str(torch.__version__),
            'threads': torch.get_num_threads(),
            'processes': self.process.world,
            'device': self.process.device.type,
        }

    def _epoch(self, stop: Callable[[], bool]) -> Optional[Tensor]:
        """The rest of an epoch; returns the confusion matrix if the test is due."""
        p, t = self.progress, self.config.train
        clock = _Clock()
        images_here = 0
        saved = reported = time.perf_counter()
        sums = torch.zeros(3, dtype=torch.float64, device=self.process.device)  # loss, correct, images
        batches = self.data.training(t.batch_size, t.seed, p.epoch, p.step, self.process.rank, self.process.world)
        self.model.train()
        for images, labels in batches:
            sums += self._step(images, labels)
            images_here += t.batch_size
            p.step += 1
            p.seconds += clock.lap()
            now = time.perf_counter()
            # Several processes have to agree, which costs a round trip: only now and then.
            if p.step < self.steps and (self.process.world == 1 or p.step % 20 == 0):
                stopping = self.process.any(stop())
                if stopping or self.process.any(now - saved > 60 * t.save_minutes):
                    sums = self._collect(sums)
                    self._save()
                    saved = now
                if stopping:
                    raise Stopped(f'stopped in epoch {p.epoch + 1}, after {p.step} of {self.steps} steps')
            if now - reported > PROGRESS_SECONDS:
                reported = now
                self.say(f'  epoch {p.epoch + 1}: step {p.step} of {self.steps}, {images_here / clock.total:.0f} images/s')
        self._collect(sums)

        record: Dict[str, Any] = {
            'epoch': p.epoch + 1,
            'lr': learning_rate(t, p.epoch + 1 - 1 / self.steps),
            'trainLoss': p.loss / p.images,
            'trainAccuracy': p.correct / p.images,
            'imagesPerSecond': round(images_here / clock.total, 1),
        }
        p.epoch, p.step, p.loss, p.correct, p.images = p.epoch + 1, 0, 0.0, 0, 0
        confusion = None
        if p.epoch % t.eval_every == 0 or p.epoch == t.epochs:
            confusion = self._test()
            record['testAccuracy'] = int(confusion.trace()) / int(confusion.sum())
        p.seconds += clock.lap()
        record['seconds'] = round(p.seconds, 1)
        p.history.append(record)
        self._save()
        if self.process.is_first:
            with (self.folder / 'log.jsonl').open('a') as log:
                log.write(json.dumps(record) + '\n')
        self.say(_line(record, t.epochs))
        if self.process.any(stop()) and p.epoch < t.epochs:
            raise Stopped(f'stopped after epoch {p.epoch}')
        return confusion

    def _step(self, images: Tensor, labels: Tensor) -> Tensor:
        """Returns the sums of loss and correct answers, and the number of images."""
        t, p = self.config.train, self.progress
        # Dropout is the same in a run that was taken up here.
        torch.manual_seed(seed_for('step', t.seed, p.epoch, p.step, self.process.rank))
        rate = learning_rate(t, p.epoch + (p.step + 1) / self.steps)
        for group in self.optimizer.param_groups:
            group['lr'] = rate
        images, labels = images.to(**self.layout), labels.to(self.process.device, non_blocking=True)
        with self._autocast():
            logits = self.parallel(images)
            loss = self._loss(logits.float(), images, labels)
        self.optimizer.zero_grad(set_to_none=True)
        if self.scaler is None:
            loss.backward()
            self.optimizer.step()
        else:
            self.scaler.scale(loss).backward()
            self.scaler.step(self.optimizer)
            self.scaler.update()
        count = len(labels)
        correct = (logits.detach().argmax(1) == labels).sum()
        return torch.stack([loss.detach().double() * count, correct.double(), torch.tensor(count, device=loss.device).double()])

    def _loss(self, logits: Tensor, images: Tensor, labels: Tensor) -> Tensor:
        loss = nn.functional.cross_entropy(logits, labels, label_smoothing=self.config.train.label_smoothing)
        if self.teacher is None or self.config.distill is None:
            return loss
        d = self.config.distill
        with torch.no_grad():
            taught = self.teacher(images).float()
        # Times T^2, as in Hinton et al. 2015, so that the gradients keep their scale.
        divergence = nn.functional.kl_div(
            (logits / d.temperature).log_softmax(1), (taught / d.temperature).log_softmax(1), log_target=True, reduction='batchmean'
        )
        return (1 - d.weight) * loss + d.weight * d.temperature**2 * divergence

    def _test(self) -> Tensor:
        """The confusion matrix of the test images, `[class, answer]`, in float32."""
        self.process.share_buffers(self.model)
        self.model.eval()
        size = self.options.classes or 0
        confusion = torch.zeros(size * size, dtype=torch.int64, device=self.process.device)
        share = max(1, self.config.train.batch_size // self.process.world)
        with torch.no_grad():
            for images, labels in self.data.test(share, self.process.rank, self.process.world):
                answers = self.model(images.to(**self.layout)).argmax(1)
                confusion += torch.bincount(labels.to(answers.device) * size + answers, minlength=size * size)
        return self.process.total(confusion).view(size, size).cpu()

    def _autocast(self) -> Any:
        dtype = {'f32': torch.float32, 'bf16': torch.bfloat16, 'f16': torch.float16}[self.config.train.precision]
        if dtype == torch.float32:
            return contextlib.nullcontext()
        return torch.autocast(self.process.device.type, dtype)

    # --- state ---------------------------------------------------------------------------------------------------------

    def _teacher(self) -> Optional[nn.Module]:
        if self.config.distill is None:
            return None
        network = load_network(Path(self.config.distill.teacher))
        theirs, ours = ((options.classes, options.input_shape[1]) for options in (network.options, self.options))
        if theirs != ours:
            raise ConfigError(f'{self.config.distill.teacher}: the teacher has {theirs[0]} classes and {theirs[1]} channels, not {ours[0]} and {ours[1]}')
        return network.model.to(self.process.device).eval().requires_grad_(False)

    def _pretrained(self, pretrained: PretrainedConfig) -> nn.Module:
        """The same in every process: all see the first images of the first epoch."""
        path = Path(pretrained.weights)
        self.say(f'{self.folder}: weights from {path}')
        images = some_images(self.data, pretrained.images, self.config.train.seed)
        model, fresh = load_pretrained(path, self.options, images)
        if fresh:
            self.say(f'{path} has other classes: {", ".join(fresh)} begin at random')
        return model

    def _collect(self, sums: Tensor) -> Tensor:
        """Moves the sums of all processes into the progress, and returns zeros to go on with."""
        loss, correct, images = self.process.total(sums).tolist()
        p = self.progress
        if not math.isfinite(loss):
            raise Diverged(f'the loss is {loss} in epoch {p.epoch + 1}, by step {p.step}: try a lower train.lr, or a longer warm-up')
        p.loss, p.correct, p.images = p.loss + loss, p.correct + int(correct), p.images + int(images)
        return torch.zeros_like(sums)

    def _save(self) -> None:
        if not self.process.is_first:
            return
        meta = {
            'config': self.config.to_json(),
            'classes': list(self.data.classes),
            'progress': dataclasses.asdict(self.progress),
            'scaler': self.scaler.state_dict() if self.scaler else {},
        }
        # Learning rate and momentum are the configuration's; what the optimizer has learnt is its buffers.
        save_checkpoint(self.folder / 'checkpoint.pt', Checkpoint(meta, self.model.state_dict(), self.optimizer.state_dict()['state']))

    def _resume(self, checkpoint: Checkpoint) -> None:
        _check_same(self.config, checkpoint.meta['config'], self.folder)
        self.model.load_state_dict(checkpoint.model)
        groups = self.optimizer.state_dict()['param_groups']
        self.optimizer.load_state_dict({'state': checkpoint.optimizer, 'param_groups': groups})
        if self.scaler is not None:
            self.scaler.load_state_dict(checkpoint.meta['scaler'])
        self.progress = Progress(**checkpoint.meta['progress'])


class _Clock:
    def __init__(self) -> None:
        self._start = self._last = time.perf_counter()

    @property
    def total(self) -> float:
        return time.perf_counter() - self._start

    def lap(self) -> float:
        now = time.perf_counter()
        lap, self._last = now - self._last, now
        return lap


def _line(record: Dict[str, Any], epochs: int) -> str:
    test = f', test {record["testAccuracy"]:.2%}' if 'testAccuracy' in record else ''
    return (
        f'epoch {record["epoch"]}/{epochs}: loss {record["trainLoss"]:.4f}, train {record["trainAccuracy"]:.2%}{test}, '
        f'{record["imagesPerSecond"]:.0f} images/s, {record["seconds"]:.0f} s'
    )


def _check_same(config: Config, stored: Dict[str, Any], folder: Path) -> None:
    """A folder holds one run. Where, on what and with how many hands it is trained may change between sessions."""

    def what_counts(c: Config) -> Dict[str, Any]:
        data = dataclasses.replace(c.data, path='', workers=0)
        train = dataclasses.replace(c.train, device='auto', threads=None, eval_every=1, save_minutes=0.0)
        return dataclasses.replace(c, data=data, train=train).to_json()

    ours, theirs = what_counts(config), what_counts(config_from(stored, f'{folder}'))
    for table, values in ours.items():
        if values != theirs[table]:
            raise ConfigError(f'{folder} holds another run: its [{table}] is {theirs[table]}, not {values}; name another folder')


@contextlib.contextmanager
def _only_one(folder: Path, process: Process) -> Iterator[None]:
    """Two runs in one folder would overwrite each other's checkpoints. The lock goes when the process does."""
    if not process.is_first:
        yield
        return
    with (folder / 'lock').open('w') as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ConfigError(f'{folder}: another process is training this run') from error
        yield


@contextlib.contextmanager
def _stop_signals() -> Iterator[Callable[[], bool]]:
    """The first Ctrl-C or SIGTERM asks to stop after the step; the second one ends the process at once."""
    asked = False

    def ask(number: int, _frame: object) -> None:
        nonlocal asked
        asked = True
        signal.signal(number, previous[number])

    previous: Dict[int, Any] = {}
    for number in (signal.SIGINT, signal.SIGTERM):
        previous[number] = signal.signal(number, ask)
    try:
        yield lambda: asked
    finally:
        for caught, handler in previous.items():
            signal.signal(caught, handler)


def _scaler(wanted: bool) -> Any:
    if not wanted:
        return None
    current = getattr(torch.amp, 'GradScaler', None)
    return torch.cuda.amp.GradScaler() if current is None else current('cuda')  # The first is PyTorch's before 2.3.


def _write(path: Path, text: str) -> None:
    partial = path.with_suffix('.partial')
    partial.write_text(text)
    os.replace(partial, path)
