"""A catalogue that has to be downloaded arrives whole, or not at all with a sentence."""

import functools
import io
import tarfile
import threading
import time
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from PIL import Image

from simlib import catalogue, downloads


def picture_bytes() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(file, "JPEG")
    return file.getvalue()


def archive(*members: tuple[str, bytes | str]) -> bytes:
    """A .tar.gz of (name, content); a content of type str is a symbolic link to that place."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
                tar.addfile(info)
            else:
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return file.getvalue()


@pytest.fixture
def server(tmp_path, monkeypatch):
    """Serve ``root`` on loopback; cut answers short at ``server.cut`` bytes where that is set."""
    monkeypatch.setenv("SIMLIB_HOME", str(tmp_path / "home"))
    root = tmp_path / "served"
    root.mkdir()

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def copyfile(self, source, outputfile):
            serving.requests += 1
            outputfile.write(source.read(serving.cut))

    serving = ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Handler, directory=str(root))
    )
    serving.cut, serving.requests, serving.root = -1, 0, root
    serving.url = f"http://127.0.0.1:{serving.server_port}/a.tar.gz"
    threading.Thread(target=serving.serve_forever, daemon=True).start()
    yield serving
    serving.shutdown()


def test_the_clothing_catalogue_is_downloaded_once_and_listed(server, monkeypatch):
    content = archive(("c-1/train/hat/1.jpg", picture_bytes()), ("c-1/README.md", b"text"))
    (server.root / "a.tar.gz").write_bytes(content)
    monkeypatch.setattr(catalogue, "CLOTHING", server.url)
    first = catalogue.load_catalogue("clothing")
    second = catalogue.load_catalogue("clothing")
    assert first["category"].tolist() == ["hat"]
    assert first.equals(second) and server.requests == 1


def test_a_download_that_breaks_off_is_never_taken_for_a_whole_one(server):
    (server.root / "a.tar.gz").write_bytes(archive(("1.jpg", picture_bytes() * 100)))
    server.cut = 200
    with pytest.raises(ConnectionError, match="ended after 200 of|could not be downloaded"):
        downloads.fetch_archive(server.url, "pictures")
    assert list(downloads.home_folder().iterdir()) == []
    server.cut = -1
    assert (downloads.fetch_archive(server.url, "pictures") / "1.jpg").is_file()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"this is not an archive", "gzip"),
        (archive(("../../outside.jpg", b"x")), "outside"),
        (archive(("/absolute.jpg", b"x"), ("../absolute.jpg", b"x")), "outside"),
        (archive(("link.jpg", "/etc/passwd")), "neither a file nor a folder"),
        (archive(("1.jpg", b"x"), ("./1.jpg", b"y")), "twice"),
        (archive(("1.jpg", b"x" * 5000))[:60], "end"),
    ],
    ids=["garbage", "traversal", "absolute", "link", "duplicate", "cut"],
)
def test_a_hostile_archive_leaves_nothing_behind(server, content, reason, tmp_path):
    (server.root / "a.tar.gz").write_bytes(content)
    with pytest.raises(ValueError, match=f"can't be unpacked safely: .*{reason}"):
        downloads.fetch_archive(server.url, "pictures")
    assert list(downloads.home_folder().iterdir()) == []
    assert not list(tmp_path.glob("*.jpg"))


def test_an_archive_that_unpacks_to_too_much_is_refused(server, monkeypatch):
    monkeypatch.setattr(downloads, "LARGEST_CONTENT", 10_000)
    (server.root / "a.tar.gz").write_bytes(archive(("1.jpg", bytes(50_000))))
    with pytest.raises(ValueError, match="more than 10,000 bytes"):
        downloads.fetch_archive(server.url, "pictures")


def test_without_a_network_the_answer_comes_at_once_and_names_the_sample(monkeypatch, tmp_path):
    monkeypatch.setenv("SIMLIB_HOME", str(tmp_path))
    monkeypatch.setattr(catalogue, "CLOTHING", "http://127.0.0.1:9/a.tar.gz")
    started = time.perf_counter()
    with pytest.raises(ConnectionError, match="'sample'\\) works offline"):
        catalogue.load_catalogue("clothing")
    assert time.perf_counter() - started < 5
