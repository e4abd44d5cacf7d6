"""What a user loses when these fail: one page for a colleague, true, safe to open, and complete."""

import base64
import io
import re
from html.parser import HTMLParser

import matplotlib
import numpy as np
import pandas as pd
import pytest
from PIL import Image

import simlib
from conftest import draw_pictures
from simlib.reporting import page, report

matplotlib.use("agg")
NASTY = "<script>alert('&amp;')</script>\"><img src=x onerror=alert(1)>"
VOID = {"meta", "link", "img", "br"}


class Page(HTMLParser):
    """A page as a browser reads it: tags with their attributes, the text, what is left open."""

    def __init__(self, path):
        super().__init__()
        self.tags, self.open, self.texts = [], [], []
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.texts.append(data)

    @property
    def text(self):
        return " ".join("".join(self.texts).split())

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]

    @property
    def headings(self):
        return re.findall(r"<h2[^>]*>(.*?)</h2>", self.source)


@pytest.fixture
def labelled(tmp_path):
    """Thirty pictures in three labels; what is measured and shown can be told by hand."""
    rng = np.random.default_rng(0)
    labels = np.repeat(["hat", "shoe", "tie"], 10)
    frame = pd.DataFrame({"img_path": draw_pictures(tmp_path / "pictures", 30), "category": labels})
    middles = np.repeat(np.eye(3), 10, axis=0)
    frame["good"] = list(middles + 0.1 * rng.normal(size=(30, 3)))
    frame["poor"] = list(rng.normal(size=(30, 3)))
    return frame


def written(frame, tmp_path, **options):
    options = {"path": tmp_path / "report.html", "progress": False} | options
    path = simlib.report(frame, **options)
    assert path == options["path"] and path.is_file()
    return Page(path)


def test_the_page_says_what_is_measured(labelled, tmp_path):
    found = written(labelled, tmp_path)
    assert found.headings == [
        "The catalogue", "Measures", "Differences", "Maps", "Nearest neighbours", "Failures",
        "Near-duplicates",
    ]  # fmt: skip
    for column in ("good", "poor"):
        for row in simlib.evaluate(labelled, column, progress=False).itertuples():
            assert f"{row.mean:.2f} ({row.low:.2f} to {row.high:.2f})" in found.text
    differences = simlib.paired_difference(labelled, ["good", "poor"], progress=False)
    for row in differences.itertuples():
        assert f"{row.difference:+.2f} ({row.low:+.2f} to {row.high:+.2f})" in found.text
    assert "good is better" in found.text
    precision = simlib.precision_at_k(labelled, "poor")
    failed = int((precision == 0).sum())
    assert failed and f"{failed} of 30 queries find none of their own label" in found.text
    for query in (0, 10, 20):  # the first picture of each label
        for similarity in simlib.nearest(labelled, "good", query)["cosine_similarity"]:
            assert f"{similarity:.2f} ✓" in found.text
    assert "None: no two pictures are as similar as 0.99" in found.text
    assert "simlib" in found.text and re.search(r"pandas \d", found.text)


def test_the_page_stands_alone_and_is_read_by_everyone(labelled, tmp_path):
    found = written(labelled, tmp_path)
    assert found.open == []  # each element is closed, in order
    assert not found.all("script") and not found.all("iframe")
    sources = [attrs[name] for _, attrs in found.tags for name in ("src", "href") if name in attrs]
    assert sources and all(source.startswith(("data:", "#")) for source in sources)
    assert "url(" not in found.source and "@import" not in found.source
    (policy,) = [meta for meta in found.all("meta") if "http-equiv" in meta]
    assert "default-src 'none'" in policy["content"]
    images = found.all("img")
    assert len(images) > 40 and all(image["alt"] for image in images)
    for image in images[:5]:
        kind, _, data = image["src"].partition(";base64,")
        assert kind in ("data:image/jpeg", "data:image/png")
        Image.open(io.BytesIO(base64.b64decode(data))).verify()
    assert found.all("html") == [{"lang": "en"}] and len(found.all("h1")) == 1
    viewport = {"name": "viewport", "content": "width=device-width, initial-scale=1"}
    assert viewport in found.all("meta")
    anchors = {attrs["id"] for _, attrs in found.tags if "id" in attrs}
    assert {link["href"][1:] for link in found.all("a")} <= anchors
    assert all(head.get("scope") in ("row", "col") for head in found.all("th"))
    assert len(found.all("caption")) == len(found.all("table")) > 3


