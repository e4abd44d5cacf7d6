"""Teach the picture tower of the compact model to read thumbnails as it reads the pictures.

    python data/make/train_tower.py --photos PHOTOS

writes ``data/models/clip_tower.safetensors``; ``pin.py`` then puts its hash into the source, and
``train_clip.py`` trains the projections anew (and ``pin.py`` once more). It needs a GPU for seven
minutes (some fifteen hours on two CPU cores), and ``data/make/requirements.txt``.

EfficientNet-Lite0 is copied. The copy sees a picture grey, as enlarged from a thumbnail, or as it
is; the original sees it as it is; and the copy learns to give the same 1,280 features and the same
probabilities of the 1,000 classes (distillation: https://arxiv.org/abs/1503.02531). No label and no
word is used. Part of every batch is mixtures of an enlarged crop and another picture upside down,
which both see alike: so the copy stays the same function on pictures of other things
(https://arxiv.org/abs/2106.05237). The pictures are the training photos, whole and cut out, and
drawings from a random stream that is independent of ``data/sample``.
"""

from __future__ import annotations

import argparse
import copy
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from clip_views import thing
from PIL import Image
from safetensors.numpy import save
from torch import nn
from torch.nn import functional
from train_clip import drawings_of, photos_of

from simlib.networks import clip_compact, clip_tower, efficientnet_lite0
from simlib.storage.hashing import sha256_of

SIDE, MASK_SIDE = clip_compact.INPUT_SIDE, 96
LEARNING_RATE, WARM_UP = 1.2e-3, 100
DRAWN_SHARE = 0.2
GREY, TINY, SMALL, ODD = 0.1, 0.4, 0.2, 0.15  # shares of a batch; the rest is seen as it is


@dataclass
class Shown:
    """Pictures on white squares, and where the thing is in them."""

    pixels: torch.Tensor  # uint8 (n, 3, 288, 288)
    masks: torch.Tensor  # bool (n, 96, 96), all False where no thing was told from the ground
    frames: torch.Tensor  # float32 (n, 3): x and y of its middle, half its longer side; in [-1, 1]
    photos: int  # the first so many; drawings follow

    @classmethod
    def of(cls, photos, drawings) -> Shown:
        pixels, masks, counts = [], [], []
        for some in (photos, drawings):
            for picture, _ in some:
                seen = thing(picture)
                pixels.append(clip_compact.lay_on_square(picture))
                masks.append(on_square(seen, picture.size))
            counts.append(len(pixels))
        stacked = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).contiguous()
        frames = np.float32([frame(mask) for mask in masks])
        return cls(stacked, torch.from_numpy(np.stack(masks)), torch.from_numpy(frames), counts[0])

    def to(self, device: str) -> Shown:
        return Shown(*(t.to(device) for t in (self.pixels, self.masks, self.frames)), self.photos)


def on_square(mask: np.ndarray | None, size: tuple[int, int]) -> np.ndarray:
    square = np.zeros((MASK_SIDE, MASK_SIDE), bool)
    if mask is not None:
        width, height = (max(1, round(one * MASK_SIDE / max(size))) for one in size)
        left, top = (MASK_SIDE - width) // 2, (MASK_SIDE - height) // 2
        resized = Image.fromarray(np.uint8(255 * mask)).resize((width, height))
        square[top : top + height, left : left + width] = np.asarray(resized) > 127
    return square


def frame(mask: np.ndarray) -> tuple[float, float, float]:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return 0.0, 0.0, 1.0
    sums = [(one[0] + one[-1] + 1) / MASK_SIDE - 1 for one in (columns, rows)]
    sides = [(one[-1] + 1 - one[0]) / MASK_SIDE for one in (columns, rows)]
    return sums[0], sums[1], max(sides)


