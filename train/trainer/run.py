"""A training run in a folder of its own.

A run that was stopped, by Ctrl-C or by force, is taken up where its last checkpoint is, and ends in the same weights on the same machine
with as many threads and processes: on a processor with one process or two to the bit, else but for the order of sums.
"""
from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import math
import time
from pathlib import Path
from typing import Any, Callable, Dict, Optional

import torch
from torch import Tensor, nn

from compconv import count, create_network

from .checkpoint import Checkpoint, load_pretrained
from .config import Config, ConfigError, PretrainedConfig
from .data import open_data, some_images
from .distributed import Process, join, leave
from .loss import Loss
from .precision import Precision
from .progress import Clock, Progress, line_of
from .run_folder import RunFolder
from .schedule import learning_rate
from .seeds import seed_for
from .stop_signals import stop_signals

PROGRESS_SECONDS = 30
Say = Callable[[str], None]


class Stopped(Exception):
    """By a signal; the run can be taken up again."""


class Diverged(Exception):
    """Loss or weights are not finite any more; the checkpoint is of before."""


_DIVERGED_ADVICE = ': try a lower train.lr, or a longer warm-up, in another folder'


def train(config: Config, folder: Path, say: Say = print) -> Dict[str, Any]:
    """Trains, or goes on with what is in the folder; returns what `result.json` holds.

    Raises ConfigError, Stopped, Diverged.
    """
    if config.train.threads is not None:
        torch.set_num_threads(config.train.threads)
    run_folder = RunFolder(folder, config)
    process = join(config.train.device)
    # Convolutions in float32 are in float32, and with shapes that stay the same the fastest algorithm is worth the search.
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    try:
        with run_folder.locked() if process.is_first else contextlib.nullcontext():
            result = run_folder.result()
            if result is None:
                result = _Run(config, run_folder, process, say if process.is_first else lambda _line: None).to_the_end()
                if process.is_first:
                    run_folder.save_result(result)
            elif process.is_first:
                say(f'{folder} holds this run, finished, of the images in {result["config"]["data"]["path"]}; nothing is left to do')
    except (Stopped, Diverged):  # All of them are.
        leave(process)
        raise
    leave(process)
    return result


