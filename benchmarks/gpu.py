"""How well simlib keeps a GPU busy: embedding from files beside the bare network and bare decoding.

    python benchmarks/gpu.py                  # on a machine with CUDA; less than five minutes
    python benchmarks/gpu.py --photos FOLDER  # pictures of your own

The network is EfficientNet-Lite0, in float32 and float16. Four things are measured in turns, in one
process: ``simlib.embed`` from files (pictures are read and prepared in threads while the GPU works
on the batch before), ``encode_prepared`` on prepared pictures in memory, the same network in torch
on tensors that lie on the GPU already, and reading and preparing alone, in as many threads. The
table is printed and written to ``benchmarks/results/gpu.md``. Without CUDA there is nothing to
measure, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import cpu_count
from measuring import machine

import simlib

RESULT = Path(__file__).parent / "results" / "gpu.md"
PACKAGES = ["numpy", "pillow", "torch", "timm"]
READY = 512
"""So many pictures lie ready on the GPU; what they take is told per picture."""


class Case:
    """A piece of work on some pictures, with what it took."""

    def __init__(self, name: str, pictures: int, work: Callable[[], np.ndarray | None]) -> None:
        self.name, self.pictures, self.work = name, pictures, work
        self.seconds: list[float] = []
        self.result: np.ndarray | None = None

    def run(self) -> None:
        start = time.perf_counter()
        self.result = self.work()
        self.seconds.append(time.perf_counter() - start)

    @property
    def per_second(self) -> float:
        return self.pictures / statistics.median(self.seconds)


def embedding(paths: list[str], encoder, batch: int) -> Callable[[], np.ndarray]:
    image_df = pd.DataFrame({"img_path": paths})

    def work() -> np.ndarray:
        embedded = simlib.embed(image_df, encoder, batch_size=batch, cache=False, progress=False)
        return simlib.embedding_matrix(embedded, encoder.column)

    return work


def in_memory(pictures: list, encoder, batch: int) -> Callable[[], np.ndarray]:
    prepared = np.stack([encoder.prepare(picture) for picture in pictures])
    parts = [prepared[start : start + batch] for start in range(0, len(prepared), batch)]
    return lambda: np.concatenate([encoder.encode_prepared(part) for part in parts])


def on_device(pictures: list, encoder, precision: str, device: str, batch: int):
    """The limit: timm's own network on tensors that are there already, in the same layout."""
    import torch

    classifier = encoder.classifier()
    dtype = getattr(torch, precision)
    network = classifier.network.to(device, dtype).to(memory_format=torch.channels_last)
    ready = torch.from_numpy(np.stack([classifier.prepare(picture) for picture in pictures]))
    ready = ready.to(device, dtype).contiguous(memory_format=torch.channels_last)

    def work() -> np.ndarray:
        with torch.inference_mode():
            features = [
                network.forward_head(network.forward_features(part), pre_logits=True)
                for part in ready.split(batch)
            ]
            return torch.cat(features).float().cpu().numpy()  # waits until all is computed

    return work


def decoding(paths: list[str], encoder) -> Callable[[], None]:
    threads = min(8, cpu_count())  # as many as simlib.embed takes

    def work() -> None:
        with ThreadPoolExecutor(threads) as executor:
            for _ in executor.map(lambda path: encoder.prepare(simlib.load_image(path)), paths):
                pass

    return work


def worst_cosine(rows: np.ndarray, expected: np.ndarray) -> float:
    lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(expected, axis=1)
    return float((np.vecdot(rows, expected) / lengths).min())


def measure(paths: list[str], device: str, batch: int, rounds: int) -> dict[str, list[Case]]:
    """Return the cases by precision, each run ``rounds`` times in turns after a warm-up."""
    precisions = ["float32", "bfloat16" if device == "cpu" else "float16"]
    some = [simlib.load_image(path) for path in paths[:READY]]
    cases = {}
    for precision in precisions:
        encoder = simlib.load_encoder("towhee", device=device, precision=precision, backend="torch")
        cases[precision] = [
            Case("simlib.embed, from files", len(paths), embedding(paths, encoder, batch)),
            Case("encode_prepared, from memory", len(some), in_memory(some, encoder, batch)),
            Case(
                "limit: the network, tensors on the GPU", len(some),
                on_device(some, encoder, precision, device, batch),
            ),
        ]  # fmt: skip
        last = encoder
    cases["decoding"] = [Case("limit: decoding in threads", len(paths), decoding(paths, last))]
    every = [case for group in cases.values() for case in group]
    for number in range(rounds + 1):
        for case in every:
            case.run()
            if number == 0:  # the warm-up
                case.seconds.clear()
    return cases


def table(cases: dict[str, list[Case]], facts: list[str]) -> str:
    decoded = cases["decoding"][0].per_second
    expected = cases["float32"][2].result
    lines = [
        "| | precision | pictures a second | of what is possible | worst cosine to float32 |",
        "|---|---|---:|---:|---:|",
    ]
    for precision, group in cases.items():
        if precision == "decoding":
            continue
        network = group[2].per_second
        for case, limit in zip(group, (min(decoded, network), network, None), strict=True):
            share = "" if limit is None else f"{case.per_second / limit:.0%}"
            cosine = worst_cosine(case.result[: len(expected)], expected)
            numbers = f"{case.per_second:,.0f} | {share} | {cosine:.6f}"
            lines.append(f"| {case.name} | {precision} | {numbers} |")
    lines.append(f"| {cases['decoding'][0].name} | | {decoded:,.0f} | | |")
    lines += [
        "",
        "What is possible: for `simlib.embed` the slower of decoding and the network, which work "
        "side by side; for `encode_prepared` the network.",
        "",
        *facts,
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--photos", help="a folder of pictures; by default simlib's sample")
    parser.add_argument("--pictures", type=int, default=2_304, help="how many, some repeatedly")
    parser.add_argument("--rounds", type=int, default=3, help="medians of so many")
    parser.add_argument("--batch", type=int, default=128, help="pictures in a batch")
    parser.add_argument("--device", default="cuda", help=argparse.SUPPRESS)  # to try it without
    options = parser.parse_args()

    import torch

    on_gpu = options.device.startswith("cuda")
    if on_gpu and not torch.cuda.is_available():
        sys.exit("There is no GPU with CUDA here, so there is nothing to measure.")
    found = simlib.load_catalogue(options.photos or "sample")["img_path"].tolist()
    paths = [found[number % len(found)] for number in range(options.pictures)]
    cases = measure(paths, options.device, options.batch, options.rounds)

    about = machine(PACKAGES)
    processor = torch.cuda.get_device_name() if on_gpu else about["processor"]
    versions = ", ".join(f"{name} {number}" for name, number in about["packages"].items())
    facts = [
        f"{len(paths):,} pictures ({'photos' if options.photos else 'sample'}), batches of "
        f"{options.batch}, medians of {options.rounds} rounds; {processor}, {about['cores']} CPU "
        f"cores, {about['system']}; Python {about['python']}, {versions}.",
    ]
    if on_gpu:
        facts[0] += f" Peak GPU memory: {torch.cuda.max_memory_allocated() / 1e9:.1f} GB."
    text = table(cases, facts)
    print(text)
    if on_gpu:
        head = "# Embedding on a GPU\n\nWritten by `python benchmarks/gpu.py`.\n\n"
        RESULT.write_text(head + text, encoding="utf-8")
        print(f"Written to {RESULT.name}.")


if __name__ == "__main__":
    main()
