"""The words in six languages, which people read: their form, their script, and the grammar."""

import sys
import unicodedata
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "data/make"))
try:
    import translations
finally:
    sys.path.pop(0)

LANGUAGES = sorted(translations.LANGUAGES)
# What a word's letters must be; other scripts may occur where the language itself mixes them.
SCRIPTS = {
    **dict.fromkeys(["zh", "zh-Hant"], {"CJK", "LATIN"}),
    "fa": {"ARABIC"},
    "ja": {"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "LATIN"},
    **dict.fromkeys(["de", "es", "fr"], {"LATIN"}),
}


def script_of(letter: str) -> str:
    name = unicodedata.name(letter)
    return "LATIN" if "LATIN" in name else name.split()[0]


def spoken(language: str) -> list[tuple[str, str, str]]:
    """Return each word without its gender, with its English term and kind."""
    return [
        (translations.bare(word, language, term.kind), term.english, term.kind)
        for term in translations.terms(language)
        for word in term.words
    ]


def test_every_language_has_every_term_in_the_same_order():
    lists = {language: translations.terms(language) for language in LANGUAGES}
    english = [(term.english, term.kind) for term in lists["zh"]]
    assert len(english) == len(set(english)) >= 300
    for language, terms in lists.items():
        assert [(term.english, term.kind) for term in terms] == english, language
        assert {term.kind for term in terms} == set(translations.KINDS)


@pytest.mark.parametrize("language", LANGUAGES)
def test_words_are_normalised_and_in_the_languages_own_script(language):
    for word, english, _ in spoken(language):
        assert word == word.strip() and "  " not in word and ";" not in word, english
        assert unicodedata.normalize("NFC", word) == word, english
        scripts = {script_of(letter) for letter in word if letter.isalpha()}
        assert scripts <= SCRIPTS[language], (english, word)
        if language == "fa":  # Persian's own letters, where Arabic has others that look the same
            assert not set(word) & set("يكةىأإ٤٥٦"), (english, word)
    mixed = [word for word, *_ in spoken(language) if word.isascii()]
    if language in ("zh", "zh-Hant", "ja"):
        assert len(mixed) <= 2  # "MA-1"
    if language == "fa":
        assert mixed == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_word_stands_for_two_terms_of_a_kind(language):
    counts = Counter((word.casefold(), kind) for word, _, kind in spoken(language))
    assert [word for word, count in counts.items() if count > 1] == []


@pytest.mark.parametrize("language", sorted(translations.GENDERS))
def test_every_noun_has_its_gender_and_every_adjective_four_forms_or_one(language):
    for term in translations.terms(language):
        for word in term.words:
            if term.kind in translations.NOUNS:
                noun, gender = translations.parts_of(word, language, term.kind)
                assert noun and gender in translations.GENDERS[language], word
            else:
                assert len(word.split("/")) in (1, 4), word
            if language == "de" and term.kind in translations.NOUNS:
                assert any(part[0].isupper() for part in noun.split(" ")), word


def test_a_word_is_declined_as_its_noun_demands():
    said = translations.coloured
    plain, photo = (translations.COLOURED["de"][place] for place in (0, 1))
    assert said("Rock/m", "rot", "de", "garment", plain) == "roter Rock"
    assert said("langes Kleid/n", "lila", "de", "garment", photo) == (
        "ein Foto von einem lila langen Kleid"
    )
    assert said("Stiefel/p", "schwarz", "de", "shoes", photo) == "ein Foto von schwarzen Stiefeln"
    noir = "noir/noire/noirs/noires"
    form = translations.COLOURED["fr"][1]
    assert said("bottes/fp", noir, "fr", "shoes", form) == "une photo de bottes noires"
    assert said("robe/f", noir, "fr", "garment", form) == "une photo d'une robe noire"
    assert said("手提包", "红色", "zh", "bag", "{c}{n}") == "红色手提包"
    assert said("ドレス", "赤い", "ja", "garment", "{c}の{n}") == "赤いドレス"
    assert said("ドレス", "赤", "ja", "garment", "{c}の{n}") == "赤のドレス"
    assert said("uniform", "red", "en", "garment", "a photo of {a}") == "a photo of a red uniform"


def test_an_uncountable_noun_has_no_article():
    said, forms = translations.plain, translations.PLAIN
    assert said("ropa/fu", "es", "garment", forms["es"][1]) == "una foto de ropa"
    assert said("lingerie/fu", "fr", "garment", forms["fr"][1]) == "une photo de lingerie"
    assert said("habits/mp", "fr", "garment", forms["fr"][1]) == "une photo d'habits"
    assert said("Kleidung/fu", "de", "garment", forms["de"][1]) == "ein Foto von Kleidung"
    photo, coloured = translations.COLOURED["de"][1], translations.coloured
    assert coloured("Kleidung/fu", "rot", "de", "garment", photo) == "ein Foto von roter Kleidung"
    assert coloured("Schmuck/mu", "rot", "de", "jewellery", photo) == "ein Foto von rotem Schmuck"
    assert coloured("Schmuck/mu", "rot", "de", "jewellery", "{c} {n}") == "roter Schmuck"


def test_persian_is_joined_by_ezafe():
    black = translations.COLOURED["fa"][0]
    assert translations.coloured("پالتو", "مشکی", "fa", "garment", black) == "پالتوی مشکی"
    assert translations.made_of("عبا", "پشمی", "fa", "garment") == "عبای پشمی"
    wood = next(term for term in translations.terms("fa") if term.english == "wood")
    assert translations.said_of_things(wood, "fa") == ("چوبی",)


@pytest.mark.parametrize("language", LANGUAGES)
def test_materials_are_said_of_what_is_made_of_them(language):
    kinds = [(term.english, term.kind) for term in translations.terms(language)]
    kind_of = {english: kind for english, kind in kinds if kind != "material"}
    # "gold" and "silver" are colours, too, which all things may have.
    materials = {english for english, kind in kinds if kind == "material"} - set(kind_of)
    said = Counter()
    for caption in translations.captions(language):
        first = caption.english.split(" ")[0]
        noun = caption.english.removeprefix(f"{first} ")
        if first in materials and kind_of.get(noun) in translations.NOUNS:
            said[first] += 1
            assert not (kind_of[noun] == "garment" and first in ("wood", "metal", "jade"))
            assert not any(material in noun.split(" ") for material in materials), caption
    assert sum(said.values()) > 50


def test_chinese_in_traditional_script_has_no_simplified_characters_and_the_reverse():
    traditional = set("".join(word for word, *_ in spoken("zh-Hant")))
    simplified = set("".join(word for word, *_ in spoken("zh")))
    assert len(translations.TRADITIONAL) == len(translations.SIMPLIFIED)
    pairs = set(zip(translations.TRADITIONAL, translations.SIMPLIFIED, strict=True))
    changed = {a: b for a, b in pairs if a != b}
    assert set(changed) >= set("襯鍊錶裝") and not set(changed) & simplified
    assert not traditional & set(changed.values()) - set("干后并松发表链钥伞")
    assert translations.same_script("後背包 T恤") == "后背包 t恤"


@pytest.mark.parametrize("language", LANGUAGES)
def test_captions_say_every_word_and_leave_no_mark_of_the_lists(language):
    captions = list(translations.captions(language))
    texts = {caption.text for caption in captions}
    assert {word for word, *_ in spoken(language)} <= texts
    for caption in captions:
        assert not set("{}/;") & set(caption.text + caption.english), caption
        assert all(word in caption.text or language == "de" for word in caption.words) or (
            language in translations.GENDERS  # an adjective may stand in another form
        )
    assert list(translations.captions(language)) == captions  # the same each time
