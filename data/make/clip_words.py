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
    "hat": ["hat", "headwear", "headgear", "beret", "bonnet"],
    "longsleeve": [
        "long-sleeved top",
        "longsleeve",
        "long-sleeved shirt",
        "turtleneck",
        "polo neck",
    ],
    "outwear": [
        *("outerwear", "outwear", "something to wear over the other clothes"),
        *("blazer", "suit jacket"),
    ],
    "pants": ["pants", "trousers", "long pants", "legwear"],
    "shirt": ["shirt"],
    "shoes": ["shoes", "footwear", "pair of shoes", "leather shoes"],
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
# What is said of some kinds of a class only. Which kind a photo shows stands in photo_kinds.csv.
SYNONYMS_OF_KINDS: dict[str, dict[str, list[str]]] = {
    "hat": {
        "cap": ["cap", "baseball cap", "peaked cap", "snapback", "flat cap"],
        "beanie": ["beanie", "woolly hat", "bobble hat", "knitted hat"],
        "brimmed hat": [
            *("hat with a brim", "sun hat", "straw hat", "bucket hat", "fedora", "trilby"),
            *("panama hat",),
        ],
    },
    "longsleeve": {
        "sweater": ["sweater", "jumper", "cashmere jumper", "woollen top", "woolly"],
        "sweater, sweatshirt, hoodie": ["pullover", "pull-on"],
        "sweater, cardigan": ["knitwear", "knitted top"],
        "cardigan": ["cardigan"],
        "sweatshirt, hoodie": ["sweatshirt", "fleece", "hoodie", "hooded sweatshirt"],
        "sweatshirt": ["crewneck sweatshirt"],
        "long-sleeved tee": ["long sleeve t-shirt", "thermal top", "top with long sleeves"],
    },
    "outwear": {
        "coat": ["coat", "overcoat", "trench coat", "duffel"],
        "coat, jacket": ["winter coat", "parka", "raincoat", "anorak", "puffer"],
        "jacket": [
            *("jacket", "rain jacket", "windbreaker", "leather jacket", "denim jacket"),
            *("bomber jacket", "down jacket", "windcheater", "sports jacket", "fleece jacket"),
        ],
        "waistcoat": ["waistcoat", "gilet", "sleeveless jacket"],
    },
    "pants": {
        "jeans": ["jeans", "denims", "skinny jeans"],
        "trousers": [
            *("slacks", "chinos", "cargo pants", "corduroys", "khakis", "suit trousers"),
            *("capri pants",),
        ],
        "joggers": ["joggers", "sweatpants", "tracksuit bottoms"],
        "leggings": ["leggings", "tights", "yoga pants"],
    },
    "shirt": {
        "blouse": ["blouse", "women's blouse"],
        "long-sleeved shirt": ["shirt with long sleeves"],
        "short-sleeved shirt": ["short-sleeved shirt"],
        "long-sleeved shirt, short-sleeved shirt": [
            *("button-up shirt", "dress shirt", "collared shirt", "plaid shirt", "button-down"),
            *("flannel shirt", "office shirt", "oxford shirt", "checked shirt", "linen shirt"),
            *("shirt with buttons", "shirt with a collar", "business shirt", "button-up"),
        ],
    },
    "shoes": {
        "sneaker": [
            *("sneakers", "trainers", "running shoes", "sports shoes", "plimsolls"),
            *("football boots", "kicks"),
        ],
        "boot": ["boots", "ankle boots", "wellingtons"],
        "sandal": ["sandals", "flip-flops"],
        "heel": ["high heels", "heels", "pumps", "stilettos"],
        "flat": ["loafers", "moccasins", "ballet flats", "brogues", "lace-ups"],
        "slipper": ["slippers"],
    },
}
# Kinds that shops and shoppers call by each other's names: a word for one may be true of the other.
NOT_TOLD_APART = [
    *({"coat", "jacket"}, {"sweater", "sweatshirt"}, {"sweater", "cardigan"}),
    *({"sweatshirt", "hoodie"}, {"sandal", "slipper"}, {"sandal", "heel"}, {"boot", "heel"}),
    *({"flat", "slipper"}, {"blouse", "long-sleeved shirt"}, {"blouse", "short-sleeved shirt"}),
]
# The kind that a drawing or one of ImageNet's classes shows, by its name.
KIND_OF_NAME = {
    **{"sneaker": "sneaker", "running shoe": "sneaker", "boot": "boot", "cowboy boot": "boot"},
    **{"sandal": "sandal", "high heel": "heel", "loafer": "flat", "Loafer": "flat"},
    **{"clog": "slipper", "trench coat": "coat", "fur coat": "coat", "lab coat": "coat"},
    **{"cardigan": "cardigan", "sweatshirt": "sweatshirt", "jeans": "jeans", "jean": "jeans"},
    **{"cowboy hat": "brimmed hat", "sombrero": "brimmed hat"},
}
CLASSES = list(SYNONYMS)
KINDS = {  # each kind of a photo, and its class
    kind: name
    for name, of_kinds in SYNONYMS_OF_KINDS.items()
    for kinds in of_kinds
    for kind in kinds.split(", ")
}
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
    """What a picture can show: a class or kind of the photos, a kind of drawing, an ImageNet class.

    ``group`` is the class of the photos that each belongs to, and ``kind`` the kind of it; both are
    "" where there is none.
    """

    def __init__(self, kinds: dict[str, set[str]]) -> None:
        of_imagenet = [one["words"][0] for one in WORDNET["imagenet"]]
        self.names = [*CLASSES, *KINDS, *(f"drawn {kind}" for kind in kinds), *of_imagenet]
        self.kind_start = len(CLASSES) + len(KINDS)
        self.imagenet_start = self.kind_start + len(kinds)
        self.kinds = list(kinds)
        group: list[str | None] = [*CLASSES, *KINDS.values()]
        group += [CLASS_OF_KIND.get(kind) for kind in kinds]
        group += [one["class"] for one in WORDNET["imagenet"]]
        self.group = np.array([name or "" for name in group])
        named = [KIND_OF_NAME.get(name, "") for name in (*kinds, *of_imagenet)]
        self.kind = np.array([""] * len(CLASSES) + [*KINDS, *named])
        clothes = self.group != ""
        any_clothing = self.group == "clothing"
        # Pictures of different labels may show the same: same class, or clothes of no class.
        self.akin = clothes[:, None] & (self.group[:, None] == self.group)
        self.akin |= clothes & clothes[:, None] & (any_clothing | any_clothing[:, None])
        self.of_one_class = self.akin.copy()
        told = (self.kind != "") & (self.kind[:, None] != "") & (self.kind != self.kind[:, None])
        for pair in NOT_TOLD_APART:
            either = np.isin(self.kind, list(pair))
            told &= ~(either & either[:, None])
        self.akin &= ~told
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

    def of_kinds(self, kinds: str) -> set[int]:
        """Return what shows one of these kinds, "sweater, cardigan"."""
        some = kinds.split(", ")
        return {label for label, name in enumerate(self.kind) if name in some}


