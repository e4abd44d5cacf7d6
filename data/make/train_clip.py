"""Trains the compact image-text model's projections, and measures them on what they never saw.

    python data/make/train_clip.py --photos ../shared/photos --scratch /tmp/clip

writes data/models/clip.safetensors and data/models/clip_results.json. Both towers are frozen: their
features are computed once (minutes, kept in the scratch folder), then a training takes seconds.

Loss: CLIP's (https://arxiv.org/abs/2103.00020), with all pairs of a batch that are known to belong
together as positives and those of which nobody knows left out. Pictures, none of them in
``data/sample`` or in the photos' ``validation`` folder:

* photos of ten kinds of clothes; captions from templates, synonyms and WordNet, with the colour
  where the middle of the picture tells it;
* drawings (``data/make/drawing``) with their titles, in twelve colours;
* ImageNet's 1,000 classes: the classifier's own weight vector stands for a picture of each, and its
  names, hypernyms and gloss in WordNet are the captions.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

from simlib.encoders import clip_compact, efficientnet_lite0  # noqa: E402

MODELS = HERE.parent / "models"
WORDNET = json.loads((HERE / "wordnet_words.json").read_text(encoding="utf-8"))
SYNONYMS = {
    "dress": ["dress", "summer dress", "party dress", "maxi dress", "evening dress", "frock"],
    "hat": ["hat", "cap", "baseball cap", "beanie", "woolly hat", "sun hat", "headwear"],
    "longsleeve": [
        *("long-sleeved top", "longsleeve", "long-sleeved shirt", "long sleeve t-shirt", "sweater"),
        *("jumper", "pullover", "sweatshirt", "knitwear", "hoodie"),
    ],
    "outwear": [
        *("outerwear", "jacket", "coat", "outwear", "winter coat", "rain jacket", "parka"),
        *("blazer", "windbreaker", "something to wear over the other clothes"),
    ],
    "pants": [
        *("pants", "trousers", "jeans", "chinos", "slacks", "leggings", "joggers", "long pants"),
    ],
    "shirt": ["shirt", "blouse", "button-up shirt", "dress shirt", "collared shirt", "plaid shirt"],
    "shoes": [
        *("shoes", "sneakers", "trainers", "boots", "footwear", "pair of shoes", "running shoes"),
        *("high heels", "sandals", "loafers"),
    ],
    "shorts": [
        *("shorts", "short pants", "bermudas", "sports shorts", "denim shorts", "beach shorts"),
    ],
    "skirt": ["skirt", "miniskirt", "pleated skirt", "long skirt", "pencil skirt", "denim skirt"],
    "t-shirt": [
        *("t-shirt", "tee", "tee shirt", "short-sleeved t-shirt", "printed t-shirt", "T shirt"),
    ],
}
CLASSES = list(SYNONYMS)
GROUPS = {
    "top": ["t-shirt", "shirt", "longsleeve"],
    "something with sleeves": ["t-shirt", "shirt", "longsleeve", "outwear"],
    "bottoms": ["pants", "shorts", "skirt"],
    "garment": [name for name in CLASSES if name not in ("shoes", "hat")],
    "piece of clothing": [name for name in CLASSES if name not in ("shoes", "hat")],
    "clothes": [name for name in CLASSES if name != "shoes"],
    "warm clothes": ["outwear", "longsleeve"],
    "something to wear on the head": ["hat"],
    "something to wear on the feet": ["shoes"],
}
# The drawings' kinds among the photos' classes; "clothing" is none of them but near to all.
CLASS_OF_KIND = {
    **dict.fromkeys(["sneaker", "high heel", "boot", "sandal", "loafer"], "shoes"),
    **dict.fromkeys(["trench coat", "fur coat"], "outwear"),
    **dict.fromkeys(["cardigan", "sweatshirt"], "longsleeve"),
    **dict.fromkeys(["swimsuit", "kimono", "suit", "polo shirt", "mitten", "sock"], "clothing"),
    **dict.fromkeys(["tie", "bow tie", "scarf"], "clothing"),
    **{"dress": "dress", "skirt": "skirt", "hat": "hat", "t-shirt": "t-shirt"},
    **{"shorts": "shorts", "jeans": "pants"},
}
MORE_WORDS_FOR_KIND = {
    "handbag": ["bag", "handbag", "shoulder bag"],
    "backpack": ["backpack", "rucksack", "bag to carry on the back"],
    "purse": ["purse", "wallet", "pocketbook"],
    "watch": ["watch", "wristwatch", "timepiece"],
    "sunglasses": ["sunglasses", "shades", "dark glasses"],
    "necklace": ["necklace", "jewellery", "chain to wear around the neck"],
    "bracelet": ["bracelet", "jewellery", "bangle"],
    "umbrella": ["umbrella", "brolly"],
    "suit": ["suit", "formal wear for men"],
    "scarf": ["scarf", "shawl"],
    "sock": ["sock", "stocking"],
    "mitten": ["mitten", "glove"],
    "swimsuit": ["swimsuit", "bathing suit", "swimwear"],
}
PLAIN = (
    *("{}", "a {}", "a photo of a {}", "a photo of {}", "a picture of a {}", "{} for sale"),
    *("{} lying on the floor", "a product photo of a {}", "a close-up of a {}", "my new {}"),
    *("second-hand {}", "a {} on a plain background", "an image of a {}", "this is a {}"),
)
COLOURED = ["{c} {}", "a {c} {}", "a photo of a {c} {}", "{} in {c}", "a {} that is {c}"]
COLOURS = {
    "black": ["black"],
    "white": ["white"],
    "grey": ["grey", "gray"],
    "red": ["red", "dark red"],
    "orange": ["orange"],
    "yellow": ["yellow"],
    "green": ["green", "dark green"],
    "blue": ["blue", "navy blue"],
    "purple": ["purple", "violet"],
    "pink": ["pink", "rose"],
    "brown": ["brown"],
    "beige": ["beige", "cream-coloured"],
}
COLOUR_NAMES = list(COLOURS)

# Everyday words and the classes whose photos they name: in a run of its own, no caption holds one.
EVERYDAY = {
    **dict.fromkeys(["sneakers", "trainers", "boots", "footwear", "heels"], ["shoes"]),
    **dict.fromkeys(["jumper", "pullover", "sweater"], ["longsleeve"]),
    **dict.fromkeys(["blouse", "button-up"], ["shirt"]),
    **dict.fromkeys(["cap", "beanie", "headwear"], ["hat"]),
    **dict.fromkeys(["trousers", "slacks", "chinos", "leggings"], ["pants"]),
    **dict.fromkeys(["jacket", "coat", "parka", "blazer"], ["outwear"]),
    **dict.fromkeys(["sundress", "frock"], ["dress"]),
    **{"tee": ["t-shirt"], "bermudas": ["shorts"], "kilt": ["skirt"]},
}
PAIRS = [  # held out together, so that each class is unseen once
    ("dress", "hat"),
    ("longsleeve", "outwear"),
    ("pants", "shirt"),
    ("shoes", "shorts"),
    ("skirt", "t-shirt"),
]
QUERY_NAMES = {"longsleeve": "long-sleeved top", "outwear": "outerwear"}
QUERY_TEMPLATES = ["{}", "a photo of a {}", "a picture of a {}"]


@dataclass
class Recipe:
    """What can be chosen of a training."""

    steps: int = 600
    batch: int = 384
    shares: tuple[float, float, float] = (0.5, 0.2, 0.3)  # photos, drawings, ImageNet
    learning_rate: float = 2e-3
    dropout: float = 0.5
    pull_to_identity: float = 1.0
    colour_units: int = 48
    class_scale: float = 0.6
    shrinkage: float = 0.5
    noise: float = 1.0
    coloured: float = 0.5
    evenness: float = 0.2  # of the classes: 0 as often as there are photos, 1 equally often
    clothing_share: float = 0.5  # of ImageNet's pictures: clothes, bags and what else is drawn
    names_scale: float = 1.6  # ConSE's weight: set, so that it goes on speaking of what is unseen
    seed: int = 0


def words_of(text: str) -> set[str]:
    """Return a text's words in lower case and without the plural's s; parts of compounds too.

    >>> sorted(words_of("Button-up shirts"))
    ['button', 'button-up', 'shirt', 'up']
    """
    found = set(re.findall(r"[a-z]+(?:-[a-z]+)*", text.lower()))
    found |= {part for word in found for part in word.split("-")}
    return {word[:-1] if word.endswith("s") and not word.endswith("ss") else word for word in found}


@dataclass
class Concept:
    """Some captions that say the same, and the labels of the pictures of which they are true."""

    texts: list[str]
    labels: set[int]
    weight: float
    colourable: bool = False
    vague: bool = False  # nobody knows of which clothes it is true besides: "shirt", of a jersey


class Labels:
    """What a picture can show: a class of the photos, a kind of drawing, or one of ImageNet's."""

    def __init__(self, kinds: dict[str, set[str]]) -> None:
        self.names = CLASSES + [f"drawn {kind}" for kind in kinds] + [
            one["words"][0] for one in WORDNET["imagenet"]
        ]
        self.kind_start, self.imagenet_start = 10, 10 + len(kinds)
        self.kinds = list(kinds)
        group: list[str | None] = CLASSES + [CLASS_OF_KIND.get(kind) for kind in kinds]
        group += [one["class"] for one in WORDNET["imagenet"]]
        self.group = np.array([name or "" for name in group])
        clothes = self.group != ""
        any_clothing = self.group == "clothing"
        # Pictures under two labels may show the same thing: same class, or clothes of no class.
        self.akin = clothes[:, None] & (self.group[:, None] == self.group)
        self.akin |= clothes & clothes[:, None] & (any_clothing | any_clothing[:, None])
        for place, fitting in enumerate(kinds.values()):
            for index, one in enumerate(WORDNET["imagenet"]):
                if fitting & set(one["words"]):
                    first, second = self.kind_start + place, self.imagenet_start + index
                    self.akin[first, second] = self.akin[second, first] = True

    def of_group(self, groups) -> set[int]:
        return {label for label, name in enumerate(self.group) if name in groups}