def test_what_users_wrote_is_text(labelled, tmp_path):
    folder = tmp_path / "<b>folder"
    folder.mkdir()
    paths = labelled["img_path"].tolist()
    paths[0] = str(folder / f"{NASTY.replace('/', '')}.png")
    Image.open(paths[1]).save(paths[0])
    paths[10] = str(folder / "<i>gone.png")
    labelled["img_path"] = paths
    odd = {"hat": NASTY, "shoe": "shoe", "tie": "a\0b\udce9\u202e"}
    labelled["<u>kind"] = pd.Series([odd[name] for name in labelled["category"]], dtype=object)
    labelled = labelled.rename(columns={"good": "<s>good", "poor": "<s>poor"})
    encoder = simlib.load_encoder("pixels", size=(2, 2))
    encoder.name = "<q>encoder"
    labelled = simlib.embed(labelled.drop(index=10), encoder, progress=False)
    found = written(labelled, tmp_path, label_col="<u>kind", title=f"{NASTY} title")
    assert not {"script", "b", "i", "u", "s", "q"} & {tag for tag, _ in found.tags}
    assert all(name not in attrs for _, attrs in found.tags for name in ("onerror", "onload"))
    assert NASTY in found.text and f"{NASTY} title" in found.text
    for told in ("<u>kind", "<s>good", "<q>encoder"):
        assert told in found.text
    assert any(NASTY.replace("/", "") in image["alt"] for image in found.all("img"))
    assert "\\udce9" in found.text and "\0" not in found.source


def test_pictures_that_are_missing_or_broken_are_named_with_the_reason(labelled, tmp_path):
    paths = labelled["img_path"].tolist()
    (tmp_path / "pictures" / "000.png").write_bytes(b"no picture")
    paths[1] = str(tmp_path / "pictures" / "gone.png")
    labelled["img_path"] = paths
    labelled.at[2, "poor"] = None
    found = written(labelled, tmp_path)
    assert "30 pictures; 2 can't be read" in found.text
    assert "gone.png" in found.text and "there is no such file" in found.text
    assert str(tmp_path) not in found.source  # no folder of this computer is told
    gone = [image for image in found.all("img") if "can't be read" in image["alt"]]
    assert all(image["src"].startswith("data:image/svg") for image in gone)
    labelled["img_path"] = [str(tmp_path / f"{place}.png") for place in range(30)]
    nothing = written(labelled, tmp_path)
    assert "30 can't be read" in nothing.text and "No picture can be read" in nothing.text
    assert "0.9" in nothing.text  # what is measured does not need the pictures


def test_without_labels_there_are_neighbours_and_duplicates(labelled, tmp_path):
    twice = pd.concat([labelled, labelled.iloc[[4, 4, 7]]])  # labels of the index repeat
    for options in ({"label_col": None}, {}):
        frame = twice if options else twice.drop(columns="category")
        found = written(frame, tmp_path, **options)
        assert found.headings == ["The catalogue", "Maps", "Nearest neighbours", "Near-duplicates"]
        assert "5 pictures in 2 groups" in found.text and "3 pictures would go" in found.text
        assert "004.png" in found.text and "✓" not in found.text
    no_pair = written(labelled.assign(category=range(30)), tmp_path)
    assert "Measures" not in no_pair.headings and "30 labels" in no_pair.text