class _Run:
    def __init__(self, config: Config, folder: RunFolder, process: Process, say: Say) -> None:
        self.config, self.folder, self.process, self.say = config, folder, process, say
        t = config.train
        if t.batch_size % process.world != 0:
            raise ConfigError(f'train.batch_size = {t.batch_size} is no multiple of {process.world} processes')
        self.precision = Precision(t.precision, process.device)
        self.data = open_data(config.data, process.device.type == 'cuda')
        self.steps = self.data.steps(t.batch_size)
        if self.steps == 0:
            raise ConfigError(f'train.batch_size = {t.batch_size} is more than there are training images')

        torch.manual_seed(seed_for('network', t.seed))
        classes = len(self.data.classes)
        if config.network.classes not in (None, classes):
            raise ConfigError(f'network.classes = {config.network.classes}, but the data have {classes}; data.labels may name more')
        self.options = dataclasses.replace(config.network, classes=classes)
        checkpoint = folder.checkpoint()
        try:
            # Other processes get the first one's weights when they are joined.
            pretrained = config.pretrained if checkpoint is None and process.is_first else None
            self.model = create_network(self.options) if pretrained is None else self._pretrained(pretrained)
            problem = None
        except ValueError as error:
            problem = str(error)
        if process.any(problem is not None):
            raise ConfigError(problem or 'the first process found something wrong')
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
        self.loss = Loss(config, self.options, self.data.classes, self.layout)
        self.progress = Progress()
        self.inputs = {'training images': self.data.fingerprint}
        if config.distill is not None:
            self.inputs['teacher'] = hashlib.sha256(Path(config.distill.teacher).read_bytes()).hexdigest()
        if checkpoint is not None:
            self._resume(checkpoint)
        if not process.agree(self.progress.epoch * self.steps + self.progress.step):
            raise ConfigError(f'{folder} is not the same for all processes: on several machines, --run-folder has to be a folder that all of them see')
        self.parallel = process.wrap(self.model)

    # --- the loop ------------------------------------------------------------------------------------------------------

    def to_the_end(self) -> Dict[str, Any]:
        self.say(f'{self.folder}: {self.cost.macs / 1e6:.1f} MMAC, {self.cost.params:,} parameters, {self.config.train.epochs} epochs')
        if self.progress.epoch or self.progress.step:
            self.say(f'going on after {self.progress.epoch} epochs and {self.progress.step} steps')
        if self.process.is_first:
            # Of the last epoch the test may be due: its line comes after that.
            self.folder.restart_log(self.progress.history[: -1 if self._is_test_due() else None])
        confusion = None
        with stop_signals() as stop:
            while True:
                if self._is_test_due():
                    confusion = self._test_epoch()
                if self.progress.epoch == self.config.train.epochs:
                    break
                if self.process.any(stop()):
                    raise Stopped(f'stopped after epoch {self.progress.epoch}')
                self._epoch(stop)
        if confusion is None:
            confusion = self._test()
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

    def _epoch(self, stop: Callable[[], bool]) -> None:
        """The rest of an epoch."""
        p, t = self.progress, self.config.train
        clock = Clock()
        images_here = 0
        saved = reported = time.perf_counter()
        sums = torch.zeros(2, dtype=torch.float64, device=self.process.device)  # loss, correct
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

        seen = self.steps * t.batch_size
        record: Dict[str, Any] = {
            'epoch': p.epoch + 1,
            'lr': learning_rate(t, p.epoch + 1),  # Of the last step.
            'trainLoss': p.loss / seen,
            'trainAccuracy': p.correct / seen,
            'imagesPerSecond': round(images_here / clock.total, 1),
        }
        p.epoch, p.step, p.loss, p.correct = p.epoch + 1, 0, 0.0, 0
        p.seconds += clock.lap()
        record['seconds'] = round(p.seconds, 1)
        p.history.append(record)
        self._save()
        if not self._is_test_due():
            self._log(record)

    def _is_test_due(self) -> bool:
        p, t = self.progress, self.config.train
        if not p.history or p.step > 0 or 'testAccuracy' in p.history[-1]:
            return False
        return p.epoch % t.eval_every == 0 or p.epoch == t.epochs

    def _test_epoch(self) -> Tensor:
        """Adds the test to the last epoch's record. That is saved already: a stop or an image that cannot be read costs the test alone."""
        clock = Clock()
        confusion = self._test()
        p, record = self.progress, self.progress.history[-1]
        p.seconds += clock.lap()
        record.update(testAccuracy=int(confusion.trace()) / int(confusion.sum()), seconds=round(p.seconds, 1))
        self._save()
        self._log(record)
        return confusion

    def _log(self, record: Dict[str, Any]) -> None:
        if self.process.is_first:
            self.folder.log(record)
        self.say(line_of(record, self.config.train.epochs))

    def _step(self, images: Tensor, labels: Tensor) -> Tensor:
        """Returns the sums of loss and correct answers of this process."""
        t, p = self.config.train, self.progress
        # Dropout is the same in a run that was taken up here.
        torch.manual_seed(seed_for('step', t.seed, p.epoch, p.step, self.process.rank))
        rate = learning_rate(t, p.epoch + (p.step + 1) / self.steps)
        for group in self.optimizer.param_groups:
            group['lr'] = rate
        images, labels = images.to(**self.layout), labels.to(self.process.device, non_blocking=True)
        with self.precision.autocast():
            logits = self.parallel(images)
            loss = self.loss(logits.float(), images, labels)
        self.precision.step(loss, self.model, self.optimizer, t.clip_norm)
        correct = (logits.detach().argmax(1) == labels).sum()
        return torch.stack([loss.detach().double() * len(labels), correct.double()])

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

    # --- state ---------------------------------------------------------------------------------------------------------

    def _pretrained(self, pretrained: PretrainedConfig) -> nn.Module:
        path = Path(pretrained.weights)
        images = some_images(self.data, pretrained.images, self.config.train.seed).to(self.process.device)
        model, fresh = load_pretrained(path, self.options, self.data.classes, images)
        self.say(f'{self.folder}: weights from {path}')
        if fresh:
            self.say(f'{path} has other classes: {", ".join(fresh)} begin at random')
        return model

    def _collect(self, sums: Tensor) -> Tensor:
        """Moves the sums of all processes into the progress, and returns zeros to go on with."""
        loss, correct = self.process.total(sums).tolist()
        p = self.progress
        if not math.isfinite(loss):
            raise Diverged(f'the loss is {loss} in epoch {p.epoch + 1}, by step {p.step}{_DIVERGED_ADVICE}')
        p.loss, p.correct = p.loss + loss, p.correct + int(correct)
        return torch.zeros_like(sums)

    def _save(self) -> None:
        if not all(bool(parameter.isfinite().all()) for parameter in self.model.parameters()):
            raise Diverged(f'the weights are not finite after {self.progress.epoch} epochs and {self.progress.step} steps{_DIVERGED_ADVICE}')
        if not self.process.is_first:
            return
        meta = {
            'config': self.config.to_json(),
            'classes': list(self.data.classes),
            'inputs': self.inputs,
            'progress': dataclasses.asdict(self.progress),
            'scaler': self.precision.state_dict(),
        }
        # Learning rate and momentum are the configuration's; what the optimizer has learnt is its buffers.
        self.folder.save_checkpoint(Checkpoint(meta, self.model.state_dict(), self.optimizer.state_dict()['state']))

    def _resume(self, checkpoint: Checkpoint) -> None:
        theirs, ours = checkpoint.meta['classes'], list(self.data.classes)
        if theirs != ours:
            differing = ', '.join(sorted(set(theirs) ^ set(ours))[:10]) or 'their order'
            raise ConfigError(f'{self.folder} holds a run of other classes ({differing}); name another folder')
        stored = checkpoint.meta.get('inputs', {})  # Absent from checkpoints of before.
        for name, value in self.inputs.items():
            if stored.get(name, value) != value:
                raise ConfigError(f'{self.folder} holds a run whose {name} were others; name another folder')
        self.model.load_state_dict(checkpoint.model)
        groups = self.optimizer.state_dict()['param_groups']
        self.optimizer.load_state_dict({'state': checkpoint.optimizer, 'param_groups': groups})
        self.precision.load_state_dict(checkpoint.meta['scaler'])
        known = {field.name for field in dataclasses.fields(Progress)}  # Of another version there may be more.
        self.progress = Progress(**{name: value for name, value in checkpoint.meta['progress'].items() if name in known})
