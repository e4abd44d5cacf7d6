"""How fast simlib is compared with its peers and with the limits of the machine.

    python benchmarks/speed.py                  # everything, a quarter of an hour on 2 cores
    python benchmarks/speed.py --quick          # fewer and smaller, a third of that
    python benchmarks/speed.py --photos FOLDER  # pictures of your own
    python benchmarks/speed.py --only search

Peers that are not installed are skipped and named; ``benchmarks/requirements.txt`` lists them. The
results are written part by part to ``benchmarks/results/speed.json`` and, for readers,
``speed.md``; ``--only`` leaves the other parts as they are, ``--quick`` writes nothing. Seconds
depend on the machine; ratios depend on it less, because all contestants are measured in turns.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import speed_growth
import speed_search
from measuring import Contestant, machine, measure_in_turns, median

RESULTS = Path(__file__).parent / "results" / "speed.json"
PACKAGES = [
    "numpy", "pandas", "pillow", "torch", "timm", "openvino", "towhee", "sentence-transformers",
    "scikit-learn", "imagededup", "faiss-cpu", "usearch",
]  # fmt: skip

EMBEDDING = {  # name → function of speed_embedding, its settings
    "simlib": ("simlib_embed", {}),
    "simlib, bfloat16": ("simlib_embed", {"precision": "bfloat16"}),
    "simlib on torch": ("simlib_embed", {"backend": "torch"}),
    "simlib, timm:tf_efficientnet_lite0.in1k on torch": ("simlib_timm", {}),
    "PyTorch DataLoader and timm": ("torch_dataloader", {}),
    "Towhee pipeline, all paths at once": ("towhee_batch", {}),
    "the tutorial: Towhee, one path at a time": ("tutorial", {}),
    "SentenceTransformer.encode": ("sentence_transformers", {}),
    "imagededup's CNN": ("imagededup", {}),
    "limit: the network alone": ("network_alone", {}),
    "limit: decoding alone": ("decoding_alone", {}),
    "pixels, simlib": ("simlib_pixels", {}),
    "pixels, the tutorial's loop": ("tutorial_pixels", {}),
}
SEARCH = {
    "simlib": "simlib_nearest",
    "simlib, vectors by set_embeddings": "simlib_set_embeddings",
    "simlib, a column of list(matrix)": "simlib_arrays",
    "simlib, a column of lists": "simlib_lists",
    "numpy, argpartition": "numpy_argpartition",
    "torch.topk": "torch_topk",
    "faiss IndexFlatIP": "faiss_flat",
    "usearch, exact": "usearch_exact",
    "sentence-transformers semantic_search": "sentence_transformers",
    "scikit-learn NearestNeighbors": "scikit_learn",
    "the tutorial: cosine_similarity on lists": "tutorial",
    "limit: the bare product": "bare_product",
    "limit: reading the matrix once": "streaming_read",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer pictures, rows and rounds")
    parser.add_argument("--photos", help="a folder of pictures; by default simlib's sample")
    parser.add_argument("--pictures", type=int, help="how many of them")
    parser.add_argument("--rounds", type=int, help="medians of so many")
    parser.add_argument("--only", choices=["embedding", "search", "growth"])
    options = parser.parse_args()
    rounds = options.rounds or (1 if options.quick else 3)

    report = {"machine": machine(PACKAGES), "rounds": rounds}
    if options.only and not options.quick and RESULTS.exists():
        report = json.loads(RESULTS.read_text(encoding="utf-8")) | report
    if options.only in (None, "embedding"):
        pictures = options.pictures or (64 if options.quick else 128)
        report["embedding"] = embedding(options.photos, pictures, rounds)
        show(embedding_table(report["embedding"]))
        keep(report, options.quick)
    if options.only in (None, "search"):
        sizes = [6_000] if options.quick else [6_000, 100_000]
        report["search"] = []
        for n, queries in ((n, queries) for n in sizes for queries in (1, 100)):
            report["search"].append(search(n, queries, rounds))
            show(search_table(report["search"][-1]))
        keep(report, options.quick)
    if options.only in (None, "growth"):
        sizes = [1_000, 10_000] if options.quick else [1_000, 10_000, 100_000, 1_000_000]
        report["growth"] = growth(sizes)
        show(growth_table(report["growth"]))
        keep(report, options.quick)


def keep(report: dict, quick: bool) -> None:
    """Write what was measured so far, unless it is a quick try."""
    if not quick:
        text = json.dumps(report, indent=1, ensure_ascii=False) + "\n"
        RESULTS.write_text(text, encoding="utf-8")
        RESULTS.with_suffix(".md").write_text(as_markdown(report), encoding="utf-8")
        show(f"Written to {RESULTS.name} and {RESULTS.with_suffix('.md').name}.")


def show(text: str) -> None:
    print(text, end="\n\n", flush=True)


def collect(contestants: dict[str, Contestant]) -> list[dict]:
    return [
        {
            "name": name,
            "median": median(one),
            "fastest": min(one.seconds),
            "slowest": max(one.seconds),
            "runs": len(one.seconds),
            "peak_bytes": one.peak_bytes,
        }
        for name, one in contestants.items()
    ]


# Embedding


def embedding(photos: str | None, pictures: int, rounds: int) -> dict:
    import simlib

    paths = simlib.load_catalogue(photos or "sample")["img_path"].tolist()
    paths = [paths[place] for place in np.linspace(0, len(paths) - 1, pictures).astype(int)]
    contestants = {
        name: Contestant("speed_embedding", function, paths=paths, **settings)
        for name, (function, settings) in EMBEDDING.items()
    }
    measure_in_turns(contestants, rounds, seconds_each=3, one_in_memory=True)
    expected = contestants["simlib on torch"].result()
    results = collect(contestants)
    for one in results:
        if not one["name"].startswith(("limit: decoding", "pixels", "Sentence")):
            one["worst_cosine"] = worst_cosine(contestants[one["name"]].result(), expected)
    for contestant in contestants.values():
        contestant.close()
    return {"pictures": pictures, "source": "photos" if photos else "sample", "results": results}


def worst_cosine(rows: np.ndarray, expected: np.ndarray) -> float:
    lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(expected, axis=1)
    return float(((rows * expected).sum(axis=1) / lengths).min())


def seconds_of(results: list[dict]) -> dict[str, float]:
    return {one["name"]: one["median"] for one in results}


def embedding_table(report: dict) -> str:
    seconds = seconds_of(report["results"])
    limit = seconds["limit: the network alone"] + seconds["limit: decoding alone"]
    pictures = report["pictures"]
    lines = [
        f"**Embedding {pictures} pictures** ({report['source']}; EfficientNet-Lite0, CPU)",
        "",
        "| | pictures a second | simlib is … times as fast | peak memory | worst cosine |",
        "|---|---:|---:|---:|---:|",
    ]
    for one in report["results"]:
        is_pixels = one["name"].startswith("pixels")
        base = seconds["pixels, simlib" if is_pixels else "simlib"]
        cosine = f"{one['worst_cosine']:.6f}" if "worst_cosine" in one else ""
        lines.append(
            f"| {one['name']} | {pictures / one['median']:,.0f} | {one['median'] / base:.1f} "
            f"| {one['peak_bytes'] / 1e9:.1f} GB | {cosine} |"
        )
    share = limit / seconds["simlib"]
    lines += [
        "",
        f"Decoding and the network, one after the other on all cores: {pictures / limit:,.0f} "
        f"pictures a second. simlib reaches {share:.0%} of that. "
        f"6,000 pictures take {6000 * seconds['simlib'] / pictures:.0f} seconds. "
        "The worst cosine is that to the features of torch in float32.",
    ]
    return "\n".join(lines)


# Search


def search(n: int, queries: int, rounds: int) -> dict:
    contestants = {
        name: Contestant("speed_search", function, n=n, queries=queries)
        for name, function in SEARCH.items()
        if not (queries > 1 and (name.endswith("lists") or name.startswith("limit: reading")))
    }
    lists = {name: contestants.pop(name) for name in list(contestants) if name.endswith("lists")}
    measure_in_turns(contestants, 1)  # the caches are filled, the threads are there
    for contestant in contestants.values():
        contestant.seconds.clear()
    measure_in_turns(contestants, 3 * rounds, seconds_each=0.1)
    for contestant in contestants.values():
        contestant.rest()
    measure_in_turns(lists, rounds)  # by themselves: they take gigabytes
    contestants |= lists
    results = collect(contestants)
    similarities, best = speed_search.truth(n, queries)
    for one in results:
        if not one["name"].startswith("limit"):
            found = contestants[one["name"]].result()
            one["right"] = speed_search.share_right(found, similarities, best)
    for contestant in contestants.values():
        contestant.close()
    return {"rows": n, "queries": queries, "results": results}


def search_table(report: dict) -> str:
    seconds = seconds_of(report["results"])
    asked = "one query" if report["queries"] == 1 else f"{report['queries']} queries"
    lines = [
        f"**Searching {report['rows']:,} × {speed_search.DIM}, {asked}**",
        "",
        "| | milliseconds | times simlib's time | peak memory | right |",
        "|---|---:|---:|---:|---:|",
    ]
    for one in report["results"]:
        right = f"{one['right']:.1%}" if "right" in one else ""
        lines.append(
            f"| {one['name']} | {1e3 * one['median']:,.2f} "
            f"| {one['median'] / seconds['simlib']:,.2f} | {one['peak_bytes'] / 1e9:.2f} GB "
            f"| {right} |"
        )
    return "\n".join(lines)


# Growth


def growth(sizes: list[int]) -> dict:
    measured = []
    for rows in sizes:
        contestant = Contestant("speed_growth", "growth", rows=rows)
        contestant.run()
        measured.append(contestant.result())
        contestant.close()
    seconds_and_bytes = np.stack(measured)  # (sizes, steps, 2)
    return {
        "rows": sizes,
        "steps": [
            {
                "name": name,
                "seconds": seconds_and_bytes[:, place, 0].tolist(),
                "peak_bytes": seconds_and_bytes[:, place, 1].tolist(),
            }
            for place, name in enumerate(speed_growth.STEPS)
        ],
    }


def growth_table(report: dict) -> str:
    sizes = report["rows"]
    lines = [
        f"**What grows how** (rows of {speed_search.DIM} values; seconds, and the peak of memory)",
        "",
        "| | " + " | ".join(f"{rows:,}" for rows in sizes) + " | slope of time |",
        "|---|" + "---:|" * (len(sizes) + 1),
    ]
    for step in report["steps"]:
        cells = [
            f"{seconds:.3g} s, {peak / 1e9:.2f} GB"
            for seconds, peak in zip(step["seconds"], step["peak_bytes"], strict=True)
        ]
        slope = speed_growth.slope(sizes, step["seconds"])
        lines.append(f"| {step['name']} | " + " | ".join(cells) + f" | {slope:.2f} |")
    lines += [
        "",
        "The slope is that between the last two sizes: at 1, ten times the rows take ten times as "
        "long. The memory is that of the whole process.",
    ]
    return "\n".join(lines)


def as_markdown(report: dict) -> str:
    host = report["machine"]
    packages = ", ".join(f"{name} {found}" for name, found in host["packages"].items() if found)
    parts = [
        "# Speed",
        "Written by `python benchmarks/speed.py`; every line is a process of its own, measured in "
        f"turns, and the median of {report['rounds']} rounds. Read the ratios rather than the "
        "seconds.",
        f"Machine: {host['processor']}, {host['cores']} cores, {host['memory_gb']} GB of memory, "
        f"{host['system']}, Python {host['python']}; load before the start {host['load_before']}. "
        f"{packages}.",
    ]
    if "embedding" in report:
        parts.append(embedding_table(report["embedding"]))
    parts += map(search_table, report.get("search", []))
    if "growth" in report:
        parts.append(growth_table(report["growth"]))
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    main()
