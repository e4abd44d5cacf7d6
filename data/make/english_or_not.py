"""Which texts are not English, as the compact model's text tower has it: learned, and measured.

The compact model reads English. Letters of another script give a text away; "rote Handtasche" and
"vestido rojo" are written as English is. But what the text tower makes of words that it doesn't
know lies apart from what it makes of English, so that a plane separates most of them: 385 numbers.
It is learned from the lists of ``translations.py`` in Spanish, French and German, and from English
words and captions; ``train_multilingual.py`` calls this.

What follows was written for measuring alone: languages that no training saw, brands, rare garments,
and other texts that someone may search for.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import translations
from clip_words import COLOURED, GROUPS, MORE_WORDS_FOR_KIND, WORDNET, synonyms
from sklearn.linear_model import LogisticRegression

TRAINED = ("es", "fr", "de")
FALSE_ALARMS = 0.01  # of the English texts in the training that may lie beyond the plane

OTHER_LANGUAGES = {
    "Portuguese": (
        *("vestido vermelho", "saia comprida", "calça jeans", "camisa branca", "sapatos pretos"),
        *("bolsa de couro", "casaco de inverno", "brincos de ouro", "colar de pérolas", "tênis"),
        *("meias", "cachecol", "chapéu de palha", "relógio", "óculos de sol", "cinto", "gravata"),
        *("mochila", "botas", "camiseta azul"),
    ),
    "Italian": (
        *("vestito rosso", "gonna lunga", "pantaloni neri", "camicia bianca", "borsa di pelle"),
        *("scarpe da ginnastica", "cappotto invernale", "orecchini d'oro", "collana di perle"),
        *("stivali", "calze", "sciarpa", "cappello di paglia", "orologio", "occhiali da sole"),
        *("cintura", "cravatta", "zaino", "maglione", "giacca di jeans"),
    ),
    "Dutch": (
        *("rode jurk", "lange rok", "zwarte broek", "wit overhemd", "sportschoenen", "leren tas"),
        *("winterjas", "gouden oorbellen", "parelketting", "laarzen", "sokken", "sjaal", "riem"),
        *("strohoed", "horloge", "zonnebril", "stropdas", "rugzak", "trui", "spijkerjasje"),
    ),
    "Swedish": (
        *("röd klänning", "lång kjol", "svarta byxor", "vit skjorta", "gymnastikskor", "klocka"),
        *("läderväska", "vinterjacka", "guldörhängen", "pärlhalsband", "stövlar", "strumpor"),
        *("halsduk", "stråhatt", "solglasögon", "bälte", "slips", "ryggsäck", "tröja"),
        *("jeansjacka",),
    ),
    "Polish": (
        *("czerwona sukienka", "długa spódnica", "czarne spodnie", "biała koszula", "zegarek"),
        *("buty sportowe", "skórzana torebka", "płaszcz zimowy", "złote kolczyki", "kozaki"),
        *("naszyjnik z pereł", "skarpetki", "szalik", "kapelusz", "okulary przeciwsłoneczne"),
        *("pasek", "krawat", "plecak", "sweter", "kurtka dżinsowa"),
    ),
    "Turkish": (
        *("kırmızı elbise", "uzun etek", "siyah pantolon", "beyaz gömlek", "spor ayakkabı"),
        *("deri çanta", "kışlık mont", "altın küpe", "inci kolye", "çizme", "çorap", "atkı"),
        *("hasır şapka", "kol saati", "güneş gözlüğü", "kemer", "kravat", "sırt çantası", "kazak"),
        *("kot ceket",),
    ),
}
ENGLISH = {
    "brands": (
        *("nike running shoes", "adidas", "levi's jeans", "gucci handbag", "louis vuitton"),
        *("zara dress", "north face jacket", "ray-ban sunglasses", "birkenstock sandals"),
        *("doc martens", "converse all star", "burberry trench coat", "patagonia fleece"),
        *("chanel", "uniqlo", "rolex", "hermès scarf", "prada", "versace", "lacoste polo"),
    ),
    "rare garments": (
        *("espadrilles", "cheongsam", "brogues", "culottes", "dungarees", "wellies", "plimsolls"),
        *("jodhpurs", "salwar kameez", "dirndl", "sombrero", "huaraches", "balaclava", "cravat"),
        *("fascinator", "ushanka", "keffiyeh", "lederhosen", "muumuu", "peplum top", "bolero"),
        *("camisole", "negligee", "chemise", "gilet", "mackintosh", "ulster", "jerkin", "doublet"),
        *("farthingale", "cummerbund", "snood", "tam o'shanter", "deerstalker", "winklepickers"),
        *("galoshes", "brothel creepers", "kitten heels", "slingbacks", "mary janes"),
    ),
    "other texts": (
        *("something blue for summer", "black tie event outfit", "shoes for a wedding", "a-line"),
        *("cheap warm coat", "size 42 boots", "kids' rain gear", "grandma's cardigan", "v neck"),
        *("dress with pockets", "waterproof hiking boots", "gift for my wife", "goth outfit"),
        *("school uniform", "work trousers with many pockets", "office wear", "beach outfit"),
        *("red and white stripes", "off-the-shoulder top", "baggy pants", "thigh high boots"),
        *("bling", "boho dress", "fluffy slippers", "flowery blouse", "long sleeve", "duffle"),
        *("sleeveless shirt", "crossbody", "hi-vis vest", "skirt"),
    ),
}


def english_texts() -> list[str]:
    """Return English texts: words of clothes and of all else in ImageNet, and some captions."""
    words = synonyms()
    words += [word for some in WORDNET["classes"].values() for word in some]
    words += [word for name in MORE_WORDS_FOR_KIND for word in MORE_WORDS_FOR_KIND[name]]
    words += [term.english for term in translations.terms("de")] + list(GROUPS)
    phrases = [
        COLOURED[place % len(COLOURED)].format(word, c=colour)
        for place, word in enumerate(words)
        for colour in translations.MAIN_COLOURS[place % 12 :: 12]
    ]
    things = [one["words"][0] for one in WORDNET["imagenet"]]
    # No measured text may be learned from.
    measured = {text.casefold() for some in ENGLISH.values() for text in some}
    return [
        text
        for text in dict.fromkeys([*words, *phrases, *things])
        if not any(one in text.casefold() for one in measured)
    ]


def foreign_texts(language: str, english: set[str]) -> list[str]:
    """Return a language's words and captions, but for those that English has taken over."""
    found = [
        one.text for one in translations.captions(language, colours_a_word=1, materials_a_word=0)
    ]
    return [text for text in dict.fromkeys(found) if text.casefold() not in english]


