"""Photos of 12 megapixels: how fast they are embedded, and what decoding at a fraction costs.

    python benchmarks/phone_photos.py PHOTOS

PHOTOS is the clothing data set, with ``train/`` and ``validation/``; ``data/README.md`` says how to
get it. Its photos are enlarged to 4000 × 3000, with grain such as a sensor's, and saved as JPEG of
quality 90, 4:2:0 (1.5 to 3 MB); they have no finer detail than before, which a phone's own photos
have. Speed: each line is a process of its own, measured in turns; "in full" is Pillow's full
decoding, as before 0.2.0. Then, for some validation photos as queries among training photos, the
cosine of each embedding to that of the same photo decoded in full, and precision@5 both ways.
Prints Markdown; takes about 3 minutes on 2 cores.
"""

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from measuring import Contestant, machine, measure_in_turns, median
from PIL import Image

K = 5
TIMED, ROUNDS = 24, 5
QUERIES, GALLERY = 100, 200
OPTIONS = {"towhee": {}, "simclr": {}, "clip": {}, "pixels": {"size": (64, 64)}}
Work = Callable[[], np.ndarray]


def enlarged(path: str, number: int, grain: float = 4.0) -> bytes:
    """Return a photo as a phone would store it, 12 megapixels, as the bytes of a JPEG."""
    with Image.open(path) as photo:
        size = (4000, 3000) if photo.width >= photo.height else (3000, 4000)
        large = photo.convert("RGB").resize(size, Image.Resampling.BICUBIC)
    random = np.random.default_rng(number)
    noise = random.standard_normal((1000, size[0]), dtype=np.float32) * np.float32(grain)
    rows = np.concatenate([np.roll(noise, shift, axis=1) for shift in random.integers(0, 3000, 4)])
    pixels = np.asarray(large, dtype=np.int16)
    pixels = pixels + np.rint(rows).astype(np.int16)[: size[1], :, None]
    file = io.BytesIO()
    picture = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
    picture.save(file, "JPEG", quality=90, subsampling="4:2:0")
    return file.getvalue()


# Contestants


def decoding_in_full(paths: list[str]) -> Work:
    """One thread, and nothing but decoding to RGB."""
    import simlib

    def work() -> np.ndarray:
        return np.array([simlib.load_image(path).size for path in paths])

    return work


def decoding_by_pillow(paths: list[str]) -> Work:
    """The same without simlib: no checks, no EXIF, no copy."""

    def work() -> np.ndarray:
        sizes = []
        for path in paths:
            with Image.open(path) as picture:
                picture.load()
                sizes.append(picture.size)
        return np.array(sizes)

    return work


def embed(paths: list[str], name: str, in_full: bool = False) -> Work:
    import simlib

    encoder = simlib.load_encoder(name, device="cpu", **OPTIONS[name])
    if in_full:
        encoder.resizes_to = lambda size: None
    image_df = pd.DataFrame({"img_path": paths})

    def work() -> np.ndarray:
        embedded = simlib.embed(image_df, encoder, cache=False, progress=False)
        return simlib.embedding_matrix(embedded, encoder.column)

    work()
    return work


def speed(paths: list[str]) -> None:
    module = "phone_photos"
    one_core = "decoding in full, one thread"
    contestants = {
        one_core: Contestant(module, "decoding_in_full", paths=paths),
        "Pillow alone, one thread": Contestant(module, "decoding_by_pillow", paths=paths),
        "towhee, decoded in full": Contestant(
            module, "embed", paths=paths, name="towhee", in_full=True
        ),
        **{name: Contestant(module, "embed", paths=paths, name=name) for name in OPTIONS},
    }
    measure_in_turns(contestants, ROUNDS)
    print("\n| | photos a second | times one thread's full decoding | fastest of both |")
    print("|---|---:|---:|---:|")
    base = contestants[one_core]
    for name, one in contestants.items():
        ratio = np.median(np.divide(base.seconds, one.seconds))  # of turns that lie side by side
        best = min(base.seconds) / min(one.seconds)
        print(f"| {name} | {len(paths) / median(one):.1f} | {ratio:.2f} | {best:.2f} |")
        one.close()


