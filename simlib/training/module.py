"""SimCLR's module for Lightning: the contrastive loss, and what survives a kill.

Only :func:`simlib.training.simclr.train` imports this file, for it loads torch and Lightning.
Source: Chen et al., "A Simple Framework for Contrastive Learning of Visual Representations"
(https://arxiv.org/abs/2002.05709).
"""

from __future__ import annotations

import copy
import csv
import io
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import Dataset, Sampler

from simlib.progress import progress_bar
from simlib.storage.atomic import atomic_write
from simlib.training.bolts import known_warnings_silenced, simclr_class
from simlib.training.views import draw_views, normalise

with known_warnings_silenced():
    from pytorch_lightning import Callback, Trainer

__all__ = ["Bookkeeper", "ContrastiveSimCLR", "Trainer"]


class DecodedPictures(Dataset):
    """Pictures that were decoded once and wait in memory; an item is a whole batch of them."""

    def __init__(self, pixels: torch.Tensor) -> None:
        self.pixels = pixels  # uint8 (n, 3, side, side)

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, indexes: list[int]) -> torch.Tensor:
        return self.pixels[indexes].float() / 255


class ShuffledBatches(Sampler):
    """The batches of an epoch, in an order that depends only on the seed and the epoch."""

    def __init__(self, n_pictures: int, batch_size: int, seed: int) -> None:
        self.n_pictures, self.batch_size, self.seed, self.epoch = n_pictures, batch_size, seed, 0

    def set_epoch(self, epoch: int) -> None:  # called by Lightning
        self.epoch = epoch

    def __len__(self) -> int:
        return self.n_pictures // self.batch_size

    def __iter__(self):
        generator = torch.Generator().manual_seed(_mixed(self.seed, 0, self.epoch))
        order = torch.randperm(self.n_pictures, generator=generator)
        for batch in range(len(self)):
            yield order[batch * self.batch_size : (batch + 1) * self.batch_size].tolist()


def _mixed(seed: int, stream: int, step: int) -> int:
    """Return a seed for one step of one stream of random numbers."""
    return ((seed * 2 + stream) * 1_000_003 + step) % (1 << 63)


_SimCLR: Any = simclr_class()


