"""What one wears and carries, in six other languages: the words, and captions made of them.

``translations/<language>.csv`` has, for each of 335 English terms, the words that a shop or its
customers use: the usual one first, then synonyms and regional ones, such as ``chamarra`` (Mexico)
and ``campera`` (Argentina) for a jacket. Chinese has a second list in traditional script, with the
words of Taiwan and Hong Kong. They were written for this project and are there to be read and
corrected. Spanish, French and German nouns carry their gender, ``Handtasche/f``, or ``mp``, ``fp``
and ``p`` for a plural, and a ``u`` where they are uncountable, ``Kleidung/fu``; Spanish and French
adjectives their four forms, unless they never change. Captions are put together from them by each
language's own grammar.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).with_suffix("")
LANGUAGES = {
    "zh": "Chinese",
    "zh-Hant": "Chinese, traditional script",
    "fa": "Persian",
    "es": "Spanish",
    "fr": "French",
    "de": "German",
    "ja": "Japanese",
}
NOUNS = ("garment", "shoes", "bag", "jewellery", "accessory")
KINDS = (*NOUNS, "colour", "pattern", "material", "cut")
FORMS = ("m", "f", "mp", "fp")  # of an adjective in Spanish and French
GENDERS = {
    "es": (*FORMS, "mu", "fu"),
    "fr": (*FORMS, "mu", "fu"),
    "de": ("m", "f", "n", "p", "mu", "fu", "nu"),
}

# {} is the noun, {a} the noun with its indefinite article.
PLAIN = {
    "en": ("{}", "a photo of {a}", "a picture of {a}", "{} for sale"),
    "zh": ("{}", "一张{}的照片", "{}的图片", "出售{}"),
    "zh-Hant": ("{}", "一張{}的照片", "{}的圖片", "出售{}"),
    "fa": ("{}", "عکس {}", "تصویر {}", "فروش {}"),
    "es": ("{}", "una foto de {a}", "una imagen de {a}", "se vende {}"),
    "fr": ("{}", "une photo de {a}", "une image de {a}", "{} à vendre"),
    "de": ("{}", "ein Foto von {a}", "ein Bild von {a}", "{} zu verkaufen"),
    "ja": ("{}", "{}の写真", "{}の画像", "販売中の{}"),
}
# {n} is the noun, {c} a colour that agrees with it, {a} both with the article.
COLOURED = {
    "en": ("{c} {n}", "a photo of {a}"),
    "zh": ("{c}{n}", "一张{c}{n}的照片"),
    "zh-Hant": ("{c}{n}", "一張{c}{n}的照片"),
    "fa": ("{n} {c}", "عکس {n} {c}"),
    "es": ("{n} {c}", "una foto de {a}"),
    "fr": ("{n} {c}", "une photo de {a}"),
    "de": ("{c} {n}", "ein Foto von {a}"),
    "ja": ("{c}の{n}", "{c}の{n}の写真"),
}
MADE_OF = {
    "en": "{m} {n}",
    "zh": "{m}{n}",
    "zh-Hant": "{m}{n}",
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
    "zh-Hant": "東西",
    "fa": "چیز",
    "es": "cosa/f",
    "fr": "chose/f",
    "de": "Sache/f",
    "ja": "もの",
}
# Those that stand before a noun in the templates; what is uncountable has none.
ARTICLES = {
    "es": {"m": "un ", "f": "una ", "mp": "unos ", "fp": "unas "},
    "fr": {"m": "un ", "f": "une "},
    "de": {"m": "einem ", "f": "einer ", "n": "einem "},  # the dative, after "von"
}
# German adjectives: after no article, and in the dative after "einem", "einer" or no article.
STRONG = {"m": "er", "f": "e", "n": "es", "p": "e"}
DATIVE = {"m": "en", "f": "en", "n": "en", "p": "en", "mu": "em", "fu": "er", "nu": "em"}
UNCHANGED = {"lila", "rosa", "pink", "orange", "beige", "camel"}
NEED_FARBEN = {"anthrazit", "creme", "türkis"}  # before a noun: "türkisfarben"
# What no colour is said of: fashion; and "ropa de mujer negra" would be that of a black woman.
WITHOUT_COLOUR = re.compile(r"mod[ae]\b|^ropa de mujer$", re.IGNORECASE)
JAPANESE_NA = ("カラフル", "クリア", "透明")  # joined to their noun by "な", not by "の"
# The twelve that the compact model was trained for; captions name them as often as all others.
MAIN_COLOURS = (
    *("black", "white", "grey", "red", "orange", "yellow"),
    *("green", "blue", "purple", "pink", "brown", "beige"),
)

FABRICS = (
    *("cotton", "linen", "silk", "satin", "velvet", "corduroy", "wool", "cashmere", "denim"),
    *("fleece", "tweed", "flannel", "nylon", "polyester", "viscose", "lace", "tulle", "chiffon"),
)
LEATHERS = ("leather", "faux leather", "suede", "sheepskin")
HARD = ("helmet", "glasses", "sunglasses", "fan", "keyring", "hair clip")
OUTER = re.compile(r"coat|jacket|cape|parka|poncho|blazer|outerwear|windbreaker|waistcoat")
MADE_OF_WHAT = {  # by kind; "hard" is for the accessories in HARD, "outer" for garments as OUTER
    "garment": FABRICS,
    "outer": (
        *(*LEATHERS, "fur", "faux fur", "down", "wool", "cashmere", "tweed", "denim", "corduroy"),
        *("velvet", "fleece", "nylon", "polyester", "cotton", "linen"),
    ),
    "shoes": (
        *(*LEATHERS, "patent leather", "canvas", "rubber", "plastic", "felt", "velvet", "satin"),
        *("denim", "fur", "faux fur", "straw", "nylon"),
    ),
    "bag": (
        *(*LEATHERS, "patent leather", "canvas", "denim", "cotton", "nylon", "polyester", "straw"),
        *("plastic", "felt", "velvet"),
    ),
    "jewellery": (
        *("gold", "silver", "stainless steel", "metal", "pearl", "diamond", "jade", "crystal"),
        *("leather", "wood", "plastic"),
    ),
    "accessory": (
        *("leather", "cotton", "linen", "silk", "wool", "cashmere", "velvet", "satin", "nylon"),
        *("polyester", "fleece", "felt", "suede"),
    ),
    "hard": ("plastic", "metal", "wood"),
}
# The characters of the list in traditional script, and those that are written for them elsewhere.
TRADITIONAL = (
    "並乾亞側傘兒內兩別動務員單圍圓圖報墜夾妝嬰學寧寬寶屬帶幾後復懶懷搖摺書桿條棗樂橫欖氈涼淺滌漁濕灘無燈爾環禮筆籠"
    "紅紋純紗紡紮細紳絎結絞絨絲綁綠綢維網綸緊線緞編練縈縫縮織繡繩纖羅腦腳膠藍蘇蘭蟲蠶衛裝褲褸襪襯訂訓變貝質購"
    "車軍連運達釘針鈕鉛銀鋼錢錦錶鍊鏡鏽鐲鑰鑽長開閒闊陽雙雞電項領頭頸類風飛飾馬駝體髮鬆鳥鴨鵝麗黃點龍"
)
SIMPLIFIED = (
    "并干亚侧伞儿内两别动务员单围圆图报坠夹妆婴学宁宽宝属带几后复懒怀摇折书杆条枣乐横榄毡凉浅涤渔湿滩无灯尔环礼笔笼"
    "红纹纯纱纺扎细绅绗结绞绒丝绑绿绸维网纶紧线缎编练萦缝缩织绣绳纤罗脑脚胶蓝苏兰虫蚕卫装裤褛袜衬订训变贝质购"
    "车军连运达钉针钮铅银钢钱锦表链镜锈镯钥钻长开闲阔阳双鸡电项领头颈类风飞饰马驼体发松鸟鸭鹅丽黄点龙"
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


def same_script(text: str) -> str:
    """Return a text in lower case, and Chinese in one script, so that texts can be compared.

    >>> same_script("Polo衫"), same_script("牛仔褲")
    ('polo衫', '牛仔裤')
    """
    return text.casefold().translate(str.maketrans(TRADITIONAL, SIMPLIFIED))


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
        ending = DATIVE[gender] if case == "dative" else STRONG[gender.rstrip("u")]
        if adjective.endswith("e"):
            adjective = adjective[:-1]
        return adjective + ending
    forms = adjective.split("/")
    if len(forms) == 1:
        return adjective
    return forms[FORMS.index(gender.rstrip("u"))]


def with_article(noun: str, gender: str, language: str, english_plural: bool = False) -> str:
    """Return a noun behind the article that the templates need.

    >>> with_article("robe", "f", "fr"), with_article("ropa", "fu", "es")
    ('une robe', 'ropa')
    """
    if language == "en":
        if english_plural:
            return noun
        vowel = noun[0] in "aeiouA" and not noun.startswith("uni")
        return f"{'an' if vowel else 'a'} {noun}"
    if language == "de":
        noun = dative(noun, gender)
    return ARTICLES.get(language, {}).get(gender, "") + noun


def dative(noun: str, gender: str) -> str:
    """Return a German noun as it stands after "von einem", "von einer" or "von".

    >>> dative("langes Kleid", "n"), dative("Stiefel", "p"), dative("Hosen", "p")
    ('langen Kleid', 'Stiefeln', 'Hosen')
    """
    if gender.endswith("u"):  # behind no article an adjective has its ending already
        return noun
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
    """Return French with "d'" for "de" before a vowel or a silent h.

    >>> elided("une photo de habits noirs"), elided("une photo de une robe")
    ("une photo d'habits noirs", "une photo d'une robe")
    """
    return re.sub(r"\bde (?=[aeéèêiouœ]|habits)", "d'", text)


def joined_by_ezafe(noun: str) -> str:
    """Return a Persian noun as it stands before its adjective, as far as that is written.

    >>> joined_by_ezafe("پالتو"), joined_by_ezafe("کیف")
    ('پالتوی', 'کیف')
    """
    return f"{noun}ی" if noun.endswith(("ا", "و")) else noun


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
    if language == "fa":
        noun = joined_by_ezafe(noun)
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
    if language == "fa":
        noun = joined_by_ezafe(noun)
    return MADE_OF[language].format(n=noun, m=material)


def names_material(noun: str, english: str, language: str, materials: list[Term]) -> bool:
    """Return whether a noun says already what the thing is made of: "veste en cuir", "jeans".

    >>> names_material("Lederjacke", "leather jacket", "de", terms("de"))
    True
    """
    if re.search(r"\b(knit\w*|jeans)\b", english):
        return True
    for term in materials:
        if re.search(rf"\b{term.english}\b", english):
            return True
        for material in term.words:
            # Words stand apart in these two; elsewhere they are parts of others.
            one = rf"\b{re.escape(material)}\b" if language in ("es", "fr") else re.escape(material)
            if re.search(one, noun, re.IGNORECASE):
                return True
    return False


def sort_of(term: Term) -> str:
    """Return the key of ``MADE_OF_WHAT`` that goes with a noun."""
    if term.kind == "garment" and OUTER.search(term.english):
        return "outer"
    return "hard" if term.english in HARD else term.kind


def said_of_things(material: Term, language: str) -> tuple[str, ...]:
    """Return the words for a material that stand beside a noun: in Persian its adjectives.

    >>> said_of_things(Term("wood", "material", ("چوبی", "چوب")), "fa")
    ('چوبی',)
    """
    adjectives = tuple(word for word in material.words if word.endswith("ی") and " " not in word)
    return adjectives if language == "fa" and adjectives else material.words


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
    of_what = [term for term in every if term.kind == "material"]
    materials = {
        kind: in_turn(
            [
                term._replace(words=said_of_things(term, language))
                for term in of_what
                if term.english in fitting
            ]
        )
        for kind, fitting in MADE_OF_WHAT.items()
    }
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
            for step in range(0 if WITHOUT_COLOUR.search(own) else colours_a_word):
                colour, said = next(others if step % 2 else main)
                place = (step + words_so_far) % 2
                english = coloured(
                    *(term.english, colour, "en", term.kind, COLOURED["en"][place], plural)
                )
                text = coloured(word, said, language, term.kind, COLOURED[language][place])
                used = frozenset([own, bare(said, language, "colour")])
                yield Caption(text, english, used)
            is_material_due = words_so_far * materials_a_word % 1 < materials_a_word
            if is_material_due and not names_material(own, term.english, language, of_what):
                material, said = next(materials[sort_of(term)])
                text = made_of(word, said, language, term.kind)
                used = frozenset([own, bare(said, language, "material")])
                yield Caption(text, made_of(term.english, material, "en", term.kind), used)


def in_turn(some: list[Term]) -> Iterator[tuple[str, str]]:
    """Yield each term with one of its words, again and again, so that all come up as often."""
    for turn in count():
        for term in some:
            yield term.english, term.words[turn % len(term.words)]