def concepts(labels: Labels, unseen: tuple[str, ...] = (), banned: set[str] = frozenset()) -> list:
    """Return all captions, without those with a banned word and those written for ``unseen``.

    What WordNet says of ImageNet's classes is not written for a class of the photos, and stays.
    """
    result = []

    def add(texts, true_of, weight, colourable=False, vague=False):
        texts = [text for text in dict.fromkeys(texts) if not words_of(text) & banned]
        if texts:
            result.append(Concept(texts, true_of, weight, colourable, vague))

    for name in CLASSES:
        if name not in unseen:
            add(SYNONYMS[name], labels.of_group([name]), 1.0, colourable=True)
            add(WORDNET["classes"][name], labels.of_group([name]), 0.4)
    for text, members in GROUPS.items():
        if not set(members) & set(unseen):
            add([text], labels.of_group(members), 0.1)
    for place, kind in enumerate(labels.kinds):
        if CLASS_OF_KIND.get(kind) not in unseen:
            label = labels.kind_start + place
            add([kind, *MORE_WORDS_FOR_KIND.get(kind, [])], {label}, 1.0, colourable=True)
    taught = {text for name in CLASSES if name not in unseen for text in SYNONYMS[name]}
    above: dict[tuple, set[int]] = {}
    for index, one in enumerate(WORDNET["imagenet"]):
        label = labels.imagenet_start + index
        add(one["words"], {label}, 1.0)
        add([one["gloss"]], {label}, 0.3)
        for hypernym in one["above"]:
            above.setdefault(tuple(hypernym), set()).add(label)
    for hypernym, true_of in above.items():
        of_clothes = bool(labels.group[list(true_of)].astype(bool).any())
        # The photos teach their own classes' names better than "a jersey is a shirt" does.
        add([text for text in hypernym if text not in taught], true_of, 0.1, vague=of_clothes)
    return result


