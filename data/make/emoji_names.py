"""What Unicode calls its emoji in eight languages: general words with their translations.

    npm pack cldr-annotations-full@48.2.0 && tar xzf cldr-annotations-full-48.2.0.tgz
    python data/make/emoji_names.py package/annotations

writes ``emoji_names.csv``, from which ``train_multilingual.py`` learns general words. The names
are those of the Unicode Common Locale Data Repository, under ``UNICODE-LICENSE.txt``. Left out is
what a calibration or a measurement asks for in any of the languages: those words are to be as new
to the model as the ones that people will type.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import sys
import unicodedata
from pathlib import Path

from translations import LANGUAGES, same_script

ROOT = Path(__file__).resolve().parents[2]
TABLE = Path(__file__).with_name("emoji_names.csv")
GENERAL_WORDS = ROOT / "data" / "general_words.csv"
FIRST_PICTURE = 0x1F000  # the signs before it are arrows, brackets and the like, but for a few
ARTICLE = re.compile(
    r"^(?:an?|the|some|une?|unos|unas|el|la|los|las|des|du|de la|eine?|einen|das|der|die|le|les|"
    r"یک|一个|一只|一張|一张) |^(?:de )?l'",
    re.IGNORECASE,
)


def names_in(folder: Path, language: str) -> dict[str, str]:
    """Return the name of each emoji in a language."""
    text = (folder / language / "annotations.json").read_text(encoding="utf-8")
    of_sign = json.loads(text)["annotations"]["annotations"]
    return {sign: about["tts"][0] for sign, about in of_sign.items() if about.get("tts")}


def without_article(text: str) -> str:
    """Return a text as it is compared: in one script, in lower case, without its article.

    >>> without_article("Eine Posaune"), without_article("l'église")
    ('posaune', 'église')
    """
    text = unicodedata.normalize("NFC", same_script(text)).lower().replace("’", "'")
    return ARTICLE.sub("", text)


def asked_for() -> dict[str, set[str]]:
    """Return the words of the calibration and of ``benchmarks/nothing_fits.py``, by language."""
    sys.path.insert(0, str(ROOT / "benchmarks"))
    from nothing_fits import ABSENT, ABSENT_IN, listed

    found = {language: set(listed(words)) for language, words in ABSENT_IN.items()}
    found["en"] = set(listed(ABSENT))
    found["zh-Hant"] = set(found["zh"])
    with GENERAL_WORDS.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found["en"].add(row["word"])
            for language in LANGUAGES:
                found[language].add(row.get(language) or "")
    return {
        language: {without_article(word) for word in words if word}
        for language, words in found.items()
    }


def is_asked_for(name: str, language: str, words: set[str]) -> bool:
    """Return whether a name has one of the words in it, as a word where the language has spaces.

    >>> is_asked_for("red apples", "en", {"apple"}), is_asked_for("pineapple", "en", {"apple"})
    (True, False)
    >>> is_asked_for("绿苹果", "zh", {"苹果"})
    True
    """
    name = without_article(name)
    if language in ("zh", "zh-Hant", "ja"):
        return any(word in name for word in words)
    return any(re.search(rf"\b{re.escape(word)}(?:s|es|e|n|en)?\b", name) for word in words)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="the folder annotations/ of the package")
    arguments = parser.parse_args()
    languages = ["en", *LANGUAGES]
    names = {language: names_in(arguments.folder, language) for language in languages}
    words = asked_for()
    kept: dict[str, list[str]] = {}  # by its English name
    for sign, name in names["en"].items():
        row = [names[language].get(sign, "") for language in languages]
        asked = any(
            is_asked_for(one, language, words[language])
            for language, one in zip(languages, row, strict=True)
        )
        if ord(sign[0]) >= FIRST_PICTURE and not asked:
            kept.setdefault(name, row)
    with TABLE.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([languages, *kept.values()])
    print(f"{len(kept)} of {len(names['en'])} names kept")


if __name__ == "__main__":
    main()
