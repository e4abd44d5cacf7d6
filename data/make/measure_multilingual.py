"""Measure the texts in many languages on pictures that no training saw.

``train_multilingual.py`` calls this.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import translations
from clip_words import CLASSES, EVERYDAY, QUERY_TEMPLATES
from measure_clip import Ranking, joined, query_name, with_interval
from translations import LANGUAGES, MAIN_COLOURS

Texts = Callable[[list[str]], np.ndarray]
"""From n texts to their embeddings, float32 ``(n, 384)``, of length 1."""

TERM_OF_CLASS = {"longsleeve": "long-sleeved top", "outwear": "outerwear", "pants": "trousers"}
# The everyday words of the English card, as terms of the lists.
TERM_OF_WORD = {"trainers": "sports shoes", "heels": "high heels", "tee": "t-shirt"}
# The kinds of the sample, as terms of the lists.
TERM_OF_KIND = {
    "boot": "boots", "high heel": "high heels", "loafer": "loafers", "mitten": "mittens",
    "sandal": "sandals", "sneaker": "sneakers",
}  # fmt: skip

# Languages that no training saw: their names of the ten classes, and three forms.
UNTRAINED = {
    "Portuguese": (
        ("{}", "foto de {}", "imagem de {}"),
        {
            "dress": "vestido", "hat": "chapéu", "longsleeve": "blusa de manga comprida",
            "outwear": "agasalho", "pants": "calças", "shirt": "camisa", "shoes": "sapatos",
            "shorts": "calções", "skirt": "saia", "t-shirt": "camiseta",
        },
    ),
    "Korean": (
        ("{}", "{} 사진", "{} 이미지"),
        {
            "dress": "원피스", "hat": "모자", "longsleeve": "긴팔 상의", "outwear": "겉옷",
            "pants": "바지", "shirt": "셔츠", "shoes": "신발", "shorts": "반바지",
            "skirt": "치마", "t-shirt": "티셔츠",
        },
    ),
    "Russian": (
        ("{}", "фото: {}", "картинка: {}"),
        {
            "dress": "платье", "hat": "шляпа", "longsleeve": "кофта с длинным рукавом",
            "outwear": "верхняя одежда", "pants": "брюки", "shirt": "рубашка", "shoes": "обувь",
            "shorts": "шорты", "skirt": "юбка", "t-shirt": "футболка",
        },
    ),
}  # fmt: skip


@dataclass
class Gallery:
    """Embeddings of pictures, and what is known of them."""

    images: np.ndarray  # float32 (n, 384), of length 1
    label: np.ndarray  # str (n,)
    colour: np.ndarray | None = None


def class_queries(language: str) -> dict[str, list[str]]:
    """Return the name of each class in three forms, as one searches for it.

    >>> class_queries("de")["skirt"]
    ['Rock', 'ein Foto von einem Rock', 'ein Bild von einem Rock']
    """
    if language == "English":
        return {
            name: [form.format(query_name(name)) for form in QUERY_TEMPLATES] for name in CLASSES
        }
    if language in UNTRAINED:
        forms, names = UNTRAINED[language]
        return {name: [form.format(names[name]) for form in forms] for name in CLASSES}
    of_term = {term.english: term for term in translations.terms(language)}
    queries = {}
    for name in CLASSES:
        term = of_term[TERM_OF_CLASS.get(name, name)]
        queries[name] = [
            translations.plain(term.words[0], language, term.kind, form)
            for form in translations.PLAIN[language][:3]
        ]
    return queries


def everyday_words(language: str) -> dict[str, str]:
    """Return twenty everyday words and the class that each names.

    They are those of the English card; of each the first word in the list that names no class by
    itself, where there is one.

    >>> list(everyday_words("zh").items())[:2]
    [('运动鞋', 'shoes'), ('跑鞋', 'shoes')]
    """
    of_term = {term.english: term for term in translations.terms(language)}
    names = {queries[0] for queries in class_queries(language).values()}
    words = {}
    for english, label in EVERYDAY.items():
        term = of_term[TERM_OF_WORD.get(english, english)]
        said = [translations.bare(word, language, term.kind) for word in term.words]
        words[next((word for word in said if word not in names), said[0])] = label
    return words


def ranked(gallery: Gallery, texts: Texts, queries: Mapping[str, str]) -> Ranking:
    """Rank the pictures for each query; correct are those of the class that it names."""
    scores = texts(list(queries)) @ gallery.images.T
    right = gallery.label == np.array(list(queries.values()))[:, None]
    return Ranking(scores, right)


def class_ranking(gallery: Gallery, texts: Texts, language: str) -> Ranking:
    forms = class_queries(language)
    return joined([ranked(gallery, texts, {form: name}) for name in forms for form in forms[name]])


def word_ranking(gallery: Gallery, texts: Texts, words: Mapping[str, str]) -> Ranking:
    return joined([ranked(gallery, texts, {word: label}) for word, label in words.items()])


def colour_queries(language: str, kinds: list[str]) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Return a query for each main colour and kind, "红色手提包", and the colours and kinds."""
    queries, tints, things = [], [], []
    if language != "English":
        of_term = {term.english: term for term in translations.terms(language)}
    for kind in kinds:
        for tint in MAIN_COLOURS:
            if language == "English":
                query = f"a {tint} {kind}"
            else:
                term = of_term[TERM_OF_KIND.get(kind, kind)]
                query = translations.coloured(
                    *(term.words[0], of_term[tint].words[0], language, term.kind),
                    translations.COLOURED[language][0],
                )
            queries.append(query)
            tints.append(tint)
            things.append(kind)
    return queries, np.array(tints)[:, None], np.array(things)[:, None]


