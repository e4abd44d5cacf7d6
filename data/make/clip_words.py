"""The captions that the compact image-text model is trained on, and the words it is tested with.

Each caption is true of some *labels*: a class of the photos, a kind of drawing, or one of
ImageNet's 1,000 classes. What WordNet says of those comes from ``wordnet_words.json``, which
``captions.py`` makes.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

WORDNET = json.loads(Path(__file__).with_name("wordnet_words.json").read_text(encoding="utf-8"))
SYNONYMS = {
    "dress": [
        *("dress", "summer dress", "party dress", "maxi dress", "evening dress", "frock", "gown"),
        *("sundress", "cocktail dress", "wrap dress", "shift dress", "midi dress", "ball gown"),
        *("one-piece garment for women", "dress with straps", "long dress", "short dress"),
    ],
    "hat": [
        *("hat", "cap", "baseball cap", "beanie", "woolly hat", "sun hat", "headwear", "headgear"),
        *("bucket hat", "bobble hat", "straw hat", "knitted hat", "fedora", "trilby", "beret"),
        *("peaked cap", "snapback", "bonnet", "hat with a brim", "panama hat", "flat cap"),
    ],
    "longsleeve": [
        *("long-sleeved top", "longsleeve", "long-sleeved shirt", "long sleeve t-shirt", "sweater"),
        *("jumper", "pullover", "sweatshirt", "knitwear", "hoodie", "cardigan", "turtleneck"),
        *("polo neck", "crewneck sweatshirt", "fleece", "knitted top", "woollen top"),
        *("thermal top", "top with long sleeves", "hooded sweatshirt", "cashmere jumper"),
        *("pull-on", "woolly"),
    ],
    "outwear": [
        *("outerwear", "jacket", "coat", "outwear", "winter coat", "rain jacket", "parka"),
        *("blazer", "windbreaker", "something to wear over the other clothes", "raincoat"),
        *("anorak", "overcoat", "leather jacket", "denim jacket", "bomber jacket", "down jacket"),
        *("puffer", "trench coat", "windcheater", "sports jacket", "suit jacket", "fleece jacket"),
        *("duffel",),
    ],
    "pants": [
        *("pants", "trousers", "jeans", "chinos", "slacks", "leggings", "joggers", "long pants"),
        *("sweatpants", "cargo pants", "corduroys", "khakis", "denims", "tights", "yoga pants"),
        *("tracksuit bottoms", "skinny jeans", "suit trousers", "capri pants", "legwear"),
    ],
    "shirt": [
        *("shirt", "blouse", "button-up shirt", "dress shirt", "collared shirt", "plaid shirt"),
        *("button-down", "flannel shirt", "office shirt", "oxford shirt", "checked shirt"),
        *("shirt with buttons", "linen shirt", "shirt with a collar", "business shirt"),
        *("women's blouse", "button-up"),
    ],
    "shoes": [
        *("shoes", "sneakers", "trainers", "boots", "footwear", "pair of shoes", "running shoes"),
        *("high heels", "sandals", "loafers", "heels", "slippers", "flip-flops", "pumps"),
        *("moccasins", "stilettos", "ballet flats", "sports shoes", "leather shoes", "brogues"),
        *("plimsolls", "ankle boots", "wellingtons", "football boots", "lace-ups", "kicks"),
    ],
    "shorts": [
        *("shorts", "short pants", "bermudas", "sports shorts", "denim shorts", "beach shorts"),
        *("bermuda shorts", "swim shorts", "board shorts", "cut-offs", "hot pants", "trunks"),
        *("running shorts", "cycling shorts", "short trousers", "swimming trunks"),
    ],
    "skirt": [
        *("skirt", "miniskirt", "pleated skirt", "long skirt", "pencil skirt", "denim skirt"),
        *("kilt", "tutu", "maxi skirt", "midi skirt", "wrap skirt", "A-line skirt", "sarong"),
        *("mini skirt", "tartan skirt"),
    ],
    "t-shirt": [
        *("t-shirt", "tee", "tee shirt", "short-sleeved t-shirt", "printed t-shirt", "T shirt"),
        *("graphic tee", "crew neck tee", "V-neck", "jersey"),
        *("undershirt", "band tee", "sports jersey"),
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
# The class that a kind of drawing belongs to; "clothing" is no class of the photos but near to all.
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

# Everyday words that a shopper types, with the class that they name, and harder ones: British, rare
# or ambiguous. Both are also measured after trainings whose captions do not contain them.
EVERYDAY = {
    **dict.fromkeys(["sneakers", "trainers", "boots", "sandals", "heels"], "shoes"),
    **dict.fromkeys(["sweater", "pullover", "hoodie"], "longsleeve"),
    **dict.fromkeys(["cap", "beanie"], "hat"),
    **dict.fromkeys(["jeans", "trousers", "leggings"], "pants"),
    **dict.fromkeys(["jacket", "coat", "raincoat"], "outwear"),
    **{"blouse": "shirt", "gown": "dress", "miniskirt": "skirt", "tee": "t-shirt"},
}
HARDER = {
    **dict.fromkeys(["sneakers", "trainers", "boots", "footwear", "heels"], "shoes"),
    **dict.fromkeys(["jumper", "pullover", "sweater"], "longsleeve"),
    **dict.fromkeys(["blouse", "button-up"], "shirt"),
    **dict.fromkeys(["cap", "beanie", "headwear"], "hat"),
    **dict.fromkeys(["trousers", "slacks", "chinos", "leggings"], "pants"),
    **dict.fromkeys(["jacket", "coat", "parka", "blazer"], "outwear"),
    **dict.fromkeys(["sundress", "frock"], "dress"),
    **{"tee": "t-shirt", "bermudas": "shorts", "kilt": "skirt"},
}
PAIRS = [  # classes held out together, so that each is unseen once
    ("dress", "hat"),
    ("longsleeve", "outwear"),
    ("pants", "shirt"),
    ("shoes", "shorts"),
    ("skirt", "t-shirt"),
]
QUERY_NAMES = {"longsleeve": "long-sleeved top", "outwear": "outerwear"}
QUERY_TEMPLATES = ["{}", "a photo of a {}", "a picture of a {}"]


def words_of(text: str) -> set[str]:
    """Return the words of a text in lower case, without a plural s, and the parts of compounds.

    >>> sorted(words_of("Button-up shirts"))
    ['button', 'button-up', 'shirt', 'up']
    """
    found = set(re.findall(r"[a-z]+(?:-[a-z]+)*", text.lower()))
    found |= {part for word in found for part in word.split("-")}
    return {word[:-1] if word.endswith("s") and not word.endswith("ss") else word for word in found}


def in_batches(texts: set[str]) -> list[str]:
    """Return texts of like length side by side, in an order that is the same in every process.

    A text's vector depends a little on the batch that it is read in.

    >>> in_batches({"hat", "a cap", "cap"})
    ['cap', 'hat', 'a cap']
    """
    return sorted(texts, key=lambda text: (len(text), text))


def banned_words(words) -> frozenset[str]:
    return frozenset().union(*(words_of(word) for word in words))


def holds(text: str, banned: frozenset[str]) -> bool:
    """Return whether the text contains a banned word, by itself or (from four letters) in another.

    >>> holds("a waterproof raincoat", frozenset({"coat"})), holds("a cape", frozenset({"cap"}))
    (True, False)
    """
    words = words_of(text)
    return bool(words & banned) or any(
        len(one) > 3 and one in word for one in banned for word in words
    )


@dataclass
class Concept:
    """Captions that mean the same, and the labels of the pictures that they are true of."""

    texts: list[str]
    labels: set[int]
    weight: float
    colourable: bool = False
    vague: bool = False  # may be true of other clothes, too: is a jersey a "shirt"?


class Labels:
    """What a picture can show: a class of the photos, a kind of drawing, or one of ImageNet's."""

    def __init__(self, kinds: dict[str, set[str]]) -> None:
        self.names = (
            CLASSES
            + [f"drawn {kind}" for kind in kinds]
            + [one["words"][0] for one in WORDNET["imagenet"]]
        )
        self.kind_start, self.imagenet_start = 10, 10 + len(kinds)
        self.kinds = list(kinds)
        group: list[str | None] = CLASSES + [CLASS_OF_KIND.get(kind) for kind in kinds]
        group += [one["class"] for one in WORDNET["imagenet"]]
        self.group = np.array([name or "" for name in group])
        clothes = self.group != ""
        any_clothing = self.group == "clothing"
        # Pictures of different labels may show the same: same class, or clothes of no class.
        self.akin = clothes[:, None] & (self.group[:, None] == self.group)
        self.akin |= clothes & clothes[:, None] & (any_clothing | any_clothing[:, None])
        for place, fitting in enumerate(kinds.values()):
            for index, one in enumerate(WORDNET["imagenet"]):
                if fitting & set(one["words"]):
                    first, second = self.kind_start + place, self.imagenet_start + index
                    self.akin[first, second] = self.akin[second, first] = True

        # Which of ImageNet's classes are clothes, or something that a drawing can show.
        start = self.imagenet_start
        self.is_product = (self.group[start:] != "") | self.akin[:start, start:].any(0)  # (1000,)

    def of_group(self, groups) -> set[int]:
        return {label for label, name in enumerate(self.group) if name in groups}


def concepts(
    labels: Labels, unseen: tuple[str, ...] = (), banned: frozenset[str] = frozenset()
) -> list[Concept]:
    """Return all captions but those with a banned word and those written for ``unseen`` classes.

    What WordNet says of ImageNet's classes was not written for a class of the photos, and stays.
    """
    result = []

    def add(texts, true_of, weight, colourable=False, vague=False):
        texts = [text for text in dict.fromkeys(texts) if not holds(text, banned)]
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
        # The photos teach the names of their classes better than "a jersey is a shirt" does.
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