@dataclass
class Captions:
    """All captions as arrays; ``truth`` is 1 where a caption fits a label, -1 where unknown."""

    texts: list[str] = field(default_factory=list)
    concept: np.ndarray = None
    colour: np.ndarray = None
    weight: np.ndarray = None
    truth: np.ndarray = None

    @classmethod
    def of(cls, all_concepts: list[Concept], labels: Labels) -> Captions:
        rows = []
        for number, one in enumerate(all_concepts):
            plain = PLAIN if one.colourable else PLAIN[:1] if one.weight >= 1 else (PLAIN[2],)
            for text in one.texts:
                share = one.weight / (len(one.texts) * len(plain))
                rows += [(form.format(text), number, -1, share) for form in plain]
                if one.colourable:
                    for place, name in enumerate(COLOUR_NAMES):
                        for shade in COLOURS[name] if one.weight >= 1 else [name]:
                            form = COLOURED[(len(text) + place) % len(COLOURED)]
                            rows.append((form.format(text, c=shade), number, place, share))
        for place, name in enumerate(COLOUR_NAMES):  # "something red": true of all that is
            rows += [(form.format("thing", c=name), -1, place, 0.0) for form in COLOURED[:3]]
        texts, concept, colour, weight = zip(*rows, strict=True)
        truth = np.zeros((len(all_concepts) + 1, len(labels.names)), dtype=np.int8)
        for number, one in enumerate(all_concepts):
            members = sorted(one.labels)
            unknown = labels.akin[members].any(0) | (one.vague & (labels.group != ""))
            truth[number] = -unknown.astype(np.int8)
            truth[number, members] = 1
        truth[-1] = 1
        return cls(list(texts), np.array(concept), np.array(colour), np.array(weight), truth)


@dataclass
class Pictures:
    """What the frozen tower saw of some pictures, and what is known of them."""

    features: np.ndarray  # float32 (n, 1280)
    patches: np.ndarray  # float32 (n, 196, 3)
    label: np.ndarray  # int (n,)
    colour: np.ndarray  # int (n,), -1 where unknown

    def __getitem__(self, rows) -> Pictures:
        return Pictures(
            self.features[rows], self.patches[rows], self.label[rows], self.colour[rows]
        )