class ContrastiveSimCLR(_SimCLR):
    """bolts' SimCLR, changed where a small network on a CPU needs it.

    - The views are drawn from a whole batch at once, from a seed of their own for each step, so
      that a run that goes on after a kill draws what it would have drawn.
    - As in bolts each view passes the network by itself; on a CPU each does so in a thread of its
      own, which shares the cores out far better than splitting every layer between all of them.
    - The loss, bolts' own, is computed in float32 also where the network runs in bfloat16.
    - A running average of the weights is kept, which is what the encoder gets.
    """

    def __init__(self, *, seed: int, views: dict, averaging: float, **bolts_settings) -> None:
        super().__init__(gpus=0, dataset="pictures", **bolts_settings)
        self.seed, self.views = seed, views
        self.encoder.fc = torch.nn.Identity()  # bolts' ResNet never calls it
        self.averaged = AveragedModel(
            self.encoder, multi_avg_fn=get_ema_multi_avg_fn(averaging), use_buffers=True
        ).requires_grad_(False)
        self.averaged.eval()

    def train(self, mode: bool = True):
        super().train(mode)
        self.averaged.eval()  # its batch statistics are averages too
        return self

    def on_train_start(self) -> None:
        # The second view's network: the same parameters, batch statistics of its own (a BatchNorm
        # that two threads write to would make the result depend on which is first).
        network = torch.nn.Sequential(self.encoder, _LastFeatures(), self.projection)
        shared = {id(parameter): parameter for parameter in network.parameters()}
        twin = copy.deepcopy(network, shared).train()
        self._networks = (network, twin)  # a tuple: torch does not take it for a part of the module
        self._threads = torch.get_num_threads()
        each = max(1, self._threads // 2)
        self._pool = ThreadPoolExecutor(
            min(2, self._threads), initializer=torch.set_num_threads, initargs=(each,)
        )
        torch.set_num_threads(each)

    def _for_each_view(self, work: Callable[[int], object]) -> list:
        on_cpu = self.device.type == "cpu"
        return list((self._pool.map if on_cpu else map)(work, (0, 1)))

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        generator = torch.Generator().manual_seed(_mixed(self.seed, 1, self.global_step))
        pictures = torch.cat([batch, batch])  # (2 * batch_size, 3, side, side)
        drawn = normalise(draw_views(pictures, generator, **self.views))
        views = drawn.contiguous(memory_format=torch.channels_last).chunk(2)
        device = self.device.type
        autocast = torch.is_autocast_enabled(device), torch.get_autocast_dtype(device)

        def project(view: int) -> torch.Tensor:
            enabled, dtype = autocast  # a thread does not inherit it
            with torch.autocast(device, dtype=dtype, enabled=enabled, cache_enabled=False):
                return self._networks[view](views[view])  # (batch_size, feat_dim)

        self._projected = self._for_each_view(project)
        with torch.autocast(device, enabled=False):
            self._leaves = [p.detach().float().requires_grad_() for p in self._projected]
            first, second = (functional.normalize(leaf, dim=1) for leaf in self._leaves)
            loss = self.nt_xent_loss(first, second, self.temperature)
        if not loss.isfinite():
            raise FloatingPointError(
                f"The loss is {loss.item()} at step {self.global_step}. Start again from the last "
                "checkpoint with a lower learning_rate, or with precision=32."
            )
        return loss

    def backward(self, loss: torch.Tensor, *args, **kwargs) -> None:
        loss.backward()  # down to the projections; from there each view in its own thread again

        def backward(view: int) -> None:
            projected = self._projected[view]
            projected.backward(self._leaves[view].grad.to(projected.dtype))

        self._for_each_view(backward)

    def on_train_batch_end(self, outputs, batch, batch_idx) -> None:
        self.averaged.update_parameters(self.encoder)

    def on_train_end(self) -> None:
        """Give the threads back; may be called again."""
        if "_pool" in vars(self):
            self._pool.shutdown()
            torch.set_num_threads(self._threads)
        for name in ("_pool", "_networks", "_projected", "_leaves"):
            self.__dict__.pop(name, None)

    def configure_optimizers(self):
        with known_warnings_silenced():
            return super().configure_optimizers()


class _LastFeatures(torch.nn.Module):
    def forward(self, features: list[torch.Tensor]) -> torch.Tensor:
        return features[-1]  # bolts' ResNet returns a list


class Bookkeeper(Callback):
    """Writes the curve, evaluates now and then, and keeps the one checkpoint that a run needs."""

    def __init__(
        self,
        folder: Path,
        every: int,
        fingerprint: str,
        evaluate: Callable[[ContrastiveSimCLR], dict[str, float]] | None,
    ) -> None:
        self.folder, self.every, self.fingerprint = folder, every, fingerprint
        self.evaluate = evaluate
        self.rows: list[dict] = []
        self._losses: list[torch.Tensor] = []
        self._started = 0.0

    def state_dict(self) -> dict:
        return {"rows": self.rows, "fingerprint": self.fingerprint}

    def load_state_dict(self, state: dict) -> None:
        self.rows = list(state["rows"])

    def on_train_epoch_start(self, trainer, module) -> None:
        self._losses.clear()
        self._started = time.perf_counter()

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx) -> None:
        self._losses.append(outputs["loss"].detach())

    def on_train_epoch_end(self, trainer, module) -> None:
        before = self.rows[-1]["seconds"] if self.rows else 0.0
        row = {
            "epoch": trainer.current_epoch + 1,
            "step": trainer.global_step,
            "seconds": round(before + time.perf_counter() - self._started, 1),
            "loss": round(float(torch.stack(self._losses).mean()), 5),
            "learning_rate": f"{trainer.optimizers[0].param_groups[0]['lr']:.3e}",
        }
        due = row["epoch"] % self.every == 0 or row["epoch"] == trainer.max_epochs
        if due and self.evaluate is not None:
            row |= self.evaluate(module)
        self.rows.append(row)
        if due:
            with atomic_write(self.folder, CHECKPOINT) as file:
                trainer.save_checkpoint(file.name)
            with atomic_write(self.folder, CURVE) as file:
                file.write(self._curve().encode())

    def _curve(self) -> str:
        columns = list(dict.fromkeys(name for row in self.rows for name in row))
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        return text.getvalue()


class ShownProgress(Callback):
    """Shows a bar of all steps, with the epoch and the mean loss of the last one that ended."""

    def __init__(self, keeper: Bookkeeper, show: bool) -> None:
        self.keeper, self.show = keeper, show
        self._bar: Any = None

    def on_train_start(self, trainer, module) -> None:
        steps = trainer.max_epochs * trainer.num_training_batches
        self._bar = progress_bar(
            "training", " steps", steps, self.show, initial=trainer.global_step
        )

    def on_train_epoch_start(self, trainer, module) -> None:
        self._bar.set_description(f"training, epoch {trainer.current_epoch + 1}", refresh=False)

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx) -> None:
        self._bar.update()

    def on_train_epoch_end(self, trainer, module) -> None:
        self._bar.set_postfix(loss=f"{self.keeper.rows[-1]['loss']:.3f}", refresh=False)

    def on_train_end(self, trainer, module) -> None:
        self._bar.close()

    def on_exception(self, trainer, module, exception) -> None:
        if self._bar is not None:
            self._bar.close()


CHECKPOINT, CURVE = "last.ckpt", "curve.csv"
