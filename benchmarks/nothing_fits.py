"""Does the search say when nothing fits? On photos and words that no training or calibration saw.

    python benchmarks/nothing_fits.py PHOTOS [--only-words]

PHOTOS has the folders train/ and validation/ of the clothing data set (data/README.md). Words are
searched among the validation photos and on the drawn sample, in other languages by the
multilingual model. As pictures, the validation photos are held against the training photos, and so
is what is none of their kind: drawings of the sample, crops of scikit-learn's two photos (a Chinese
temple, a flower), and noise. A fit of 0.5 is the threshold; AUROC is how well the fit separates the
two whatever the threshold is.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_images
from sklearn.metrics import roc_auc_score

import simlib
from simlib.fit import general_texts

sys.path.insert(0, str(Path(__file__).parents[1] / "data" / "make"))
import translations  # noqa: E402
from measure_multilingual import TERM_OF_KIND, class_queries, everyday_words  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "nothing_fits.json"
# What one sees in the photos and drawings, as people say it; and what none of them shows.
WORDS_OF_PHOTOS = """
    summer dress; evening dress; men's trousers; a pair of jeans; chinos; leggings; a white
    T-shirt; short-sleeved top; long-sleeved shirt; a blouse; a jumper; pullover; hooded
    sweatshirt; winter coat; leather jacket; parka; anorak; denim shorts; swimming trunks;
    miniskirt; pleated skirt; a baseball cap; woolly hat; sneakers; trainers; ankle boots; high
    heels; sandals; black shoes; a photo of a women's dress; blue jeans; red T-shirt; checked
    shirt; button-down shirt
"""
WORDS_OF_DRAWINGS = """
    rucksack; a red handbag; clutch bag; wellington boots; stilettos; running shoes; slippers;
    bow tie; necktie; cardigan; evening gown; fur coat; sun hat; denim trousers; japanese robe;
    mittens; a pearl necklace; bangle; polo shirt; wallet; woollen scarf; bathing suit;
    crew-neck T-shirt; men's suit; hoodie; trench coat; a black umbrella; ladies watch; spectacles;
    ankle socks; summer shorts
"""
ABSENT = """
    trombone; a grand staircase; crocodile; airport runway; lasagne; a dinner table; lawnmower;
    tennis match; parliament; fire engine; bowl of rice; pencil sharpener; kangaroo; washing
    machine; computer mouse; bookshelf; croissant; ski slope; a red sports car; oak leaves;
    swimming pool; the planet Saturn; referee; goat; dentist's chair; spanner set; birthday
    candles; pie chart; sailing boat; microwave; vacuum cleaner; garden hose; a glass of beer;
    hedgehog; aqueduct; tuba; rhinoceros; traffic light; a black cat; tiger; whale; petrol pump;
    fireworks; fruit bowl; potatoes; a photo of a puppy; blue bicycle pump; green lizard; chess
    tournament; wheat harvest
