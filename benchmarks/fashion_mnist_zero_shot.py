"""Fashion-MNIST by words alone: how well class names find pictures that no training saw.

    apt-get install dataset-fashion-mnist        # Debian and Ubuntu; or download the four files
    python benchmarks/fashion_mnist_zero_shot.py [FOLDER] [--weights compact] [--pictures 10000]

Each of the 10,000 test pictures (28 × 28, grey) is inverted, so that it is dark on white as
product photos are, and enlarged; it gets the class whose name, "a photo of a …", is most similar.
No picture of the set is used for training or for choosing a setting. The measure is macro F1, as
published for OpenAI's CLIP (0.66), FashionCLIP (0.74), LAION's CLIP (0.78) and FashionCLIP 2.0
(0.83) in the model card of FashionCLIP (https://huggingface.co/patrickjohncyh/fashion-clip).
"""

from __future__ import annotations

import argparse
import gzip
import json
from pathlib import Path

import numpy as np
from fashion_mnist import FOLDER
from PIL import Image, ImageOps
from sklearn.metrics import f1_score

import simlib

RESULTS = Path(__file__).parent / "results" / "fashion_mnist_zero_shot.json"
CLASSES = (
    "T-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag",
    "ankle boot",
)  # fmt: skip
AT_ONCE = 256


def read(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the test pictures, uint8 ``(n, 28, 28)``, and their classes, uint8 ``(n,)``."""
    images = gzip.decompress((folder / "t10k-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((folder / "t10k-labels-idx1-ubyte.gz").read_bytes())
    pixels = np.frombuffer(images, np.uint8, offset=16).reshape(-1, 28, 28)
    return pixels, np.frombuffer(labels, np.uint8, offset=8)


def as_photo(pixels: np.ndarray) -> Image.Image:
    """Return a picture dark on white, with a margin as product photos have, 224 pixels wide."""
    inverted = ImageOps.invert(Image.fromarray(pixels))
    framed = ImageOps.expand(inverted, border=4, fill=255)
    return framed.resize((224, 224), Image.Resampling.BICUBIC).convert("RGB")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER)
    parser.add_argument("--weights", default="compact")
    parser.add_argument("--pictures", type=int, default=10_000)
    arguments = parser.parse_args()
    pixels, classes = read(arguments.folder)
    pixels, classes = pixels[: arguments.pictures], classes[: arguments.pictures]

    encoder = simlib.load_encoder("clip", weights=arguments.weights)
    texts = encoder.encode_text([f"a photo of a {name}" for name in CLASSES])
    texts /= np.linalg.norm(texts, axis=1, keepdims=True)
    found = []
    for start in range(0, len(pixels), AT_ONCE):
        embeddings = encoder.encode([as_photo(one) for one in pixels[start : start + AT_ONCE]])
        found.append((embeddings @ texts.T).argmax(axis=1))
    predicted = np.concatenate(found)

    each = f1_score(classes, predicted, average=None, labels=range(len(CLASSES)))
    result = {
        "weights": arguments.weights,
        "pictures": len(pixels),
        "macro F1": round(float(each.mean()), 3),
        "accuracy": round(float((predicted == classes).mean()), 3),
        "F1": dict(zip(CLASSES, each.round(3).tolist(), strict=True)),
    }
    print(json.dumps(result, indent=1))
    if len(pixels) == 10_000 and arguments.weights == "compact":
        RESULTS.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
