"""Draw ``docs/search.png``, the README's picture, from the embedded catalogue.

python tools/draw_readme_picture.py
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt

import simlib

TARGET = Path(__file__).parents[1] / "docs" / "search.png"
QUERY = ("handbag", "red")
K = 6


def main() -> None:
    image_df = simlib.load_catalogue("sample")
    rows = []
    for name, title in {"pixels": "flattened pixels", "towhee": "classifier's features"}.items():
        options = {"size": (224, 224)} if name == "pixels" else {}
        encoder = simlib.load_encoder(name, **options)
        image_df = simlib.embed(image_df, encoder)
        rows.append((title, encoder.column))
    query = image_df[(image_df["category"] == QUERY[0]) & (image_df["colour"] == QUERY[1])].index[0]

    figure, axes = plt.subplots(len(rows), K + 1, figsize=(10, 1.65 * len(rows)), dpi=100)
    for (title, column), line in zip(rows, axes, strict=True):
        found = simlib.nearest(image_df, column, query, k=K)
        paths = [image_df.at[query, "img_path"], *found["img_path"]]
        for axis, path in zip(line, paths, strict=True):
            axis.imshow(simlib.load_image(path))
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
        line[0].spines[:].set(visible=True, color="tab:orange", linewidth=3)
        line[0].set_ylabel(title, fontsize=10)
    figure.tight_layout(pad=0.5)
    TARGET.parent.mkdir(exist_ok=True)
    figure.savefig(TARGET)
    print(TARGET)


if __name__ == "__main__":
    main()
