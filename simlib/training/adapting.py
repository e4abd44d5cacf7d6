"""Adapt an encoder to a catalogue: labels → a projection on top of its embeddings.

Nothing of the network is trained, so that it takes seconds, and a few pictures a label are enough.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import pandas as pd

from simlib.arguments import require_count, short_repr, stacklevel_of_caller
from simlib.columns import Embeddings, require_column
from simlib.encoders.adapted import (
    AdaptedEncoder,
    Learned,
    adapted,
    centred,
    require_strength,
    rooted,
    unit,
)
from simlib.encoders.base import Encoder, require_encoder
from simlib.extras import needs_extra
from simlib.progress import progress_bar

if TYPE_CHECKING:
    import torch

__all__ = ["adapt", "split_by_group"]

Method = Literal["kernel", "lda", "contrastive", "triplet"]
Layers = tuple[dict[str, np.ndarray], str]
"""The tensors of an :class:`AdaptedEncoder`, and its activation."""

FEW = 10
"""A label with fewer pictures than this is warned of."""

WIDTH, RIDGE, SHARPNESS = 0.5, 0.1, 2.0
"""Of the kernel method: exp(-WIDTH · distance²) between rows of length 1, the penalty, and what a
score of a label is multiplied with before its exponential is taken.

Chosen, like ``OFFSET`` and the root, by cross-validation on the training photos of the clothing
data set; half or twice as much of any changes precision@5 by at most 0.01.
"""

MOST_LANDMARKS = 4_000
"""The kernel method compares with so many of the labelled pictures at most."""

HIDDEN, LEARNED, BATCH, STEPS = 512, 64, 256, 300
"""Of the two losses: units, values learned, pictures in a batch, and steps."""


def adapt(
    image_df: pd.DataFrame,
    encoder: Encoder,
    label_col: str = "category",
    *,
    method: Method = "kernel",
    strength: float = 0.5,
    seed: int = 0,
    progress: bool = True,
) -> AdaptedEncoder:
    """Return an encoder that labels have improved: pictures of one label come to lie closer.

    What is learned is a projection on top of the embeddings, which stay as they are and stand
    beside it: the similarity of two pictures is a weighted mean of the old and of the learned one.
    So labels that were never seen lose little, and words find what they found before.

    On photos of clothes that were not learned from (EfficientNet-Lite0, ten labels) the default
    lifts precision@5 from 0.74 to 0.88, and among each other from 0.62 to 0.83;
    ``benchmarks/results/photos.csv`` has this and what 10 or 30 pictures a label do.

    Parameters
    ----------
    image_df : pandas.DataFrame
        With ``label_col``, and ``img_path`` or the encoder's column. Only rows with a label and an
        embedding are learned from; ``.notes`` of the result counts the others. Keep some labelled
        pictures apart to measure with (:func:`simlib.training.split_by_group`): those learned from
        always look good.
    encoder : Encoder
        Any encoder; its network is not changed.
    label_col : str
        What makes two pictures alike, such as ``"category"`` or ``"colour"``.
    method : {"kernel", "lda", "contrastive", "triplet"}
        ``"kernel"``: kernel discriminant analysis, as regularised least squares on the labels with
        a Gaussian kernel (Mika et al., "Fisher Discriminant Analysis with Kernels", 1999; with more
        than 4,000 labelled pictures by the Nyström method, Williams and Seeger, 2001). Its
        scores of the labels are compared by their exponentials, so that what looks like no label
        stays together.
        ``"lda"``: scikit-learn's linear discriminant analysis with Ledoit-Wolf shrinkage.
        ``"contrastive"`` and ``"triplet"``: a layer of 512 units and one of 64 values, trained with
        the supervised contrastive loss (https://arxiv.org/abs/2004.11362) or the triplet loss
        (https://arxiv.org/abs/1503.03832) of pytorch-metric-learning, on anchors, positives of the
        same label and negatives of others. On photos the default is better, and takes a
        fraction of the time.
        With any of them, the square roots of an embedding without negative values (activations, as
        the classifier's) take its place.
    strength : float
        From 0, which finds what the encoder found, to 1, which compares by what the labels taught
        alone. At 0.5 both similarities have equal say: each is measured in its standard deviations
        over the labelled pictures. ``result.with_strength(0.8)`` changes it without learning again.
    seed : int
        Decides the landmarks and the training.
    progress : bool
        Whether to show bars while pictures are embedded and where training takes over a second.

    Returns
    -------
    AdaptedEncoder
        An encoder like any other, whose column is ``f"adapted_{encoder.column}"``. Embedding with
        it takes the base's embeddings from the cache. If ``encoder`` reads text, it does, too
        (but at ``strength=1``).

    Raises
    ------
    KeyError
        If a column is missing.
    TypeError
        If ``encoder`` is not an encoder.
    ValueError
        If there are fewer than two labels, or none has two pictures; or if ``method`` is unknown or
        ``strength`` not in [0, 1].
    ImportError
        If a loss is asked for, and torch or pytorch-metric-learning is missing; the message holds
        the pip command.

    Warns
    -----
    UserWarning
        Of labels with fewer than 10 pictures, which teach little.

    Examples
    --------
    >>> import simlib
    >>> image_df = simlib.load_catalogue("sample")
    >>> known_df, new_df = image_df.iloc[::2], image_df.iloc[1::2]
    >>> pixels = simlib.load_encoder("pixels", size=(16, 16))
    >>> encoder = simlib.adapt(known_df, pixels, "colour", progress=False)
    >>> new_df = simlib.embed(simlib.embed(new_df, pixels, progress=False), encoder, progress=False)
    >>> for column in (pixels.column, encoder.column):
    ...     print(f"{simlib.precision_at_k(new_df, column, 'colour').mean():.1f}")
    0.2
    0.6
    """
    require_encoder(encoder)
    require_column(image_df, label_col)
    require_strength(strength)
    require_count("seed", seed, 0)
    if method not in get_args(Method):
        raise ValueError(
            f"method={short_repr(method)} is unknown; choose one of {list(get_args(Method))}."
        )
    from simlib.measuring.comparison import with_embedding

    frame = with_embedding(image_df, encoder, progress)
    embeddings = Embeddings.of(frame, encoder.column)
    embeddings = embeddings.some(embeddings.have_direction())
    labels = frame[label_col].iloc[embeddings.positions].astype(object)
    has_label = labels.notna().to_numpy()
    codes, names = pd.factorize(labels[has_label])
    counts = np.bincount(codes, minlength=len(names))
    _require_labels(label_col, names, counts)
    old = unit(embeddings.some(has_label).whole())  # (n, dim)

    root = bool(old.min() >= 0)  # activations behind a ReLU, such as the classifier's
    rows = rooted(old) if root else old
    mean = rows.mean(axis=0, dtype=np.float64).astype(np.float32)
    rows = centred(rows, mean)
    learn: Callable[..., Layers] = _LEARNS[method]
    layers, activation = learn(rows, codes, seed, progress)
    dim = old.shape[1]
    empty = {"hidden": np.empty((0, dim), np.float32), "hidden_bias": np.empty(0, np.float32)}
    tensors = {"mean": mean, **empty, **layers}
    notes = {
        "label_col": label_col,
        "method": method,
        "labels": {str(name): int(count) for name, count in zip(names, counts, strict=True)},
        "pictures": len(codes),
        "without_label": int(frame[label_col].isna().sum()),
        "without_embedding": len(frame) - len(embeddings),
    }
    learned = Learned(tensors, activation, root, (_spread(old), 1.0))
    whole = adapted(encoder, learned, 1.0, notes)
    spreads = learned.spreads[0], _spread(whole.project(old)[:, dim:])
    return adapted(encoder, learned._replace(spreads=spreads), strength, notes)


def split_by_group(
    image_df: pd.DataFrame,
    label_col: str = "category",
    share: float = 0.25,
    group_col: str | None = None,
    seed: int = 0,
    progress: bool = True,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the catalogue in two parts: one to learn from, one to measure with.

    What belongs together goes to the same part, so that no copy of a picture learned from is
    measured; and each part gets about its share of each label.

    Parameters
    ----------
    image_df : pandas.DataFrame
        With ``label_col`` and, unless ``group_col`` is given, ``img_path``.
    label_col : str
        The labels to spread evenly; pictures without one are spread, too.
    share : float
        Of the second part, above 0 and at most 0.5: about so many of the pictures.
    group_col : str, optional
        What belongs together, such as the number of a product of which there are several photos.
        By default near-duplicates, as :func:`simlib.find_duplicates` finds them.
    seed : int
        Which of the possible splits.
    progress : bool
        Whether to show a bar while near-duplicates are looked for.

    Returns
    -------
    known_df, new_df : pandas.DataFrame
        With the rows' labels and their order as they were.

    Raises
    ------
    KeyError
        If a column is missing.
    ValueError
        If ``share`` is out of range, or there are too few groups.

    Examples
    --------
    >>> import simlib
    >>> image_df = simlib.load_catalogue("sample").head(96)
    >>> known_df, new_df = split_by_group(image_df, "category", progress=False)
    >>> len(known_df), len(new_df)
    (72, 24)
    """
    from sklearn.model_selection import StratifiedGroupKFold

    require_column(image_df, label_col)
    require_count("seed", seed, 0)
    if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 < share <= 0.5:
        raise ValueError(f"share={short_repr(share)} must be above 0 and at most 0.5.")
    if group_col is not None:
        require_column(image_df, group_col)
        groups = image_df[group_col].astype(object)
        own = pd.Series([f"row {row}" for row in range(len(groups))], index=groups.index)
        groups = groups.where(groups.notna(), own)
    else:
        from simlib.measuring.evaluation import duplicates_among, groups_of

        duplicates = duplicates_among(image_df, progress=progress)
        groups = groups_of(image_df["img_path"], duplicates)
    codes, names = pd.factorize(groups.astype(object))
    parts = max(2, round(1 / share))
    if len(names) < parts:
        raise ValueError(
            f"There are {len(names)} groups of pictures, too few for a part of {share} of them."
        )
    strata = pd.factorize(image_df[label_col].astype(object))[0] + 1  # 0: without a label
    rare = np.bincount(strata) < parts  # too few to be spread each by itself
    strata[rare[strata]] = 0
    folds = StratifiedGroupKFold(parts, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        known, new = next(folds.split(codes[:, None], strata, codes))
    return image_df.iloc[np.sort(known)], image_df.iloc[np.sort(new)]


def _require_labels(label_col: str, names: pd.Index, counts: np.ndarray) -> None:
    if len(names) < 2 or counts.max() < 2:
        raise ValueError(
            f"The column {label_col!r} has {len(names)} different labels on {counts.sum()} pictures"
            " with an embedding. To learn from there must be two labels or more, and two pictures "
            "or more of one."
        )
    few = np.flatnonzero(counts < FEW)
    if len(few):
        said = ", ".join(f"{short_repr(names[place])} {counts[place]}" for place in few[:5])
        warnings.warn(
            f"{len(few)} of {len(names)} labels in {label_col!r} have fewer than {FEW} pictures "
            f"({said}{', …' if len(few) > 5 else ''}): they teach little. Measure on other pictures"
            " before you use the result.",
            stacklevel=stacklevel_of_caller(),
        )


def _spread(rows: np.ndarray) -> float:
    """Return the standard deviation of the cosine similarity of two, float."""
    rows = unit(rows)[:: max(1, len(rows) // 1_000)]
    similarities = (rows @ rows.T)[np.triu_indices(len(rows), 1)]
    return float(similarities.std(dtype=np.float64))


def _kernel(rows: np.ndarray, codes: np.ndarray, seed: int, progress: bool) -> Layers:
    """Learn by regularised least squares on the labels, in the space of a Gaussian kernel."""
    from scipy.linalg import solve

    counts = np.bincount(codes)
    # Each label as a column that has mean 0; SHARPNESS could as well be applied afterwards.
    aims = SHARPNESS * ((codes[:, None] == np.arange(len(counts))) - counts / len(codes))
    chosen = _landmarks(codes, seed)
    hidden = 2 * WIDTH * rows[chosen]  # (m, dim)
    bias = np.full(len(chosen), -2 * WIDTH, dtype=np.float32)
    if len(chosen) == len(rows):
        kernel = np.exp(rows @ hidden.T + bias).astype(np.float64)
        kernel[np.diag_indices_from(kernel)] += RIDGE
        output = solve(kernel, aims, assume_a="pos", overwrite_a=True)
    else:
        square, right = np.zeros((len(chosen),) * 2), np.zeros((len(chosen), len(counts)))
        for start in range(0, len(rows), 2_048):
            part = np.exp(rows[start : start + 2_048] @ hidden.T + bias).astype(np.float64)
            square += part.T @ part
            right += part.T @ aims[start : start + 2_048]
        among = np.exp(rows[chosen] @ hidden.T + bias).astype(np.float64)
        square += RIDGE * among
        square[np.diag_indices_from(square)] += 1e-6
        output = solve(square, right, assume_a="pos", overwrite_a=True)
    nothing = np.zeros(len(counts), dtype=np.float32)
    return {
        "hidden": hidden, "hidden_bias": bias, "output": output, "output_bias": nothing
    }, "exp"  # fmt: skip


def _landmarks(codes: np.ndarray, seed: int) -> np.ndarray:
    """Return which pictures to compare with: all, or of each label as many as of any other."""
    if len(codes) <= MOST_LANDMARKS:
        return np.arange(len(codes))
    order = pd.Series(np.random.default_rng(seed).permutation(len(codes)))
    turn = order.groupby(codes[order]).cumcount().to_numpy()  # of each label, the how-manieth
    return np.sort(order.to_numpy()[np.argsort(turn, kind="stable")[:MOST_LANDMARKS]])


def _lda(rows: np.ndarray, codes: np.ndarray, seed: int, progress: bool) -> Layers:
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    model = LinearDiscriminantAnalysis(solver="eigen", shrinkage="auto")
    model.fit(rows.astype(np.float64), codes)
    output = model.scalings_[:, : len(model.classes_) - 1]
    return {"output": output, "output_bias": -(rows.mean(axis=0) @ output)}, "none"


def _contrastive(rows: np.ndarray, codes: np.ndarray, seed: int, progress: bool) -> Layers:
    # The module of losses alone: the package's accuracy calculator would exchange faiss's search
    # in this process for one that Milvus Lite can't call.
    with needs_extra("simclr", "The contrastive loss"):
        from pytorch_metric_learning.losses import SupConLoss
    return _head(rows, codes, seed, progress, SupConLoss(temperature=0.1))


def _triplet(rows: np.ndarray, codes: np.ndarray, seed: int, progress: bool) -> Layers:
    with needs_extra("simclr", "The triplet loss"):
        from pytorch_metric_learning.distances import CosineSimilarity
        from pytorch_metric_learning.losses import TripletMarginLoss
    loss = TripletMarginLoss(0.2, distance=CosineSimilarity(), triplets_per_anchor=20)
    return _head(rows, codes, seed, progress, loss)


def _head(
    rows: np.ndarray, codes: np.ndarray, seed: int, progress: bool, loss: torch.nn.Module
) -> Layers:
    """Train two layers with a loss on batches that have about as many pictures of each label."""
    import torch

    random = np.random.default_rng(seed)
    members = [np.flatnonzero(codes == code) for code in range(codes.max() + 1)]
    members = [member for member in members if len(member) > 1]  # a positive is another picture
    labels = min(len(members), BATCH // 4)
    with ExitStack() as stack:
        bar = stack.enter_context(progress_bar("training", " steps", STEPS, progress))
        stack.enter_context(torch.random.fork_rng(devices=[]))
        # So small a network gains nothing from more threads, and its sums come out the same.
        stack.callback(torch.set_num_threads, torch.get_num_threads())
        torch.set_num_threads(1)
        torch.manual_seed(seed)
        layers = torch.nn.Linear(rows.shape[1], HIDDEN), torch.nn.Linear(HIDDEN, LEARNED)
        network = torch.nn.Sequential(layers[0], torch.nn.ReLU(), layers[1])
        scale = float(rows.std())  # values of about 1
        inputs, targets = torch.from_numpy(rows / scale), torch.from_numpy(codes)
        optimizer = torch.optim.AdamW(network.parameters(), 1e-3, weight_decay=1e-4)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-3, total_steps=STEPS)
        for _ in range(STEPS):
            drawn = random.choice(len(members), labels, replace=False)
            each = [
                random.choice(members[label], min(BATCH // labels, len(members[label])), False)
                for label in drawn
            ]
            batch = torch.from_numpy(np.concatenate(each))
            value = loss(network(inputs[batch]), targets[batch])
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            schedule.step()
            bar.update()
    weights = [(layer.weight.detach().numpy(), layer.bias.detach().numpy()) for layer in layers]
    (hidden, hidden_bias), (output, output_bias) = weights
    return {
        "hidden": hidden / scale, "hidden_bias": hidden_bias,
        "output": output.T, "output_bias": output_bias,
    }, "relu"  # fmt: skip


_LEARNS: dict[str, Callable[..., Layers]] = {
    "kernel": _kernel, "lda": _lda, "contrastive": _contrastive, "triplet": _triplet
}  # fmt: skip