def colour_figures(sample: Gallery, texts: Texts, language: str) -> dict:
    """Return how often the first hit of "red handbag" has the colour, the kind, and both."""
    kinds = sorted(set(sample.label.tolist()))
    queries, tints, things = colour_queries(language, kinds)
    scores = texts(queries) @ sample.images.T
    right = {
        "colour": sample.colour == tints,
        "kind": sample.label == things,
        "both": (sample.colour == tints) & (sample.label == things),
    }
    figures = {}
    for name, of_query in right.items():
        hits = Ranking(scores, of_query).precision(1)
        figures[name] = with_interval(lambda rows, hits=hits: hits[rows].mean(), len(hits))
    return figures


def held_out(
    gallery: Gallery,
    words_of: Mapping[str, Mapping[str, str]],
    without: Callable[[set[str]], Texts],
) -> dict[str, Ranking]:
    """Rank for words that are left out of the training, a third of each language's at a time."""
    rankings: dict[str, dict[str, Ranking]] = {language: {} for language in words_of}
    for third in range(3):
        some = {language: list(words)[third::3] for language, words in words_of.items()}
        texts = without({word for words in some.values() for word in words})
        for language, words in some.items():
            for word in words:
                label = words_of[language][word]
                rankings[language][word] = word_ranking(gallery, texts, {word: label})
    return {
        language: joined([rankings[language][word] for word in words])
        for language, words in words_of.items()
    }


def measure(
    photos: Gallery,
    sample: Gallery,
    compact: Texts,
    multilingual: Texts,
    without: Callable[[set[str]], Texts],
) -> dict:
    """Measure the multilingual texts, and the compact model's where it reads the language.

    ``without(words)`` is a training without all texts, of any language, that contain one of the
    words. Words are held out in Chinese alone, and in all languages at once, so that nearly nothing
    is left that means the same.
    """
    n = len(photos.images)

    def precision(one: Ranking) -> dict:
        return with_interval(lambda rows: one.precision(10, rows).mean(), n)

    def each(words, one: Ranking) -> dict:
        return dict(zip(words, np.round(one.precision(10), 2).tolist(), strict=True))

    names, colours, words, figures = {}, {}, {}, {}
    everyday = {language: everyday_words(language) for language in LANGUAGES}
    alone = held_out(photos, {"zh": everyday["zh"]}, without)["zh"]
    figures["Chinese everyday words in no caption, other languages' in theirs"] = {
        "precision@10": precision(alone),
        "each word": each(everyday["zh"], alone),
    }
    print(figures, flush=True)
    unseen = held_out(photos, everyday, without)
    for language in ("English", *LANGUAGES, *UNTRAINED):
        title = LANGUAGES.get(language, language)
        ranking = class_ranking(photos, multilingual, language)
        names[title] = precision(ranking) | {
            "each class": dict(
                zip(CLASSES, ranking.precision().reshape(-1, 3).mean(1).round(2), strict=True)
            )
        }
        if language not in UNTRAINED:
            colours[title] = colour_figures(sample, multilingual, language)
        if language in LANGUAGES:
            ranking = word_ranking(photos, multilingual, everyday[language])
            words[title] = {
                "in captions": precision(ranking),
                "in no caption of any language": precision(unseen[language]),
                "each word in no caption": each(everyday[language], unseen[language]),
            }
        print(title, names[title], words.get(title), colours.get(title), flush=True)
    figures["class names, precision@10"] = names
    figures["class names, English, compact model"] = precision(
        class_ranking(photos, compact, "English")
    )
    figures["everyday words, precision@10"] = words

    figures["sample, colour and kind asked for, first hit"] = colours
    figures["sample, English, compact model"] = colour_figures(sample, compact, "English")
    return figures
