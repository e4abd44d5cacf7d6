"""Does the search say when nothing fits? On photos and words that no training or calibration saw.

    python benchmarks/nothing_fits.py PHOTOS

PHOTOS has the folders train/ and validation/ of the clothing data set (data/README.md). Words are
searched among the validation photos and on the drawn sample. As pictures, the validation photos are
held against the training photos, and so is what is none of their kind: drawings of the sample,
crops of scikit-learn's two photos (a Chinese temple, a flower), and noise. A fit of 0.5 is the
threshold; AUROC is how well the fit separates the two whatever the threshold is.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_images
from sklearn.metrics import roc_auc_score

import simlib
from simlib.fit import general_texts

RESULTS = Path(__file__).parent / "results" / "nothing_fits.json"
# What one sees in the photos and drawings, as people say it; and what none of them shows.
WORDS_OF_PHOTOS = """
    summer dress; evening dress; men's trousers; a pair of jeans; chinos; leggings; a white
    T-shirt; short-sleeved top; long-sleeved shirt; a blouse; a jumper; pullover; hooded
    sweatshirt; winter coat; leather jacket; parka; anorak; denim shorts; swimming trunks;
    miniskirt; pleated skirt; a baseball cap; woolly hat; sneakers; trainers; ankle boots; high
    heels; sandals; black shoes; a photo of a women's dress; blue jeans; red T-shirt; checked
    shirt; button-down shirt
"""
WORDS_OF_DRAWINGS = """
    rucksack; a red handbag; clutch bag; wellington boots; stilettos; running shoes; slippers;
    bow tie; necktie; cardigan; evening gown; fur coat; sun hat; denim trousers; japanese robe;
    mittens; a pearl necklace; bangle; polo shirt; wallet; woollen scarf; bathing suit; crew-
    neck T-shirt; men's suit; hoodie; trench coat; a black umbrella; ladies watch; spectacles;
    ankle socks; summer shorts
"""
ABSENT = """
    trombone; a grand staircase; crocodile; airport runway; lasagne; a dinner table; lawnmower;
    tennis match; parliament; fire engine; bowl of rice; pencil sharpener; kangaroo; washing
    machine; computer mouse; bookshelf; croissant; ski slope; a red sports car; oak leaves;
    swimming pool; the planet Saturn; referee; goat; dentist's chair; spanner set; birthday
    candles; pie chart; sailing boat; microwave; vacuum cleaner; garden hose; a glass of beer;
    hedgehog; aqueduct; tuba; rhinoceros; traffic light; a black cat; tiger; whale; petrol pump;
    fireworks; fruit bowl; potatoes; a photo of a puppy; blue bicycle pump; green lizard; chess
    tournament; wheat harvest
"""


def listed(words: str) -> list[str]:
    return [" ".join(word.split()) for word in words.split(";")]


def figures(present: list[float], absent: list[float]) -> dict[str, float]:
    truth = np.repeat([True, False], [len(present), len(absent)])
    return {
        "AUROC": round(float(roc_auc_score(truth, present + absent)), 3),
        "present called absent": round(float((np.array(present) < 0.5).mean()), 3),
        "absent called present": round(float((np.array(absent) >= 0.5).mean()), 3),
        "present": len(present),
        "absent": len(absent),
    }


def fits(image_df, encoder, queries) -> list[float]:
    return [
        simlib.nearest(image_df, encoder.column, k=5, encoder=encoder, **query).attrs["fit"]
        for query in queries
    ]


def crops(rng: np.random.Generator, number: int) -> list[Image.Image]:
    pictures = load_sample_images().images
    found = []
    for place in range(number):
        pixels = pictures[place % len(pictures)]
        top, left = (rng.integers(side - 300) for side in pixels.shape[:2])
        found.append(Image.fromarray(pixels[top : top + 300, left : left + 300]))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photos", type=Path)
    arguments = parser.parse_args()
    known = set(general_texts()[1])
    assert not known & set(listed(ABSENT) + listed(WORDS_OF_PHOTOS) + listed(WORDS_OF_DRAWINGS))

    sample = simlib.load_catalogue("sample")
    train, validation = (
        simlib.load_catalogue(arguments.photos / p) for p in ("train", "validation")
    )
    results: dict[str, dict] = {"words": {}, "pictures": {}}
    clip = simlib.load_encoder("clip")
    for name, image_df, present in (
        ("validation photos", validation, WORDS_OF_PHOTOS),
        ("drawn sample", sample, WORDS_OF_DRAWINGS),
    ):
        image_df = simlib.embed(image_df, clip)
        by_word = {
            word: fits(image_df, clip, [{"text": word}])[0]
            for word in listed(present) + listed(ABSENT)
        }
        here, not_here = ([by_word[word] for word in listed(words)] for words in (present, ABSENT))
        results["words"][name] = figures(here, not_here) | {
            "wrong": [w for w, f in by_word.items() if (f >= 0.5) != (w in listed(present))]
        }

    rng = np.random.default_rng(0)
    noise = [
        Image.fromarray(rng.integers(256, size=(224, 224, 3), dtype=np.uint8)) for _ in range(40)
    ]
    others = {
        "drawings": sample.sample(100, random_state=0)["img_path"].map(simlib.load_image).tolist(),
        "temple and flower": crops(rng, 40),
        "noise": noise,
    }
    queries = validation["img_path"].map(simlib.load_image).tolist()
    for name in ("pixels", "towhee", "simclr", "clip"):
        encoder = simlib.load_encoder(name, **({"size": (64, 64)} if name == "pixels" else {}))
        gallery = simlib.embed(train, encoder)
        of_photos = fits(gallery, encoder, [{"query": picture} for picture in queries])
        results["pictures"][name] = {
            kind: figures(of_photos, fits(gallery, encoder, [{"query": one} for one in pictures]))
            for kind, pictures in others.items()
        }
    RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(json.dumps(results, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
