"""What one wears and carries, in six other languages: the words, and captions made of them.

``translations/<language>.csv`` has, for each of 335 English terms, the words that a shop or its
customers use: the usual one first, then synonyms and regional ones, such as ``chamarra`` (Mexico)
and ``campera`` (Argentina) for a jacket. They were written for this project and are there to be
read and corrected. Spanish, French and German nouns carry their gender, ``Handtasche/f``, or
``mp``, ``fp`` and ``p`` for a plural; Spanish and French adjectives their four forms, unless they
never change. Captions are put together from them by each language's own grammar.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).with_suffix("")
LANGUAGES = {
    "zh": "Chinese",
    "fa": "Persian",
    "es": "Spanish",
    "fr": "French",
    "de": "German",
    "ja": "Japanese",
}
NOUNS = ("garment", "shoes", "bag", "jewellery", "accessory")
KINDS = (*NOUNS, "colour", "pattern", "material", "cut")
GENDERS = {"es": ("m", "f", "mp", "fp"), "fr": ("m", "f", "mp", "fp"), "de": ("m", "f", "n", "p")}

# {} is the noun, {a} the noun with its indefinite article.
PLAIN = {
    "en": ("{}", "a photo of {a}", "a picture of {a}", "{} for sale"),
    "zh": ("{}", "一张{}的照片", "{}的图片", "出售{}"),
    "fa": ("{}", "عکس {}", "تصویر {}", "فروش {}"),
    "es": ("{}", "una foto de {a}", "una imagen de {a}", "se vende {}"),
    "fr": ("{}", "une photo d'{a}", "une image d'{a}", "{} à vendre"),
    "de": ("{}", "ein Foto von {a}", "ein Bild von {a}", "{} zu verkaufen"),
    "ja": ("{}", "{}の写真", "{}の画像", "販売中の{}"),
}
# {n} is the noun, {c} a colour that agrees with it, {a} both with the article.
COLOURED = {
    "en": ("{c} {n}", "a photo of {a}"),
    "zh": ("{c}{n}", "一张{c}{n}的照片"),
    "fa": ("{n} {c}", "عکس {n} {c}"),
    "es": ("{n} {c}", "una foto de {a}"),
    "fr": ("{n} {c}", "une photo d'{a}"),
    "de": ("{c} {n}", "ein Foto von {a}"),
    "ja": ("{c}の{n}", "{c}の{n}の写真"),
}
MADE_OF = {
    "en": "{m} {n}",
    "zh": "{m}{n}",
    "fa": "{n} {m}",
    "es": "{n} de {m}",
    "fr": "{n} en {m}",
    "de": "{n} aus {m}",
    "ja": "{m}の{n}",
}
# How "an orange thing" is said: true of all that has the colour.
THING = {
    "en": "thing",
    "zh": "东西",
    "fa": "چیز",
    "es": "cosa/f",
    "fr": "chose/f",
    "de": "Sache/f",
    "ja": "もの",
}
ARTICLES = {
    "es": {"m": "un ", "f": "una ", "mp": "unos ", "fp": "unas "},
    "fr": {"m": "un ", "f": "une ", "mp": "de ", "fp": "de "},
    "de": {"m": "einem ", "f": "einer ", "n": "einem ", "p": ""},  # the dative, after "von"
}
# German adjectives: after no article, and in the dative after "einem", "einer" or, in the plural,
# no article.
STRONG = {"m": "er", "f": "e", "n": "es", "p": "e"}
DATIVE = {"m": "en", "f": "en", "n": "en", "p": "en"}
UNCHANGED = {"lila", "rosa", "pink", "orange", "beige"}
NEED_FARBEN = {"anthrazit", "creme", "türkis"}  # before a noun: "türkisfarben"
JAPANESE_NA = ("カラフル", "クリア", "透明")  # joined to their noun by "な", not by "の"
# The twelve that the compact model was trained for; captions name them as often as all others.
MAIN_COLOURS = (
    *("black", "white", "grey", "red", "orange", "yellow"),
    *("green", "blue", "purple", "pink", "brown", "beige"),
)


class Term(NamedTuple):
    """An English term and the words for it in one language."""

    english: str
    kind: str
    words: tuple[str, ...]


class Caption(NamedTuple):
    """A caption, what it says in English, and the words of the lists that it is made of."""

    text: str
    english: str
    words: frozenset[str]


def terms(language: str) -> list[Term]:
    """Return the terms with their words in a language, as the file has them."""
    with open(FOLDER / f"{language}.csv", encoding="utf-8", newline="") as file:
        return [
            Term(row["english"], row["kind"], tuple(row["words"].split("; ")))
            for row in csv.DictReader(file)
        ]


def parts_of(word: str, language: str, kind: str) -> tuple[str, str]:
    """Return a noun and its gender, which is empty where the language or the kind has none.

    >>> parts_of("Handtasche/f", "de", "bag"), parts_of("包", "zh", "bag")
    (('Handtasche', 'f'), ('包', ''))
    """
    if kind in NOUNS and language in GENDERS:
        noun, _, gender = word.rpartition("/")
        return noun, gender
    return word, ""


def agreeing(adjective: str, gender: str, language: str, case: str = "") -> str:
    """Return an adjective in the form that its noun demands.

    >>> agreeing("blanc/blanche/blancs/blanches", "f", "fr"), agreeing("rot", "n", "de")
    ('blanche', 'rotes')
    """
    if language == "de":
        if adjective in UNCHANGED or " " in adjective:
            return adjective
        if adjective in NEED_FARBEN:
            adjective += "farben"
        ending = (DATIVE if case == "dative" else STRONG)[gender]
        if adjective.endswith("e"):
            adjective = adjective[:-1]
        return adjective + ending
    forms = adjective.split("/")
    if len(forms) == 1:
        return adjective
    return forms[("m", "f", "mp", "fp").index(gender)]


def with_article(noun: str, gender: str, language: str, english_plural: bool = False) -> str:
    """Return a noun behind the article that the templates need.

    >>> with_article("robe", "f", "fr"), with_article("dress", "", "en")
    ('une robe', 'a dress')
    """
    if language == "en":
        if english_plural:
            return noun
        vowel = noun[0] in "aeiou" and not noun.startswith("uni")
        return f"{'an' if vowel else 'a'} {noun}"
    if language == "de":
        noun = dative(noun, gender)
    article = ARTICLES[language][gender] if language in ARTICLES else ""
    return article + noun


def dative(noun: str, gender: str) -> str:
    """Return a German noun as it stands after "von einem", "von einer" or "von".

    >>> dative("langes Kleid", "n"), dative("Stiefel", "p"), dative("Hosen", "p")
    ('langen Kleid', 'Stiefeln', 'Hosen')
    """
    words = noun.split(" ")
    for place, word in enumerate(words[:-1]):
        if word[0].islower() and word.endswith(("es", "er", "e")):
            words[place] = word.rstrip("rs") + "n"
    if gender == "p" and words[-1].endswith(("e", "er", "el")):
        words[-1] += "n"
    return " ".join(words)


def is_english_plural(term: str) -> bool:
    """Return whether an English term takes no article: "shoes", "knitwear".

    >>> [is_english_plural(term) for term in ("jeans", "sari", "dress", "sportswear")]
    [True, False, False, True]
    """
    plural = term.endswith("s") and not term.endswith("ss")
    return plural or term.endswith(("wear", "clothing", "jewellery", "luggage"))


def elided(text: str) -> str:
    """Return French without the "d'" that a template has before a plural's "de".

    >>> elided("une photo d'de bottes"), elided("une photo d'une robe")
    ('une photo de bottes', "une photo d'une robe")
    """
    return text.replace("d'de ", "de ")


def plain(word: str, language: str, kind: str, form: str, english_plural: bool = False) -> str:
    """Return the caption of a noun by one of the templates ``PLAIN[language]``.

    >>> plain("botas/fp", "es", "shoes", PLAIN["es"][1])
    'una foto de unas botas'
    """
    noun, gender = parts_of(word, language, kind)
    if kind not in NOUNS:
        return noun
    if language == "es" and gender in ("mp", "fp"):
        form = form.replace("se vende ", "se venden ")
    text = form.format(noun, a=with_article(noun, gender, language, english_plural))
    return elided(text) if language == "fr" else text


def coloured(
    word: str, colour: str, language: str, kind: str, form: str, english_plural: bool = False
) -> str:
    """Return the caption of a noun and a colour, or another adjective of the lists.

    >>> coloured("Handtasche/f", "rot", "de", "bag", COLOURED["de"][1])
    'ein Foto von einer roten Handtasche'
    >>> coloured("zapatos/mp", "rojo/roja/rojos/rojas", "es", "shoes", COLOURED["es"][0])
    'zapatos rojos'
    """
    noun, gender = parts_of(word, language, kind)
    if language == "ja" and colour.endswith("い"):  # "赤い" is an adjective as it stands
        form = form.replace("{c}の", "{c}")
    if language == "ja" and colour in JAPANESE_NA:
        form = form.replace("{c}の", "{c}な")
    said = agreeing(colour, gender, language) if gender else colour
    if "{a}" not in form:
        return form.format(n=noun, c=said)
    if language == "de":
        said, noun = agreeing(colour, gender, language, "dative"), dative(noun, gender)
    before = language in ("de", "en")
    both = f"{said} {noun}" if before else f"{noun} {said}"
    text = form.format(a=with_article(both, gender, language, english_plural))
    return elided(text) if language == "fr" else text


def made_of(word: str, material: str, language: str, kind: str) -> str:
    """Return the caption of a noun and what it is made of.

    >>> made_of("bolso/m", "cuero", "es", "bag")
    'bolso de cuero'
    """
    noun, _ = parts_of(word, language, kind)
    return MADE_OF[language].format(n=noun, m=material)


def bare(word: str, language: str, kind: str) -> str:
    """Return a word of the lists as it is searched for: without its gender, in its first form.

    >>> bare("noir/noire/noirs/noires", "fr", "colour"), bare("Rock/m", "de", "garment")
    ('noir', 'Rock')
    """
    if kind in NOUNS:
        return parts_of(word, language, kind)[0]
    return word.split("/")[0]


def captions(
    language: str, colours_a_word: int = 2, materials_a_word: float = 0.25
) -> Iterator[Caption]:
    """Yield captions in a language: words by themselves, in phrases, with colours and materials.

    Which colours and materials a noun is said with goes in turn, so that all are said as often.
    """
    every = terms(language)
    colours = [term for term in every if term.kind == "colour"]
    main = in_turn([term for term in colours if term.english in MAIN_COLOURS])
    others = in_turn([term for term in colours if term.english not in MAIN_COLOURS])
    materials = in_turn([term for term in every if term.kind == "material"])
    words_so_far = 0
    for term in every:
        plural = is_english_plural(term.english)
        for word in term.words:
            own = bare(word, language, term.kind)
            if term.kind not in NOUNS:
                forms = [own] if language == "de" else dict.fromkeys(word.split("/"))
                for form in forms:
                    yield Caption(form, term.english, frozenset([own]))
                if term.kind == "colour":
                    noun = THING[language]
                    text = coloured(noun, word, language, "garment", COLOURED[language][0])
                    yield Caption(text, f"{term.english} thing", frozenset([own]))
                continue
            words_so_far += 1
            usual = word == term.words[0]
            for place in range(4) if usual else (0, 1 + words_so_far % 3):
                english = plain(term.english, "en", term.kind, PLAIN["en"][place], plural)
                text = plain(word, language, term.kind, PLAIN[language][place])
                yield Caption(text, english, frozenset([own]))
            for step in range(colours_a_word):
                colour, said = next(others if step % 2 else main)
                place = (step + words_so_far) % 2
                english = coloured(
                    *(term.english, colour, "en", term.kind, COLOURED["en"][place], plural)
                )
                text = coloured(word, said, language, term.kind, COLOURED[language][place])
                used = frozenset([own, bare(said, language, "colour")])
                yield Caption(text, english, used)
            if words_so_far * materials_a_word % 1 < materials_a_word:
                material, said = next(materials)
                text = made_of(word, said, language, term.kind)
                used = frozenset([own, bare(said, language, "material")])
                yield Caption(text, made_of(term.english, material, "en", term.kind), used)


def in_turn(some: list[Term]) -> Iterator[tuple[str, str]]:
    """Yield each term with one of its words, again and again, so that all come up as often."""
    for turn in count():
        for term in some:
            yield term.english, term.words[turn % len(term.words)]
