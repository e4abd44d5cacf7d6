"""The compact image-text model in training: two frozen towers and the projections that are learned.

``train_clip.py`` trains it and ``measure_clip.py`` measures it; both import from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from clip_views import View
from clip_words import WORDNET, Labels, holds, in_batches
from torch import nn
from torch.nn import functional

from simlib.networks import clip_compact, clip_tower, efficientnet_lite0
from simlib.networks.inference import Network, load_network

# Added to the logits of classes that are worn or carried, since the pictures are of products.
PRODUCTS_PRIOR = 3.0
PATCHES_A_SIDE = clip_compact.INPUT_SIDE // clip_compact.PATCH_SIDE


@dataclass
class Recipe:
    """The settings of a training."""

    steps: int = 1000
    batch: int = 640
    shares: tuple[float, float, float] = (0.4, 0.2, 0.4)  # photos, drawings, ImageNet
    learning_rate: float = 2e-3
    dropout: float = 0.5
    pull_to_identity: float = 2.0
    colour_units: int = 48
    class_scale: float = 0.6
    shrinkage: float = 0.5
    noise: float = 1.0
    coloured: float = 0.6
    evenness: float = 0.1  # of classes: 0 samples them by their number of photos, 1 equally
    kinds_apart: float = 0.3  # how often "a boot" counts as wrong of a sandal, a kind of one class
    clothing_share: float = 0.8  # of ImageNet's pictures: clothes, bags and whatever is drawn
    names_scale: float = 1.6  # ConSE's weight; fixed, so that what is unseen keeps its say
    hidden_units: int = 512
    hidden_dropout: float = 0.5
    weight_decay: float = 0.01
    members: int = 2  # independent trainings whose outputs are averaged
    settling_steps: int = 150
    seed: int = 0


@dataclass
class Pictures:
    """Features of some pictures, and what is known of them."""

    views: np.ndarray  # float32 (views, n, 1280), the first as the model reads the pictures
    patches: np.ndarray  # float32 (views, n, 144, 3)
    label: np.ndarray  # int (n,)
    kind: np.ndarray  # int (n,), the label of its kind, or its label where that is unknown
    colour: np.ndarray  # int (n,), -1 where unknown
    in_colour: np.ndarray  # bool (views,), whether a view shows the colour

    @classmethod
    def of(
        cls,
        found: dict[str, np.ndarray],
        label: list[int],
        colour: list[int],
        kind: list[int] | None = None,
    ) -> Pictures:
        """Return what :meth:`Towers.read` found, with labels, kinds and colours."""
        known = (np.array(one) for one in (label, kind or label, colour))
        return cls(found["views"], found["patches"], *known, found["in_colour"])

    @property
    def features(self) -> np.ndarray:
        return self.views[0]

    def __getitem__(self, rows) -> Pictures:
        return Pictures(
            *(self.views[:, rows], self.patches[:, rows], self.label[rows], self.kind[rows]),
            *(self.colour[rows], self.in_colour),
        )


class Projections(nn.Module):
    """Everything that is learned; see :mod:`simlib.networks.clip_compact`."""

    def __init__(
        self,
        towers: Towers,
        photos: Pictures,
        class_texts: torch.Tensor,
        recipe: Recipe,
    ) -> None:
        super().__init__()
        self.towers, self.class_texts, self.recipe = towers, class_texts, recipe
        self.mean = torch.from_numpy(photos.features.mean(0))
        self.spread = torch.from_numpy(photos.features.std(0) + 1e-3)
        dim = towers.names.shape[1]
        units = recipe.colour_units
        self.hidden = nn.Linear(efficientnet_lite0.DIM, recipe.hidden_units)
        self.image = nn.Linear(recipe.hidden_units, dim)
        nn.init.normal_(self.image.weight, std=0.002)
        self.colour = nn.Linear(clip_compact.TOKEN_DIM, units)
        nn.init.normal_(self.colour.weight, std=1.0)
        nn.init.normal_(self.colour.bias, std=0.7)
        self.from_colour = nn.Linear(units, dim, bias=False)
        nn.init.normal_(self.from_colour.weight, std=0.01)
        self.text = nn.Linear(dim, dim)
        nn.init.eye_(self.text.weight)
        nn.init.zeros_(self.image.bias)
        with torch.no_grad():
            self.text.bias.copy_(-towers.names.mean(0))
        self.register_buffer("names_scale", torch.tensor(recipe.names_scale))
        self.log_scale = nn.Parameter(torch.tensor(2.66))

    def parts(self, features, by_name, tokens, dropout=0.0):
        standard = (features - self.mean) / self.spread
        hidden = functional.relu(self.hidden(functional.dropout(standard, dropout, self.training)))
        hidden_dropout = self.recipe.hidden_dropout
        learned = self.image(functional.dropout(hidden, hidden_dropout, self.training))
        units = functional.relu(self.colour(tokens))  # (n, 1 + tokens, units)
        # The mean over the class token and all patches, estimated in training from a few of them.
        patches = PATCHES_A_SIDE**2
        units = (units[:, 0] + patches * units[:, 1:].mean(1)) / (patches + 1)
        return self.names_scale * by_name, learned, self.from_colour(units)

    def images(self, features, by_name, patches):
        tokens = self.towers.tokens(patches)
        return functional.normalize(sum(self.parts(features, by_name, tokens)), dim=1)

    def texts(self, embedded):
        return functional.normalize(self.text(embedded), dim=1)

    def shipped(self) -> dict[str, np.ndarray]:
        """Return the tensors of ``clip.safetensors``; half precision is enough for them."""
        weight = self.hidden.weight / self.spread
        tensors = {
            "hidden.weight": weight,
            "hidden.bias": self.hidden.bias - weight @ self.mean,
            "image.weight": torch.cat([self.image.weight, self.from_colour.weight], dim=1),
            "image.bias": self.image.bias,
            "names.weight": (self.names_scale * self.class_texts).T,
            "names.prior": self.towers.prior,
            "colour.weight": self.colour.weight,
            "colour.bias": self.colour.bias,
            "text.weight": self.text.weight,
            "text.bias": self.text.bias,
        }
        return {
            name: np.ascontiguousarray(tensor.detach().numpy().astype(np.float16))
            for name, tensor in tensors.items()
        }


class Towers:
    """The two frozen networks, and the features that were computed with them once."""

    def __init__(self, scratch: Path, labels: Labels) -> None:
        self.scratch = scratch
        self.prior = PRODUCTS_PRIOR * torch.from_numpy(labels.is_product).float()  # (1000,)
        scratch.mkdir(parents=True, exist_ok=True)
        classifier = efficientnet_lite0.build().classifier
        self.weight, self.bias = classifier.weight.numpy(), classifier.bias.numpy()  # (1000, 1280)
        self._texts: dict[str, np.ndarray] = {}
        self._minilm = None
        self._kept_texts = scratch / "texts.npz"
        if self._kept_texts.exists():
            kept = np.load(self._kept_texts)
            self._texts = dict(zip(kept["texts"].tolist(), kept["embeddings"], strict=True))
        # As in ConSE: all names of a class in one text, "jean, blue jean, denim".
        self.names = torch.from_numpy(self.embed_texts(efficientnet_lite0.class_names()))
        values, scale = clip_compact.patch_values(PATCHES_A_SIDE)
        self._places, self._token_scale = torch.from_numpy(values), scale

    def class_texts(self, banned: frozenset[str] = frozenset()) -> torch.Tensor:
        """Return an embedding for each ImageNet class, float32 ``(1000, 384)``, with mean 0.

        It is made from the names of the class, one by one and together, its gloss and, with less
        weight, its hypernyms in WordNet; plain ConSE uses only the names together. Texts with a
        banned word are left out.
        """

        def mean_of(texts: list[str]) -> np.ndarray:
            texts = [text for text in texts if not holds(text, banned)]
            mean = self.embed_texts(texts).mean(0) if texts else np.zeros(384, np.float32)
            return mean / max(np.linalg.norm(mean), 1e-6)

        rows = []
        for one in WORDNET["imagenet"]:
            row = mean_of(one["words"]) + mean_of([", ".join(one["words"])])
            row = row + mean_of([one["gloss"]])
            for step, words in enumerate(one["above"][:3]):
                row = row + mean_of(words) / 2 ** (step + 2)
            rows.append(row)
        texts = functional.normalize(torch.from_numpy(np.stack(rows)), dim=1)
        return texts - texts.mean(0)

    def by_name(self, features: np.ndarray, class_texts: torch.Tensor) -> np.ndarray:
        """Return ConSE's embedding: class texts averaged by the classifier's probabilities."""
        logits = torch.from_numpy(features @ self.weight.T + self.bias)
        shares = torch.softmax(logits / clip_compact.NAMES_TEMPERATURE + self.prior, 1)
        return (shares @ class_texts).numpy()

    def tokens(self, patches, rows=slice(None)):
        """Return the patch reader's tokens for mean colours, ``(n, 1 + patches, 12)``."""
        n, patches = len(patches), patches[:, rows]
        tokens = self._places[rows].repeat(n, 1, 1)
        tokens[:, :, :3] += patches
        tokens[:, :, 5:8] -= patches
        tokens = torch.cat([torch.zeros(n, 1, tokens.shape[2]), tokens], dim=1)  # the class token
        return functional.layer_norm(tokens, tokens.shape[2:], eps=1e-6) * self._token_scale

    def embed_texts(self, texts: list[str]) -> np.ndarray:
        missing = in_batches({text for text in texts if text not in self._texts})
        if missing:
            if self._minilm is None:
                from sentence_transformers import SentenceTransformer

                path = str(clip_compact.minilm_path())
                self._minilm = SentenceTransformer(path, device="cpu", local_files_only=True)
            found = self._minilm.encode(
                [{"text": text} for text in missing], batch_size=128, normalize_embeddings=True
            )
            self._texts.update(zip(missing, found, strict=True))
            np.savez(
                self._kept_texts,
                texts=np.array(list(self._texts)),
                embeddings=np.stack(list(self._texts.values())),
            )
        return np.stack([self._texts[text] for text in texts])

    def _picture_tower(self) -> Network:
        return load_network(
            "clip-tower",
            f"{clip_tower.CHANGES_SHA256} of {clip_compact.INPUT_SIDE}",
            lambda: efficientnet_lite0.features_of_crops(clip_tower.build()),
            np.zeros((clip_compact.INPUT_SIDE, clip_compact.INPUT_SIDE, 3), np.uint8),
        )

    def read(self, name: str, items, views: list[tuple[View, bool]]) -> dict[str, np.ndarray]:
        """Return views, patches and facts of ``(picture, facts)`` pairs, kept in the scratch.

        ``views`` are those of :mod:`clip_views`, the picture itself first.
        """
        path = self.scratch / f"{name}-{clip_tower.CHANGES_SHA256[:8]}-{len(views)}.npz"
        if not path.exists():
            network = self._picture_tower()
            features, patches, facts = [], [], []
            for picture, about in items():
                stack = np.stack([clip_compact.lay_on_square(view(picture)) for view, _ in views])
                features.append(network(stack))
                patches.append(mean_colours(stack))
                facts.append(about)
            np.savez(
                path,
                views=np.stack(features, axis=1),
                patches=np.stack(patches, axis=1),
                facts=np.array(facts),
                in_colour=np.array([in_colour for _, in_colour in views]),
            )
        return dict(np.load(path))


def mean_colours(stack: np.ndarray) -> np.ndarray:
    """Return the mean colours of patches, float32 (n, 144, 3), for uint8 (n, side, side, 3)."""
    count, side = PATCHES_A_SIDE, clip_compact.PATCH_SIDE
    blocks = stack.reshape(-1, count, side, count, side, 3).mean((2, 4))
    return np.float32(blocks / 127.5 - 1).reshape(len(stack), count**2, 3)