def test_few_rows_are_reported_as_far_as_it_goes(labelled, tmp_path):
    one = written(labelled.head(1), tmp_path)
    assert one.headings == ["The catalogue", "Near-duplicates"]
    two = written(labelled.head(2), tmp_path)
    assert "precision@1" in two.text and "Maps" not in two.headings


def test_one_column_can_be_named_and_own_lists_of_whole_numbers_too(labelled, tmp_path):
    found = written(labelled, tmp_path, columns="good")
    assert "Differences" not in found.headings and "poor" not in found.text
    labelled["counts"] = [[place, 1] for place in range(30)]
    assert "counts" in written(labelled, tmp_path, columns=["counts"]).text


def test_the_same_frame_gives_the_same_page_and_changes_nothing(labelled, tmp_path):
    import matplotlib.pyplot as plt

    before, open_before = labelled.copy(), plt.get_fignums()
    pages = [written(labelled, tmp_path).source for _ in range(2)]
    first, second = (re.sub(r"<time.*?</time>", "", source) for source in pages)
    assert first == second
    pd.testing.assert_frame_equal(labelled, before)
    assert plt.get_fignums() == open_before  # no figure is left for a notebook to show
    assert [file.name for file in tmp_path.iterdir() if file.is_file()] == ["report.html"]


def test_the_size_is_bounded_however_much_there_is(labelled, tmp_path, monkeypatch):
    frame = pd.concat([labelled] * 3, ignore_index=True)
    frame["category"] = [f"label {place // 2}" for place in range(90)]
    for number in range(3):
        frame[f"other {number}"] = frame["poor"]
    monkeypatch.setattr(report, "MOST_MAPS", 1)
    found = written(frame, tmp_path, k=20, queries=90)
    limit = report.MOST_NEIGHBOURS + report.MOST_FAILURES
    limit += report.MOST_OF_A_GROUP * report.MOST_GROUPS + 1
    assert 200 < len(found.all("img")) <= limit
    assert "And 15 more labels" in found.text
    assert limit * 5_000 + report.MOST_MAPS * 150_000 < 5e6


def test_what_can_not_be_reported_is_said_before_the_work(labelled, tmp_path):
    held = tmp_path / "held.html"
    held.write_text("before")
    for wrong in (tmp_path / "report.png", tmp_path, "https://x.org/report.html"):
        with pytest.raises(ValueError, match="End it in .html|is a URL"):
            simlib.report(labelled, path=wrong, progress=False)
    with pytest.raises(ValueError, match="no column of embeddings. simlib.embed"):
        simlib.report(labelled[["img_path"]], path=held)
    with pytest.raises(ValueError, match="nothing to report"):
        simlib.report(labelled.head(0), path=held)
    with pytest.raises(KeyError, match="no column 'img_path'.*rename"):
        simlib.report(labelled.drop(columns="img_path"), path=held)
    with pytest.raises(KeyError, match="no column 'brand'"):
        simlib.report(labelled, label_col="brand", path=held)
    with pytest.raises(KeyError, match="no column 'gone'"):
        simlib.report(labelled, ["gone"], path=held)
    with pytest.raises(ValueError, match="k=0"):
        simlib.report(labelled, path=held, k=0)
    assert held.read_text() == "before"


def test_a_disk_that_refuses_leaves_the_earlier_report(labelled, tmp_path, monkeypatch):
    held = tmp_path / "held.html"
    held.write_text("before")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("simlib.storage.atomic.os.fsync", full)
    with pytest.raises(OSError, match="report could not be written.*what was there before"):
        simlib.report(labelled, "good", path=held, progress=False)
    assert held.read_text() == "before"


def test_long_and_odd_text_stays_a_line():
    assert len(page.shown("long " * 1000)) == page.MOST_SHOWN
    assert page.shown("کفش‌ها") == "کفش‌ها"  # with a zero-width non-joiner, as Persian needs it