# What it costs


class Both(NamedTuple):
    """A photo as each encoder's network reads it, decoded in full and at a fraction."""

    in_full: list[np.ndarray]
    scaled: list[np.ndarray]


def cost(query_df: pd.DataFrame, gallery_df: pd.DataFrame) -> None:
    import simlib
    from simlib.images import decode_image

    encoders = {name: simlib.load_encoder(name, **options) for name, options in OPTIONS.items()}
    both_df = pd.concat([query_df, gallery_df], ignore_index=True)

    def prepare(number: int) -> Both:
        data = enlarged(both_df["img_path"][number], number)
        full = decode_image(data, "full")
        scaled = (
            decode_image(data, "scaled", resizes_to=encoder.resizes_to)
            for encoder in encoders.values()
        )
        return Both(
            [encoder.prepare(full) for encoder in encoders.values()],
            [
                encoder.prepare(each)
                for encoder, each in zip(encoders.values(), scaled, strict=True)
            ],
        )

    with ThreadPoolExecutor(2) as pool:
        photos = list(pool.map(prepare, range(len(both_df))))
    labels = both_df["category"].to_numpy()
    print(
        f"\n| | cosine to full decoding, worst | 1% | median | precision@{K}, in full "
        f"| precision@{K} |\n|---|---:|---:|---:|---:|---:|"
    )
    for place, (name, encoder) in enumerate(encoders.items()):
        full, scaled = (
            unit(encode(encoder, [photo[way][place] for photo in photos])) for way in (0, 1)
        )
        cosines = np.vecdot(full, scaled)
        precisions = [precision(rows, labels, len(query_df)) for rows in (full, scaled)]
        print(
            f"| {name} | {cosines.min():.4f} | {np.quantile(cosines, 0.01):.4f} "
            f"| {np.median(cosines):.4f} | {precisions[0]:.3f} | {precisions[1]:.3f} |",
            flush=True,
        )


def encode(encoder, prepared: list[np.ndarray]) -> np.ndarray:
    starts = range(0, len(prepared), 32)
    return np.concatenate(
        [encoder.encode_prepared(np.stack(prepared[start : start + 32])) for start in starts]
    )


def unit(rows: np.ndarray) -> np.ndarray:
    rows = rows.astype(np.float64)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def precision(rows: np.ndarray, labels: np.ndarray, queries: int) -> float:
    similarities = rows[:queries] @ rows[queries:].T  # (queries, gallery)
    best = np.argsort(-similarities, axis=1, kind="stable")[:, :K]
    return float((labels[queries:][best] == labels[:queries, None]).mean())


def spread(image_df: pd.DataFrame, n: int) -> pd.DataFrame:
    return image_df.iloc[np.linspace(0, len(image_df) - 1, n).astype(int)]


def main(photos: Path) -> None:
    import simlib

    validation = simlib.load_catalogue(photos / "validation")
    train = simlib.load_catalogue(photos / "train")
    host = machine([])
    print(f"{host['processor']}, {host['cores']} cores, load before {host['load_before']}")
    with tempfile.TemporaryDirectory(prefix="simlib-phone-photos-") as folder:
        paths = []
        for number, path in enumerate(spread(train, TIMED)["img_path"]):
            paths.append(str(Path(folder, f"{number}.jpg")))
            Path(paths[-1]).write_bytes(enlarged(path, number))
        megabytes = sum(Path(path).stat().st_size for path in paths) / len(paths) / 1e6
        print(f"{TIMED} photos of 12 megapixels, {megabytes:.1f} MB on average")
        speed(paths)
    print(f"\n{QUERIES} validation photos among {GALLERY} training photos, all enlarged")
    cost(spread(validation, QUERIES), spread(train, GALLERY))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
