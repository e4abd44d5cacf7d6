"""Extract from WordNet 3.0 what it says of ImageNet's classes and of clothes.

    apt-get download wordnet-base && dpkg -x wordnet-base*.deb wordnet
    python data/make/captions.py wordnet/usr/share/wordnet

writes ``wordnet_words.json``, from which ``clip_words.py`` makes captions. WordNet 3.0 is Copyright
2006 by Princeton University; its licence is ``WORDNET-LICENSE.txt`` beside this file.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from timm.data import ImageNetInfo

RESULT = Path(__file__).with_name("wordnet_words.json")
# The synsets that a class of the photos is below, and those among their hyponyms that are not it.
BELOW = {
    "dress": ["03236735"],
    "hat": ["03502509"],
    "longsleeve": ["04370048"],
    "outwear": ["03863923", "03057021"],
    "pants": ["04489008"],
    "shirt": ["04197391", "02854926"],
    "shoes": ["03380867", "03381126"],
    "shorts": ["04205318"],
    "skirt": ["04230808"],
    "t-shirt": ["03595614"],
}
NOT_BELOW = {"03540267"}  # hosiery: WordNet calls it footwear
CLOTHING = ["03051540", "03381126", "03380867", "02728440"]
TOO_GENERAL = {"entity", "physical entity", "object", "whole", "artifact", "abstraction", "unit"}


def read_nouns(folder: Path) -> tuple[dict[str, dict], dict[str, list[str]]]:
    """Return the words, hypernyms and gloss of each noun synset, and its hyponyms (wndb(5WN))."""
    nouns: dict[str, dict] = {}
    hyponyms: dict[str, list[str]] = {}
    for line in (folder / "data.noun").read_text(encoding="ascii").splitlines():
        if line.startswith("  "):
            continue  # the licence
        fields, _, gloss = line.partition(" | ")
        parts = fields.split()
        count = int(parts[3], 16)
        words = [word.replace("_", " ") for word in parts[4 : 4 + 2 * count : 2]]
        pointers = parts[5 + 2 * count :]
        above = [
            pointers[place + 1]
            for place in range(0, 4 * int(parts[4 + 2 * count]), 4)
            if pointers[place] == "@"
        ]
        meaning = gloss.split(";")[0].split('"')[0].strip()
        nouns[parts[0]] = {"words": words, "above": above, "gloss": meaning}
        for synset in above:
            hyponyms.setdefault(synset, []).append(parts[0])
    return nouns, hyponyms


def closure(starts: list[str], next_of) -> list[str]:
    """Return ``starts`` and the synsets reached from them, nearest first."""
    reached = list(starts)
    for synset in reached:
        reached += [other for other in next_of(synset) if other not in reached]
    return reached


def main(folder: Path) -> None:
    nouns, hyponyms = read_nouns(folder)
    below = {
        name: closure(
            roots, lambda one: [low for low in hyponyms.get(one, []) if low not in NOT_BELOW]
        )
        for name, roots in BELOW.items()
    }
    own = {  # a synset below two classes belongs to the narrower: jerseys are t-shirts, not shirts
        name: [
            synset
            for synset in synsets
            if not any(
                synset in below[other] and len(below[other]) < len(synsets)
                for other in below
                if other != name
            )
        ]
        for name, synsets in below.items()
    }
    clothing = set(closure(CLOTHING, lambda synset: hyponyms.get(synset, [])))
    imagenet = []
    info = ImageNetInfo("imagenet-1k")
    for index in range(info.num_classes()):
        synset = info.index_to_label_name(index)[1:]  # n02119789 is offset 02119789
        above = closure(nouns[synset]["above"], lambda one: nouns[one]["above"])
        owner = [name for name, synsets in own.items() if synset in synsets]
        imagenet.append(
            {
                "words": nouns[synset]["words"],
                "gloss": nouns[synset]["gloss"],
                "above": [
                    nouns[one]["words"][:3]
                    for one in above
                    if nouns[one]["words"][0] not in TOO_GENERAL
                ],
                "class": owner[0] if owner else ("clothing" if synset in clothing else None),
            }
        )
    words = {
        name: {word for one in synsets for word in nouns[one]["words"]}
        for name, synsets in own.items()
    }
    classes = {  # without words that two classes share, such as "jumper"
        name: sorted(word for word in mine if sum(word in some for some in words.values()) == 1)
        for name, mine in words.items()
    }
    lines = ",\n".join(json.dumps(one) for one in imagenet)
    text = f'{{"classes": {json.dumps(classes)},\n"imagenet": [\n{lines}\n]}}\n'
    RESULT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