def synonyms(unseen: tuple[str, ...] = ()) -> list[str]:
    """Return all words for the classes of the photos and their kinds, but the ``unseen`` ones."""
    seen = [name for name in CLASSES if name not in unseen]
    lists = [SYNONYMS[name] for name in seen]
    lists += [words for name in seen for words in SYNONYMS_OF_KINDS.get(name, {}).values()]
    return [word for words in lists for word in words]


def wordnet_by_kinds(name: str) -> dict[str, list[str]]:
    """Return WordNet's words for a class by the kinds that they are true of, "" for all.

    The last word tells: a cowboy boot is a boot.

    >>> wordnet_by_kinds("longsleeve")
    {'cardigan': ['cardigan'], 'sweater, sweatshirt, hoodie': ['pullover'], '': ['slipover'], ...}
    """
    kinds_of = {
        word: kinds
        for kinds, texts in SYNONYMS_OF_KINDS.get(name, {}).items()
        for text in texts
        for word in words_of(text)
        if text.isalpha()
    }
    found: dict[str, list[str]] = {}
    for text in WORDNET["classes"][name]:
        (last,) = words_of(re.findall("[a-z]+", text.lower())[-1])
        found.setdefault(kinds_of.get(last, ""), []).append(text)
    return found


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
            by_kinds = wordnet_by_kinds(name)
            add(by_kinds.pop("", []), labels.of_group([name]), 0.4)
            for kinds, texts in SYNONYMS_OF_KINDS.get(name, {}).items():
                add(texts, labels.of_kinds(kinds), 2.0, colourable=True)
            for kinds, texts in by_kinds.items():
                add(texts, labels.of_kinds(kinds), 0.2)
    for text, members in GROUPS.items():
        if not set(members) & set(unseen):
            add([text], labels.of_group(members), 0.1)
    for place, kind in enumerate(labels.kinds):
        if CLASS_OF_KIND.get(kind) not in unseen:
            label = labels.kind_start + place
            add([kind, *MORE_WORDS_FOR_KIND.get(kind, [])], {label}, 1.0, colourable=True)
    taught = set(synonyms(unseen))
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
    sibling: np.ndarray = None  # whether a caption is of another kind of the label's class

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
        sibling = np.zeros(truth.shape, dtype=bool)
        for number, one in enumerate(all_concepts):
            members = sorted(one.labels)
            sibling[number] = labels.of_one_class[members].any(0)
            unknown = labels.akin[members].any(0) | (one.vague & (labels.group != ""))
            truth[number] = -unknown.astype(np.int8)
            truth[number, members] = 1
        truth[-1] = 1
        sibling &= truth == 0
        return cls(
            list(texts), np.array(concept), np.array(colour), np.array(weight), truth, sibling
        )