def learn(
    embed: Callable[[list[str]], np.ndarray], languages=TRAINED, false_alarms: float = FALSE_ALARMS
) -> tuple[np.ndarray, float]:
    """Return a plane, float32 ``(384,)`` and an offset: above 0 lies what is not English."""
    english = english_texts()
    own = {text.casefold() for text in english}
    foreign = [text for language in languages for text in foreign_texts(language, own)]
    vectors = embed(english + foreign)
    is_foreign = np.arange(len(vectors)) >= len(english)
    model = LogisticRegression(class_weight="balanced", max_iter=2000)
    model.fit(vectors, is_foreign)
    weight = np.float32(model.coef_[0])
    # In favour of English: a warning that is wrong annoys whoever has done nothing wrong.
    heights = vectors[~is_foreign] @ weight
    return weight, -float(np.quantile(heights, 1 - false_alarms))


def measure_doubt(
    embed: Callable[[list[str]], np.ndarray],
    embed_training: Callable[[list[str]], np.ndarray],
    weight: np.ndarray,
    offset: float,
) -> dict:
    """Return the share of texts, of the lists for measuring, that are taken for not English.

    Of Spanish, French and German, it is that of words of a language which the plane was not learned
    from: one of the three in turn.
    """

    def share(vectors: np.ndarray, plane=(weight, offset)) -> float:
        return round(float((vectors @ plane[0] + plane[1] > 0).mean()), 3)

    figures: dict = {
        "English": {name: share(embed(list(texts))) for name, texts in ENGLISH.items()},
        "languages never learned from": {
            name: share(embed(list(texts))) for name, texts in OTHER_LANGUAGES.items()
        },
    }
    own = {text.casefold() for text in english_texts()}
    figures["languages learned from, left out in turn"] = {
        translations.LANGUAGES[one]: share(
            embed_training(foreign_texts(one, own)),
            learn(embed_training, [other for other in TRAINED if other != one]),
        )
        for one in TRAINED
    }
    return figures