class Projections(nn.Module):
    """All that is learned: see :func:`simlib.encoders.clip_compact.build_model`."""

    def __init__(
        self,
        towers: Towers,
        photos: Pictures,
        class_texts: torch.Tensor,
        units: int,
        names_scale: float,
    ) -> None:
        super().__init__()
        self.towers, self.class_texts = towers, class_texts
        self.mean = torch.from_numpy(photos.features.mean(0))
        self.spread = torch.from_numpy(photos.features.std(0) + 1e-3)
        dim = towers.names.shape[1]
        self.image = nn.Linear(efficientnet_lite0.DIM, dim)
        nn.init.normal_(self.image.weight, std=0.0005)
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
        self.register_buffer("names_scale", torch.tensor(names_scale))
        self.log_scale = nn.Parameter(torch.tensor(2.66))

    def parts(self, features, by_name, tokens, dropout=0.0):
        standard = (features - self.mean) / self.spread
        learned = self.image(functional.dropout(standard, dropout, self.training))
        units = functional.relu(self.colour(tokens))  # (n, 1 + tokens, units)
        # As the mean over the class token and all 196 patches, of which a training draws some.
        units = (units[:, 0] + 196 * units[:, 1:].mean(1)) / 197
        return self.names_scale * by_name, learned, self.from_colour(units)

    def images(self, features, by_name, patches):
        tokens = self.towers.tokens(patches)
        return functional.normalize(sum(self.parts(features, by_name, tokens)), dim=1)

    def texts(self, embedded):
        return functional.normalize(self.text(embedded), dim=1)

    def shipped(self) -> dict[str, np.ndarray]:
        """Return the tensors of ``clip.safetensors``; half precision is finer than they are."""
        weight = self.image.weight / self.spread
        tensors = {
            "image.weight": torch.cat([weight, self.from_colour.weight], dim=1),
            "image.bias": self.image.bias - weight @ self.mean,
            "names.weight": (self.names_scale * self.class_texts).T,
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
    """The two frozen networks, and what was computed with them once."""

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        scratch.mkdir(parents=True, exist_ok=True)
        self.network = efficientnet_lite0.build()
        self.weight = self.network.classifier.weight.numpy()  # (1000, 1280)
        self.bias = self.network.classifier.bias.numpy()
        self._texts: dict[str, np.ndarray] = {}
        self._minilm = None
        self._kept_texts = scratch / "texts.npz"
        if self._kept_texts.exists():
            kept = np.load(self._kept_texts)
            self._texts = dict(zip(kept["texts"].tolist(), kept["embeddings"], strict=True))
        # ConSE's own: all names of a class in one text, "jean, blue jean, denim".
        self.names = torch.from_numpy(self.embed_texts(efficientnet_lite0.class_names()))
        values, scale = clip_compact.patch_values(14)
        self._places, self._token_scale = torch.from_numpy(values), scale

    def class_texts(self, banned: set[str] = frozenset()) -> torch.Tensor:
        """Return an embedding for each class of ImageNet, float32 ``(1000, 384)``, mean 0.

        From its names one by one and together and its gloss; plain ConSE has the names together
        alone. What holds a banned word is left out.
        """

        def mean_of(texts: list[str]) -> np.ndarray:
            texts = [text for text in texts if not words_of(text) & banned]
            mean = self.embed_texts(texts).mean(0) if texts else np.zeros(384, np.float32)
            return mean / max(np.linalg.norm(mean), 1e-6)

        rows = []
        for one in WORDNET["imagenet"]:
            rows.append(
                mean_of(one["words"])
                + mean_of([", ".join(one["words"])])
                + 0.5 * mean_of([one["gloss"]])
            )
        texts = functional.normalize(torch.from_numpy(np.stack(rows)), dim=1)
        return texts - texts.mean(0)

    def by_name(self, features: np.ndarray, class_texts: torch.Tensor) -> np.ndarray:
        """Return ConSE's embedding: class texts averaged by the classifier's probabilities."""
        logits = torch.from_numpy(features @ self.weight.T + self.bias)
        shares = torch.softmax(logits / clip_compact.NAMES_TEMPERATURE, 1)
        return (shares @ class_texts).numpy()

    def tokens(self, patches, rows=slice(None)):
        """Return what the patch reader gives for mean colours, ``(n, 1 + patches, 12)``."""
        n, patches = len(patches), patches[:, rows]
        tokens = self._places[rows].repeat(n, 1, 1)
        tokens[:, :, :3] += patches
        tokens[:, :, 5:8] -= patches
        tokens = torch.cat([torch.zeros(n, 1, tokens.shape[2]), tokens], dim=1)  # the class token
        return functional.layer_norm(tokens, tokens.shape[2:], eps=1e-6) * self._token_scale

    def embed_texts(self, texts: list[str]) -> np.ndarray:
        missing = sorted({text for text in texts if text not in self._texts}, key=len)
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

    def read(self, name: str, items) -> dict[str, np.ndarray]:
        """Return features, patches and facts of ``(picture, facts)`` pairs, kept in the scratch."""
        path = self.scratch / f"{name}.npz"
        if not path.exists():
            features, patches, facts, batch = [], [], [], []

            def flush():
                stack = np.stack(batch)
                features.append(efficientnet_lite0.features(self.network, stack))
                blocks = stack.reshape(-1, 3, 14, 16, 14, 16).mean((3, 5))
                patches.append(blocks.transpose(0, 2, 3, 1).reshape(len(stack), 196, 3))
                batch.clear()

            for picture, about in items():
                batch.append(efficientnet_lite0.prepare(picture))
                facts.append(about)
                if len(batch) == 32:
                    flush()
            if batch:
                flush()
            np.savez(
                path,
                features=np.concatenate(features),
                patches=np.concatenate(patches).astype(np.float32),
                facts=np.array(facts),
            )
        return dict(np.load(path))


def photos_of(folder: Path):
    """Yield the photos with ``(class, colour of the middle or "")``."""
    from simlib.images import load_image

    for path in sorted(folder.glob("*/*.jpg")):
        picture = load_image(path)
        yield picture, (path.parent.name, colour_of_middle(picture))


def colour_of_middle(picture) -> str:
    """Return the colour of most pixels in the middle of a picture, or "" if none has a majority."""
    width, height = picture.size
    middle = picture.crop((width * 3 // 10, height * 3 // 10, width * 7 // 10, height * 7 // 10))
    hue, saturation, value = np.moveaxis(
        np.asarray(middle.resize((48, 48)).convert("HSV"), dtype=np.float32) / 255, 2, 0
    )
    hue = hue * 360
    edges = [(15, "red"), (42, "orange"), (68, "yellow"), (170, "green"), (255, "blue")]
    edges += [(290, "purple"), (345, "pink"), (361, "red")]
    names = np.select([hue < top for top, _ in edges], [name for _, name in edges], "red")
    names[(hue < 45) & (hue >= 10) & (value < 0.6)] = "brown"
    names[((hue < 15) | (hue > 330)) & (saturation < 0.5) & (value > 0.7)] = "pink"
    names[(hue < 50) & (hue >= 20) & (saturation < 0.4) & (value >= 0.6)] = "beige"
    names[saturation < 0.2] = "grey"
    names[(saturation < 0.18) & (value > 0.78)] = "white"
    names[(value < 0.25) | ((saturation < 0.3) & (value < 0.33))] = "black"
    found, counts = np.unique(names, return_counts=True)
    return str(found[counts.argmax()]) if counts.max() > 0.55 * names.size else ""


def drawings_of(count: int, seed: int):
    import drawing

    for one in drawing.drawings(count, seed=seed):
        yield one.image.convert("RGB"), (one.category, one.colour, one.title)


def class_pictures(towers: Towers, photos: Pictures, model: Projections, recipe: Recipe):
    """Return a feature vector for each ImageNet class, and what photos of one class differ by.

    A linear classifier's weights are the inverse covariance times the class's mean (as in linear
    discriminant analysis); multiplied by the covariance, they are the mean again.
    """
    own_mean = np.stack([photos.features[photos.label == one].mean(0) for one in photos.label])
    residuals = photos.features - own_mean
    spread = model.spread.numpy()
    covariance = np.cov((residuals / spread).T)
    ridge = np.eye(len(covariance)) * np.trace(covariance) / len(covariance)
    covariance = (1 - recipe.shrinkage) * covariance + recipe.shrinkage * ridge
    means = ((towers.weight - towers.weight.mean(0)) * spread) @ covariance
    means *= recipe.class_scale * np.sqrt(means.shape[1]) / np.linalg.norm(means, axis=1)[:, None]
    return np.float32(model.mean.numpy() + means * spread), residuals


def train(
    towers: Towers,
    photos: Pictures,
    drawn: Pictures,
    labels: Labels,
    all_concepts: list[Concept],
    recipe: Recipe,
    banned: set[str] = frozenset(),
) -> Projections:
    """Return the projections trained on these pictures and captions."""
    rng = np.random.default_rng(recipe.seed)
    torch.manual_seed(recipe.seed)
    captions = Captions.of(all_concepts, labels)
    embedded = torch.from_numpy(towers.embed_texts(captions.texts))
    class_texts = towers.class_texts(banned)
    model = Projections(
        towers, photos, class_texts, recipe.colour_units, recipe.names_scale
    )
    class_means, residuals = class_pictures(towers, photos, model, recipe)
    by_name = {id(one): towers.by_name(one.features, class_texts) for one in (photos, drawn)}
    names = class_texts.numpy()
    truth = torch.from_numpy(captions.truth)

    # For each label its captions without a colour, and for each label and colour those with it.
    fits = captions.truth[captions.concept] == 1  # (captions, labels)
    plain, coloured = {}, {}
    for label in range(len(labels.names)):
        rows = np.flatnonzero(fits[:, label] & (captions.weight > 0) & (captions.colour < 0))
        if len(rows):
            sums = np.cumsum(captions.weight[rows])
            plain[label] = rows, sums / sums[-1]
        if label < labels.imagenet_start:
            for place in range(len(COLOUR_NAMES)):
                rows = np.flatnonzero(fits[:, label] & (captions.colour == place))
                sums = np.cumsum(captions.weight[rows] + 0.002)
                coloured[label, place] = rows, sums / sums[-1]
    rows_of = [
        {label: np.flatnonzero(some.label == label) for label in set(some.label) & set(plain)}
        for some in (photos, drawn)
    ]
    imagenet = np.array([label for label in plain if label >= labels.imagenet_start])
    close = (labels.group[imagenet] != "") | labels.akin[: labels.imagenet_start, imagenet].any(0)
    often = np.where(close, recipe.clothing_share / close.sum(), 0)
    often += (1 - recipe.clothing_share) / len(close)
    counts = [round(recipe.batch * share) for share in recipe.shares]

    optimiser = torch.optim.Adam(model.parameters(), lr=recipe.learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.learning_rate, total_steps=recipe.steps, pct_start=0.1
    )
    identity = torch.eye(len(model.text.weight))

    def choose(table, key):
        rows, sums = table[key]
        return rows[min(np.searchsorted(sums, rng.random()), len(rows) - 1)]

    for _ in range(recipe.steps):
        batch = []
        for some, rows, count in zip((photos, drawn), rows_of, counts, strict=False):
            sizes = np.array([len(own) for own in rows.values()]) ** (1 - recipe.evenness)
            shown = rng.choice(list(rows), count, p=sizes / sizes.sum())
            picked = [rng.choice(rows[label]) for label in shown]
            batch.append((some[picked], by_name[id(some)][picked]))
        chosen = rng.choice(imagenet, counts[2], p=often) - labels.imagenet_start
        noise = recipe.noise * residuals[rng.integers(len(residuals), size=counts[2])]
        borrowed = photos.patches[rng.integers(len(photos.patches), size=counts[2])]
        made = Pictures(
            class_means[chosen] + noise,
            borrowed,
            chosen + labels.imagenet_start,
            np.full(counts[2], -1),
        )
        batch.append((made, names[chosen]))
        features, patches, label, colour = (
            np.concatenate([getattr(some, name) for some, _ in batch])
            for name in ("features", "patches", "label", "colour")
        )
        texts = np.array(
            [
                choose(coloured, (one, tint))
                if tint >= 0 and rng.random() < recipe.coloured
                else choose(plain, one)
                for one, tint in zip(label, colour, strict=True)
            ]
        )
        fit = truth[captions.concept[texts]][:, label].T  # (pictures, captions)
        tint, said = torch.from_numpy(colour)[:, None], torch.from_numpy(captions.colour[texts])
        same = (said < 0) | (said == tint)
        positive = (fit == 1) & same
        told = (said >= 0) & (tint >= 0)
        unknown = (fit == -1) & ~(told & ~same) | (fit == 1) & (said >= 0) & (tint < 0)
        own = torch.eye(len(label), dtype=torch.bool)
        positive, unknown = positive | own, unknown & ~own
        by_names = torch.from_numpy(np.concatenate([one for _, one in batch]))
        some_patches = rng.choice(196, 49, replace=False)
        tokens = towers.tokens(torch.from_numpy(patches), some_patches)
        by, learned, from_colour = model.parts(
            torch.from_numpy(features), by_names, tokens, recipe.dropout
        )
        images = functional.normalize(by + learned + from_colour, dim=1)
        scores = model.log_scale.exp().clamp(max=30) * images @ model.texts(embedded[texts]).T
        scores = scores.masked_fill(unknown, -1e4)
        wanted = positive.float()
        loss = 0.0
        for axis in (0, 1):
            log_share = functional.log_softmax(scores, axis)
            loss = loss - ((wanted * log_share).sum(axis) / wanted.sum(axis)).mean() / 2
        identity_gap = ((model.text.weight - identity) ** 2).sum() / len(identity)
        optimiser.zero_grad()
        (loss + recipe.pull_to_identity * identity_gap).backward()
        optimiser.step()
        schedule.step()
    return model.eval()


@dataclass
class Ranking:
    """The scores of all pictures for some queries, and which pictures are right for each."""

    scores: np.ndarray  # float32 (queries, pictures)
    right: np.ndarray  # bool (queries, pictures)

    def precision(self, k: int = 10, rows=None) -> np.ndarray:
        rows = np.arange(self.scores.shape[1]) if rows is None else rows
        scores, right = self.scores[:, rows], self.right[:, rows]
        top = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        return np.take_along_axis(right, top, axis=1).mean(1)  # (queries,)


def with_interval(statistic, n: int, resamples: int = 500) -> dict[str, float]:
    """Return a figure and its 95% bootstrap interval over the ``n`` pictures."""
    rng = np.random.default_rng(0)
    values = [statistic(rng.integers(n, size=n)) for _ in range(resamples)]
    low, high = np.percentile(values, [2.5, 97.5])
    value = statistic(np.arange(n))
    return {"value": round(float(value), 3), "low": round(low, 3), "high": round(high, 3)}


def query_name(name: str) -> str:
    return QUERY_NAMES.get(name, name)


class Examiner:
    """Scores of photos that no training saw."""

    def __init__(self, towers: Towers, photos: Pictures) -> None:
        self.towers, self.photos = towers, photos

    def images(self, model: Projections | None) -> np.ndarray:
        if model is None:  # plain ConSE: class names as they are, in MiniLM's own space
            logits = self.photos.features @ self.towers.weight.T + self.towers.bias
            found = torch.softmax(torch.from_numpy(logits), 1) @ self.towers.names
            return functional.normalize(found, dim=1).numpy()
        with torch.no_grad():
            by_name = self.towers.by_name(self.photos.features, model.class_texts)
            given = (self.photos.features, by_name, self.photos.patches)
            return model.images(*(torch.from_numpy(one) for one in given)).numpy()

    def texts(self, model: Projections | None, texts: list[str]) -> np.ndarray:
        embedded = self.towers.embed_texts(texts)
        if model is None:
            return embedded
        with torch.no_grad():
            return model.texts(torch.from_numpy(embedded)).numpy()

    def classes(self, model: Projections | None, names=CLASSES) -> Ranking:
        images, scores, right = self.images(model), [], []
        for name in names:
            for form in QUERY_TEMPLATES:
                scores.append(self.texts(model, [form.format(query_name(name))])[0] @ images.T)
                right.append(self.photos.label == CLASSES.index(name))
        return Ranking(np.array(scores), np.array(right))

    def top1(self, model: Projections | None) -> np.ndarray:
        texts = self.texts(model, [f"a photo of a {query_name(name)}" for name in CLASSES])
        return (self.images(model) @ texts.T).argmax(1) == self.photos.label  # (n,)

    def everyday(self, model: Projections | None) -> Ranking:
        images, scores, right = self.images(model), [], []
        for word, names in EVERYDAY.items():
            for form in ("{}", "a photo of {}"):
                scores.append(self.texts(model, [form.format(word)])[0] @ images.T)
                wanted = [CLASSES.index(name) for name in names]
                right.append(np.isin(self.photos.label, wanted))
        return Ranking(np.array(scores), np.array(right))


def banned_words(words) -> set[str]:
    return set().union(*(words_of(word) for word in words)) if words else set()


def colour_figures(model: Projections, examiner: Examiner, labels: Labels) -> dict:
    """Return how well drawings that no training saw are found by colour, and by colour and kind."""
    drawn = examiner.photos
    images = examiner.images(model)
    things = examiner.texts(model, [f"a {name} thing" for name in COLOUR_NAMES]) @ images.T
    by_colour = Ranking(things, drawn.colour == np.arange(len(COLOUR_NAMES))[:, None])
    queries = [(tint, kind) for tint in range(len(COLOUR_NAMES)) for kind in labels.kinds]
    texts = [f"a {COLOUR_NAMES[tint]} {kind}" for tint, kind in queries]
    scores = examiner.texts(model, texts) @ images.T
    tint = np.array([tint for tint, _ in queries])[:, None]
    kind = np.array([labels.kind_start + labels.kinds.index(kind) for _, kind in queries])[:, None]
    figures = {
        "colour alone, precision@10": with_interval(
            lambda rows: by_colour.precision(10, rows).mean(), len(images)
        )
    }
    first_hits = {  # over the queries: a drawing left out of a resample would have no substitute
        "colour": drawn.colour == tint,
        "kind": drawn.label == kind,
        "colour and kind": (drawn.colour == tint) & (drawn.label == kind),
    }
    for name, right in first_hits.items():
        hits = Ranking(scores, right).precision(1)
        figures[f"colour and kind asked for, first hit has the {name}"] = with_interval(
            lambda rows, hits=hits: hits[rows].mean(), len(hits)
        )
    return figures


def photo_colour_figure(model: Projections, examiner: Examiner) -> dict:
    """Return the precision@5 of "red clothes" for colours that at least five photos have."""
    photos = examiner.photos
    tints = [t for t in range(len(COLOUR_NAMES)) if (photos.colour == t).sum() >= 5]
    texts = examiner.texts(model, [f"{COLOUR_NAMES[t]} clothes" for t in tints])
    told = photos.colour >= 0
    ranking = Ranking(
        texts @ examiner.images(model)[told].T, photos.colour[told] == np.array(tints)[:, None]
    )
    return with_interval(lambda rows: ranking.precision(5, rows).mean(), int(told.sum()))


def measure(towers, photos, drawn, validation, test_drawn, labels, recipe, model) -> dict:
    """Train again without some classes or words, and measure all on what was not trained on."""
    examiner = Examiner(towers, validation)
    n = len(validation.label)

    def precision(one: Ranking) -> dict:
        return with_interval(lambda rows: one.precision(10, rows).mean(), n)

    def top1(hits: np.ndarray) -> dict:
        return with_interval(lambda rows: hits[rows].mean(), n)

    conse_classes = examiner.classes(None)
    figures: dict = {
        "all classes and words trained": {
            "class names, precision@10": precision(examiner.classes(model)),
            "zero-shot top-1 of 10 classes": top1(examiner.top1(model)),
            "everyday words, precision@10": precision(examiner.everyday(model)),
            "photos by colour, precision@5": photo_colour_figure(model, examiner),
            "drawings": colour_figures(model, Examiner(towers, test_drawn), labels),
        },
        "ConSE": {
            "class names, precision@10": precision(conse_classes),
            "zero-shot top-1 of 10 classes": top1(examiner.top1(None)),
            "everyday words, precision@10": precision(examiner.everyday(None)),
        },
    }
    print(json.dumps(figures, indent=1), flush=True)
    banned = banned_words(EVERYDAY)
    without = concepts(labels, banned=banned)
    model_without = train(towers, photos, drawn, labels, without, recipe, banned)
    everyday = examiner.everyday(model_without)
    each_word = everyday.precision().reshape(-1, 2).mean(1)
    figures["no caption holds an everyday word"] = {
        "everyday words, precision@10": precision(everyday),
        "class names, precision@10": precision(examiner.classes(model_without)),
        "each word": dict(zip(EVERYDAY, np.round(each_word, 2).tolist(), strict=True)),
    }
    rankings, conse_each = {}, conse_classes.precision().reshape(-1, len(QUERY_TEMPLATES)).mean(1)
    for pair in PAIRS:
        gone = [CLASSES.index(name) for name in pair]
        seen = photos[~np.isin(photos.label, gone)]
        seen_drawn = drawn[~np.isin(labels.group[drawn.label], pair)]
        partial = train(
            towers, seen, seen_drawn, labels, concepts(labels, unseen=pair), recipe
        )
        for name in pair:
            rankings[name] = examiner.classes(partial, [name])
        print(pair, [rankings[name].precision().mean().round(3) for name in pair], flush=True)
    rankings = {name: rankings[name] for name in CLASSES}
    both = Ranking(
        np.concatenate([one.scores for one in rankings.values()]),
        np.concatenate([one.right for one in rankings.values()]),
    )
    figures["classes held out, two at a time"] = {
        "class names, precision@10": precision(both),
        "better than ConSE by": with_interval(
            lambda rows: both.precision(10, rows).mean() - conse_classes.precision(10, rows).mean(),
            n,
        ),
        "each class": {
            name: {"model": round(float(one.precision().mean()), 2), "ConSE": round(float(old), 2)}
            for (name, one), old in zip(rankings.items(), conse_each, strict=True)
        },
    }
    return figures


def main() -> None:
    from safetensors.numpy import save_file

    from simlib.encoders.base import sha256_of

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path, required=True, help="with train/ and validation/")
    parser.add_argument("--scratch", type=Path, required=True, help="where features are kept")
    parser.add_argument("--turns", type=int, default=3, help="drawings of each kind and colour")
    arguments = parser.parse_args()
    torch.set_num_threads(1)

    import drawing

    kinds = {name: set(kind.fitting_labels) for name, kind in drawing.KINDS.items()}
    labels, towers = Labels(kinds), Towers(arguments.scratch)

    def photos_in(part: str) -> Pictures:
        found = towers.read(part, lambda: photos_of(arguments.photos / part))
        colour = [COLOUR_NAMES.index(one) if one else -1 for one in found["facts"][:, 1]]
        label = [CLASSES.index(name) for name in found["facts"][:, 0]]
        return Pictures(found["features"], found["patches"], np.array(label), np.array(colour))

    def drawings_in(name: str, turns: int, seed: int) -> Pictures:
        count = turns * len(kinds) * len(drawing.COLOURS)
        found = towers.read(name, lambda: drawings_of(count, seed))
        label = [labels.kind_start + labels.kinds.index(kind) for kind in found["facts"][:, 0]]
        colour = [COLOUR_NAMES.index(tint) for tint in found["facts"][:, 1]]
        return Pictures(found["features"], found["patches"], np.array(label), np.array(colour))

    photos, validation = photos_in("train"), photos_in("validation")
    drawn = drawings_in("drawings", arguments.turns, seed=1)
    test_drawn = drawings_in("test-drawings", 1, seed=901)
    recipe = Recipe()
    model = train(towers, photos, drawn, labels, concepts(labels), recipe)
    MODELS.mkdir(exist_ok=True)
    path = MODELS / "clip.safetensors"
    save_file(model.shipped(), path, metadata={"made_by": "data/make/train_clip.py"})
    print(f'PROJECTIONS_SHA256 = "{sha256_of(path)}"  # for simlib/encoders/clip_compact.py')
    figures = measure(
        towers, photos, drawn, validation, test_drawn, labels, recipe, model
    )
    results = {"sha256": sha256_of(path), "recipe": recipe.__dict__, "figures": figures}
    text = json.dumps(results, indent=1, ensure_ascii=False) + "\n"
    (MODELS / "clip_results.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