class Views:
    """Pictures as the two networks see them, values in [0, 1], all made on the device."""

    def __init__(self, shown: Shown, device: str) -> None:
        self.shown, self.device = shown, device
        self.generator = torch.Generator(device).manual_seed(0)

    def random(self, *shape: int) -> torch.Tensor:
        return torch.rand(*shape, device=self.device, generator=self.generator)

    def clean(self, rows: torch.Tensor, cut: torch.Tensor, still: bool = False) -> torch.Tensor:
        """Return pictures, the thing alone where ``cut``; moved a little unless ``still``."""
        n = len(rows)
        pixels = self.shown.pixels[rows].float() / 255  # (n, 3, 288, 288)
        masks = self.shown.masks[rows]
        masks, cut = masks[:, None].float(), cut & masks.flatten(1).any(1)
        masks = functional.interpolate(masks, (SIDE, SIDE), mode="bilinear")
        pixels = torch.where(cut[:, None, None, None], pixels * masks + 1 - masks, pixels)
        whole = torch.tensor([0.0, 0.0, 1.0], device=self.device)
        middle, half = torch.where(cut[:, None], self.shown.frames[rows], whole).split([2, 1], 1)
        half, angle = half[:, 0], torch.zeros(n, device=self.device)
        mirror, stretch = torch.ones(2, n, device=self.device)
        if not still:
            half = half * (0.8 + 0.35 * self.random(n))
            middle = middle + (self.random(n, 2) - 0.5) * 0.16 * half[:, None]
            turned = self.random(n) < 0.5
            angle = (self.random(n) - 0.5) * 2 * math.radians(12) * turned
            mirror = torch.where(self.random(n) < 0.5, -1.0, 1.0)
            stretch = torch.exp((self.random(n) - 0.5) * 0.3)
        x = torch.stack([mirror * angle.cos() * stretch, angle.sin()], 1) * half[:, None]
        y = torch.stack([-mirror * angle.sin(), angle.cos() / stretch], 1) * half[:, None]
        moved = torch.cat([torch.stack([x, y], 1), middle[:, :, None]], 2)  # (n, 2, 3)
        grid = functional.affine_grid(moved, [n, 3, SIDE, SIDE], align_corners=False)
        return 1 + functional.grid_sample(pixels - 1, grid, align_corners=False)

    def in_other_tones(self, pictures: torch.Tensor) -> torch.Tensor:
        n = len(pictures)
        gamma = torch.exp((self.random(n, 1, 1, 1) - 0.5) * 1.2)
        low, cut = (0.15 * self.random(n, 1, 1, 1) * (self.random(n, 1, 1, 1) < 0.3) for _ in "12")
        return low + (1 - cut - low) * pictures.clamp(1e-4, 1) ** gamma

    def from_thumbnails(self, pictures: torch.Tensor, side: int) -> torch.Tensor:
        """Return them enlarged from thumbnails, made in three ways, some of them sharpened."""
        size, (mean, smooth, skipping) = (side, side), pictures.tensor_split(3)
        thumbnails = torch.cat(
            [
                functional.interpolate(mean, size, mode="area"),
                functional.interpolate(smooth, size, mode="bicubic", antialias=True).clamp(0, 1),
                functional.interpolate(skipping, size, mode="nearest-exact"),
            ]
        )
        thumbnails = functional.pad(self.sharpened(thumbnails), (side // 7,) * 4, value=1.0)
        for larger in (224, SIDE):
            thumbnails = functional.interpolate(thumbnails, (larger, larger), mode="bicubic")
            thumbnails = thumbnails.clamp(0, 1)
        return thumbnails

    def sharpened(self, pictures: torch.Tensor) -> torch.Tensor:
        often = self.random(len(pictures), 1, 1, 1) < 0.6
        amount = 1.6 * self.random(len(pictures), 1, 1, 1) * often
        outer, inner = 0.27406862, 0.45186276  # a Gaussian of one pixel
        soft = functional.pad(pictures, (1,) * 4, mode="replicate")
        soft = outer * (soft[:, :, :-2] + soft[:, :, 2:]) + inner * soft[:, :, 1:-1]
        soft = outer * (soft[..., :-2] + soft[..., 2:]) + inner * soft[..., 1:-1]
        return (pictures + amount * (pictures - soft)).clamp(0, 1)

    def mixtures(self, pictures: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
        margin = round(SIDE * 0.21)
        nearer = pictures[:, :, margin:-margin, margin:-margin]
        nearer = functional.interpolate(nearer, (SIDE, SIDE), mode="bilinear")
        share = self.random(len(pictures), 1, 1, 1)
        return share * nearer + (1 - share) * others.flip(2)


def grey(pictures: torch.Tensor) -> torch.Tensor:
    weights = torch.tensor([0.299, 0.587, 0.114], device=pictures.device)[:, None, None]
    return (pictures * weights).sum(1, keepdim=True).expand(-1, 3, -1, -1)


def features(network: nn.Module, pictures: torch.Tensor) -> torch.Tensor:
    pixels = (pictures * 2 - 1).to(memory_format=torch.channels_last)
    with torch.autocast(pictures.device.type, torch.bfloat16):
        found = network.forward_head(network.forward_features(pixels), pre_logits=True)
    return found.float()  # (n, 1280)


def clean_means(teacher: nn.Module, views: Views) -> torch.Tensor:
    """Return the teacher's mean features of each picture: whole, cut out, and mirrored."""
    found = []
    for rows in torch.arange(len(views.shown.pixels), device=views.device).split(256):
        cut = torch.ones_like(rows, dtype=torch.bool)
        seen = [views.clean(rows, cut, still=True), views.clean(rows, ~cut, still=True)]
        seen += [one.flip(3) for one in seen]
        with torch.no_grad():
            found.append(torch.stack([features(teacher, one) for one in seen]))
    return torch.cat(found, 1)  # (4, n, 1280)


def train(shown: Shown, steps: int, batch: int, device: str) -> nn.Module:
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    teacher = efficientnet_lite0.build(device)
    # Evaluation mode all along: the statistics of the normalisations stay the published ones.
    student = copy.deepcopy(teacher)
    parameters = [one for group in clip_tower.learned(student) for one in group]
    for one in parameters:
        one.requires_grad_()
    kept = copy.deepcopy(student)  # a running average
    views = Views(shown.to(device), device)
    means = clean_means(teacher, views)
    spread = means[1].std(0) + 0.05
    means = means.mean(0)
    optimiser = torch.optim.AdamW(parameters, lr=LEARNING_RATE, weight_decay=0.0)
    counts = [round(batch * share) for share in (GREY, TINY, SMALL, ODD)]
    drawn = round(batch * DRAWN_SHARE)
    for step in range(steps):
        for group in optimiser.param_groups:
            falling = (1 + math.cos(math.pi * step / steps)) / 2
            group["lr"] = LEARNING_RATE * min(1, step / WARM_UP) * falling
        rows = torch.cat(
            [
                torch.randint(shown.photos, (batch - drawn,)),
                torch.randint(shown.photos, len(shown.pixels), (drawn,)),
            ]
        ).to(device)
        with torch.no_grad():
            clean = views.clean(rows, views.random(batch) < 0.5)
            order = torch.randperm(batch, device=device, generator=views.generator)
            in_grey, tiny, small, odd, _ = order.split([*counts, batch - sum(counts)])
            clean[odd] = views.mixtures(clean[odd], clean[order[: len(odd)]])
            seen = clean.clone()
            seen[in_grey] = views.in_other_tones(grey(clean[in_grey]))
            seen[tiny] = views.from_thumbnails(views.in_other_tones(grey(clean[tiny])), 28)
            side = int(rng.integers(20, 72))
            without, with_colour = small.tensor_split(2)
            toned = views.in_other_tones(grey(clean[without]))
            seen[without] = views.from_thumbnails(toned, side)
            seen[with_colour] = views.from_thumbnails(clean[with_colour], side)
            wanted = features(teacher, clean)
            changed = torch.cat([in_grey, tiny, small])
            wanted[changed] = (wanted[changed] + means[rows[changed]]) / 2
        given = features(student, seen)
        loss = (((given - wanted) / spread) ** 2).mean()
        names = [
            (teacher.classifier(one) / clip_compact.NAMES_TEMPERATURE).log_softmax(1)
            for one in (given, wanted)
        ]
        loss = loss + 0.5 * functional.kl_div(*names, log_target=True, reduction="batchmean")
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        with torch.no_grad():
            share = max(0.003, 10 / (step + 11))
            for average, one in zip(kept.parameters(), student.parameters(), strict=True):
                average.lerp_(one, share)
        if step % 100 == 99:
            print(f"step {step + 1} of {steps}: loss {loss.item():.3f}", flush=True)
    return kept.cpu()


def shipped(student: nn.Module) -> dict[str, np.ndarray]:
    """Return the tensors of ``clip_tower.safetensors``: what to add to the published weights."""
    matrices, norms = (
        [after - before for before, after in zip(*pair, strict=True)]
        for pair in zip(
            clip_tower.learned(efficientnet_lite0.build()), clip_tower.learned(student), strict=True
        )
    )
    with torch.no_grad():
        steps, scales = zip(*(in_steps(change) for change in matrices), strict=True)
    return {
        "steps": clip_tower.pack(torch.cat(steps).int().numpy()),
        "scales": torch.cat(scales).numpy(),
        "norms": torch.cat(norms).detach().half().numpy(),
    }


def in_steps(change: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return whole numbers and a scale a filter, of five scales the one that errs least."""
    change = change.flatten(1)  # (filters, …)
    top = clip_tower.MIDDLE - 1
    widest = (change.abs().amax(1, keepdim=True) / top).clamp(min=1e-9)
    scales = torch.stack([widest * share for share in (1, 0.85, 0.7, 0.55, 0.45)])
    steps = (change / scales).round().clamp(-top, top)  # (5, filters, …)
    best = ((steps * scales - change) ** 2).sum(2).argmin(0)  # (filters,)
    filters = torch.arange(len(change))
    return steps[best, filters].flatten(), scales[best, filters, 0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path, required=True, help="with train/")
    parser.add_argument("--steps", type=int, default=2032)
    parser.add_argument("--batch", type=int, default=384)
    parser.add_argument("--drawings", type=int, default=1536)
    arguments = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    shown = Shown.of(photos_of(arguments.photos / "train"), drawings_of(arguments.drawings, 1))
    student = train(shown, arguments.steps, arguments.batch, device)
    tensors = save(shipped(student), metadata={"made_by": "data/make/train_tower.py"})
    clip_tower.CHANGES.write_bytes(tensors)
    print(f"{sha256_of(clip_tower.CHANGES)}: python data/make/pin.py puts it into the source")


if __name__ == "__main__":
    main()