"""
# The same sort of things in six languages; of what is there the word lists have the names.
ABSENT_IN = {
    "zh": """
        长号; 大楼梯; 鳄鱼; 机场跑道; 千层面; 餐桌; 割草机; 议会; 消防车;
        一碗米饭; 袋鼠; 洗衣机; 鼠标; 羊角面包; 一张裁判的照片; 山羊; 生日蜡烛;
        饼图; 帆船; 微波炉; 吸尘器; 花园水管; 一杯啤酒; 刺猬; 犀牛; 红绿灯;
        一只黑猫; 鲸鱼; 烟花; 土豆; 蓝色的打气筒; 一种乐器
    """,
    "fa": """
        ترومبون; پلکان بزرگ; تمساح; باند فرودگاه; لازانیا; میز ناهارخوری; ماشین چمن‌زنی;
        مجلس; ماشین آتش‌نشانی; کاسه برنج; کانگورو; ماشین لباسشویی; موس کامپیوتر; کروسان;
        عکس یک داور; بز; شمع تولد; نمودار دایره‌ای; قایق بادبانی; مایکروویو; جاروبرقی;
        شلنگ باغچه; یک لیوان نوشابه; جوجه‌تیغی; کرگدن; چراغ راهنمایی; یک گربه سیاه; نهنگ;
        آتش‌بازی; سیب‌زمینی; تلمبه دوچرخه آبی; یک ساز موسیقی
    """,
    "es": """
        un trombón; una gran escalinata; un cocodrilo; pista de aterrizaje; lasaña;
        una mesa de comedor; cortacésped; el parlamento; un camión de bomberos;
        un cuenco de arroz; un canguro; lavadora; ratón de ordenador; cruasán;
        una foto de un árbitro; cabra; velas de cumpleaños; gráfico circular; un velero;
        microondas; aspiradora; manguera de jardín; un vaso de cerveza; erizo; rinoceronte;
        semáforo; un gato negro; ballena; fuegos artificiales; patatas;
        bomba de bicicleta azul; un instrumento musical
    """,
    "fr": """
        un trombone à coulisse; un grand escalier; un crocodile; piste d'atterrissage;
        lasagnes; une table à manger; tondeuse à gazon; le parlement; un camion de pompiers;
        un bol de riz; un kangourou; machine à laver; souris d'ordinateur; croissant;
        une photo d'un arbitre; chèvre; bougies d'anniversaire; diagramme circulaire;
        un voilier; four à micro-ondes; aspirateur; tuyau d'arrosage; un verre de bière;
        hérisson; rhinocéros; feu de circulation; un chat noir; baleine; feu d'artifice;
        pommes de terre; pompe à vélo bleue; un instrument de musique
    """,
    "de": """
        eine Posaune; eine große Treppe; ein Krokodil; Landebahn; Lasagne; ein Esstisch;
        Rasenmäher; das Parlament; ein Feuerwehrauto; eine Schale Reis; ein Känguru;
        Waschmaschine; Computermaus; Croissant; ein Foto von einem Schiedsrichter; Ziege;
        Geburtstagskerzen; Kreisdiagramm; ein Segelboot; Mikrowelle; Staubsauger;
        Gartenschlauch; ein Glas Bier; Igel; Nashorn; Ampel; eine schwarze Katze; Wal;
        Feuerwerk; Kartoffeln; blaue Luftpumpe; ein Musikinstrument
    """,
    "ja": """
        トロンボーン; 大階段; ワニ; 滑走路; ラザニア; 食卓; 芝刈り機; 国会;
        消防車; 茶碗一杯のご飯; カンガルー; 洗濯機; パソコンのマウス; クロワッサン;
        審判の写真; ヤギ; 誕生日のろうそく; 円グラフ; ヨット; 電子レンジ; 掃除機;
        庭のホース; ビール一杯; ハリネズミ; サイ; 信号機; 黒い猫; クジラ; 花火;
        じゃがいも; 青い空気入れ; 楽器
    """,
}


def listed(words: str) -> list[str]:
    return [" ".join(word.split()) for word in words.split(";")]


def figures(present: list[float], absent: list[float]) -> dict[str, float]:
    truth = np.repeat([True, False], [len(present), len(absent)])
    return {
        "AUROC": round(float(roc_auc_score(truth, present + absent)), 3),
        "present called absent": round(float((np.array(present) < 0.5).mean()), 3),
        "absent called present": round(float((np.array(absent) >= 0.5).mean()), 3),
        "present": len(present),
        "absent": len(absent),
    }


def fits(image_df, encoder, queries) -> list[float]:
    return [
        simlib.nearest(image_df, encoder.column, k=5, encoder=encoder, **query).attrs["fit"]
        for query in queries
    ]


def present_in(language: str, kinds: list[str]) -> dict[str, list[str]]:
    """Return what the photos and what the drawings show, as one says it in a language."""
    of_term = {term.english: term for term in translations.terms(language)}
    drawn = []
    for place, kind in enumerate(kinds):
        term = of_term[TERM_OF_KIND.get(kind, kind)]
        form = translations.PLAIN[language][place % 3]
        drawn.append(translations.plain(term.words[0], language, term.kind, form))
    names = [forms[place % 3] for place, forms in enumerate(class_queries(language).values())]
    photographed = [*names, *everyday_words(language)]
    return {"validation photos": list(dict.fromkeys(photographed)), "drawn sample": drawn}


def measure_languages(validation, sample) -> dict[str, dict]:
    """Return the figures by language; English for comparison, by the same model."""
    encoder = simlib.load_encoder("clip", weights="multilingual")
    galleries = {
        "validation photos": simlib.embed(validation, encoder),
        "drawn sample": simlib.embed(sample, encoder),
    }
    kinds = sorted(set(sample["category"]))
    results: dict[str, dict] = {}
    for language in ("en", *ABSENT_IN):
        if language == "en":
            present = {
                "validation photos": listed(WORDS_OF_PHOTOS),
                "drawn sample": listed(WORDS_OF_DRAWINGS),
            }
            absent = listed(ABSENT)
        else:
            present, absent = present_in(language, kinds), listed(ABSENT_IN[language])
            assert not set(general_texts(language)[1]) & set(absent)
        for name, image_df in galleries.items():
            of_words = {
                word: fits(image_df, encoder, [{"text": word}])[0]
                for word in [*present[name], *absent]
            }
            here, not_here = ([of_words[w] for w in some] for some in (present[name], absent))
            wrong = [w for w, f in of_words.items() if (f >= 0.5) != (w in present[name])]
            results.setdefault(name, {})[language] = figures(here, not_here) | {"wrong": wrong}
            print(name, language, results[name][language], flush=True)
    return results


def crops(rng: np.random.Generator, number: int) -> list[Image.Image]:
    pictures = load_sample_images().images
    found = []
    for place in range(number):
        pixels = pictures[place % len(pictures)]
        top, left = (rng.integers(side - 300) for side in pixels.shape[:2])
        found.append(Image.fromarray(pixels[top : top + 300, left : left + 300]))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photos", type=Path)
    parser.add_argument(
        "--only-words", action="store_true", help="leave the figures of pictures as they are"
    )
    arguments = parser.parse_args()
    known = set(general_texts()[1])
    assert not known & set(listed(ABSENT) + listed(WORDS_OF_PHOTOS) + listed(WORDS_OF_DRAWINGS))

    sample = simlib.load_catalogue("sample")
    train, validation = (
        simlib.load_catalogue(arguments.photos / p) for p in ("train", "validation")
    )
    results = {"words": {}, "pictures": {}}
    clip = simlib.load_encoder("clip")
    for name, image_df, present in (
        ("validation photos", validation, WORDS_OF_PHOTOS),
        ("drawn sample", sample, WORDS_OF_DRAWINGS),
    ):
        image_df = simlib.embed(image_df, clip)
        by_word = {
            word: fits(image_df, clip, [{"text": word}])[0]
            for word in listed(present) + listed(ABSENT)
        }
        here, not_here = ([by_word[word] for word in listed(words)] for words in (present, ABSENT))
        results["words"][name] = figures(here, not_here) | {
            "wrong": [w for w, f in by_word.items() if (f >= 0.5) != (w in listed(present))]
        }

    results["words in other languages"] = measure_languages(validation, sample)
    if arguments.only_words:
        before = json.loads(RESULTS.read_text(encoding="utf-8"))
        write(results | {"pictures": before["pictures"]})
        return

    rng = np.random.default_rng(0)
    noise = [
        Image.fromarray(rng.integers(256, size=(224, 224, 3), dtype=np.uint8)) for _ in range(40)
    ]
    others = {
        "drawings": sample.sample(100, random_state=0)["img_path"].map(simlib.load_image).tolist(),
        "temple and flower": crops(rng, 40),
        "noise": noise,
    }
    queries = validation["img_path"].map(simlib.load_image).tolist()
    for name in ("pixels", "towhee", "simclr", "clip"):
        encoder = simlib.load_encoder(name, **({"size": (64, 64)} if name == "pixels" else {}))
        gallery = simlib.embed(train, encoder)
        of_photos = fits(gallery, encoder, [{"query": picture} for picture in queries])
        results["pictures"][name] = {
            kind: figures(of_photos, fits(gallery, encoder, [{"query": one} for one in pictures]))
            for kind, pictures in others.items()
        }
    write(results)


def write(results: dict[str, dict]) -> None:
    RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(json.dumps(results, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
