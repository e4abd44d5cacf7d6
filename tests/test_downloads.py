"""What a user loses when these fail: an evening, to a download that hangs, or begins anew each
time; or more, to an archive that does harm."""

import hashlib
import io
import os
import signal
import socket
import struct
import tarfile
import time
import tracemalloc
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from average_colours import start_python
from loopback import loopback
from PIL import Image
from quiet_machine import assert_quick

import simlib
from simlib import catalogue
from simlib.downloads import archives, http
from simlib.downloads.http import fetch_archive, fetch_file


def picture_bytes() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(file, "JPEG")
    return file.getvalue()


def tar(*members, pax=()):
    """A .tar.gz of (name, content); a content of type str is a symbolic link to that place."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
                archive.addfile(info)
            elif content is None:
                info.type = tarfile.FIFOTYPE
                archive.addfile(info)
            else:
                info.size = len(content)
                info.pax_headers = dict(pax)
                archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


def zipped(*members):
    """A .zip of (name, content), of the same kind."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            if isinstance(content, str):
                info.external_attr = 0o120777 << 16
            archive.writestr(info, content)
    return file.getvalue()


@pytest.fixture
def server(monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setattr(http, "time", SimpleNamespace(sleep=lambda seconds: None))
    with loopback() as serving:
        yield serving


def fetch(server, path, name="a.bin", **options):
    return fetch_file(f"{server.url}/{name}", path, "The file", "Do without it.", **options)


def stays_without(folder, *suffixes):
    names = {path.name for path in folder.iterdir()} - {"locks"}
    return all(name.endswith(suffixes) for name in names) if suffixes else not names


# One file


@pytest.mark.parametrize("etags", [True, False], ids=["etag", "no etag"])
@pytest.mark.parametrize("hashed", [True, False], ids=["hash", "no hash"])
def test_a_broken_connection_goes_on_where_it_stopped(server, tmp_path, etags, hashed):
    body = os.urandom(100_000)
    server.files["/a.bin"], server.etags = body, etags
    server.break_off_at, server.breaks = 32_768, 2  # two chunks
    digest = hashlib.sha256(body).hexdigest() if hashed else None
    path = fetch(server, tmp_path / "a.bin", digest=digest)
    assert path.read_bytes() == body and [file.name for file in tmp_path.iterdir()] == ["a.bin"]
    if etags or hashed:
        assert server.ranges_of("/a.bin") == [None, "bytes=32768-", "bytes=65536-"]
    else:  # nothing vouches for the rest being of the same file
        assert server.ranges_of("/a.bin") == [None] * 3


def test_a_second_call_does_not_ask(server, tmp_path):
    server.files["/a.bin"] = b"content"
    for _ in range(2):
        assert fetch(server, tmp_path / "a.bin").read_bytes() == b"content"
    assert len(server.asked) == 1


def test_a_download_that_was_killed_goes_on_in_the_next_process(server, tmp_path):
    body = os.urandom(4_000_000)
    server.files["/a.bin"], server.break_off_at, server.breaks = body, 2**20, 99
    process = start_python(
        """
import os, signal, sys
from pathlib import Path
from simlib.downloads import http
http.time.sleep = lambda seconds: os.kill(os.getpid(), signal.SIGKILL)  # as it waits
http.fetch_file(sys.argv[1], Path(sys.argv[2]), "The file", "")
""",
        f"{server.url}/a.bin", tmp_path / "a.bin",
    )  # fmt: skip
    process.communicate(timeout=1200)
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "a.bin").exists(), "half a file was taken for a whole one"
    server.breaks = 0
    assert fetch(server, tmp_path / "a.bin").read_bytes() == body
    assert server.ranges_of("/a.bin") == [None, "bytes=1048576-"]


def test_half_a_file_is_never_joined_to_half_of_another(server, tmp_path):
    server.files["/a.bin"], server.break_off_at, server.breaks = os.urandom(90_000), 40_000, 99
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(http, "TRIES", 0)
        with pytest.raises(ConnectionError, match="what has arrived is kept"):
            fetch(server, tmp_path / "a.bin")
    server.files["/a.bin"], server.breaks = os.urandom(70_000), 0
    assert fetch(server, tmp_path / "a.bin").read_bytes() == server.files["/a.bin"]


def test_a_file_that_came_whole_before_the_kill_is_not_fetched_again(server, tmp_path):
    server.files["/a.bin"] = body = os.urandom(50_000)
    (tmp_path / "a.bin.part").write_bytes(body)
    digest = hashlib.sha256(body).hexdigest()
    assert fetch(server, tmp_path / "a.bin", digest=digest).read_bytes() == body
    assert server.ranges_of("/a.bin") == ["bytes=50000-"]  # to which the answer was: that's all


def test_what_does_not_have_the_right_hash_is_thrown_away(server, tmp_path):
    server.files["/a.bin"] = b"exchanged on its way"
    with pytest.raises(ConnectionError, match="not have the hash.*Do without it"):
        fetch(server, tmp_path / "a.bin", digest=hashlib.sha256(b"the file").hexdigest())
    assert list(tmp_path.iterdir()) == [] and len(server.asked) == 2
    (tmp_path / "a.bin.part").write_bytes(b"damaged by the disk")
    server.files["/a.bin"] = b"the file, which is longer"
    blob = hashlib.sha1(b"blob 25\0the file, which is longer").hexdigest()
    fetch(server, tmp_path / "a.bin", digest=blob)
    assert (tmp_path / "a.bin").read_bytes() == b"the file, which is longer"


@pytest.mark.parametrize(("status", "asked"), [(404, 1), (403, 1), (410, 1), (503, 3), (429, 3)])
def test_a_server_that_refuses_is_quoted_and_not_pestered(server, tmp_path, status, asked):
    server.status = status
    with pytest.raises(ConnectionError, match=f"The file could not.*answers {status}.*Do without"):
        fetch(server, tmp_path / "a.bin")
    assert len(server.asked) == asked and list(tmp_path.iterdir()) == []


def nobody_listens():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{closed.getsockname()[1]}"


@pytest.mark.parametrize("way", ["refused", "no name", "the look-up hangs", "no answer"])
def test_without_a_network_it_takes_less_than_five_seconds(tmp_path, monkeypatch, way):
    assert http.CONNECT_SECONDS <= 4
    url = nobody_listens() if way == "refused" else "http://pictures.invalid"
    monkeypatch.setattr(http, "CONNECT_SECONDS", 0.3)

    def look_up(*_, **__):
        if way == "no name":
            raise socket.gaierror(-3, "Temporary failure in name resolution")
        time.sleep(2)

    if way in ("no name", "the look-up hangs"):
        monkeypatch.setattr(socket, "getaddrinfo", look_up)
    elif way == "no answer":
        monkeypatch.setattr(socket, "create_connection", lambda *_, **__: time.sleep(2))
    started = time.perf_counter()
    with pytest.raises(ConnectionError, match="no connection to .*Connect to the inter.*Do witho"):
        fetch_file(f"{url}/a", tmp_path / "a", "The file", "Do without it.")
    assert_quick(time.perf_counter() - started, 1.3)  # a second beside the time-out


def test_a_server_that_goes_silent_is_given_up(server, tmp_path, monkeypatch):
    monkeypatch.setattr(http, "SILENCE_SECONDS", 0.2)
    server.files["/a.bin"], server.silent_for = b"content", 1200
    started = time.perf_counter()
    with pytest.raises(ConnectionError, match="timed out"):
        fetch(server, tmp_path / "a.bin")
    assert_quick(time.perf_counter() - started, 2)


def test_a_file_larger_than_the_disk_or_than_allowed_is_refused_before_it_comes(
    server, tmp_path, monkeypatch
):
    server.files["/a.bin"] = bytes(50_000)
    with monkeypatch.context() as patch:
        patch.setattr(http.shutil, "disk_usage", lambda _: shutil_usage(free=49_999))
        with pytest.raises(OSError, match="50,000 bytes are needed and 49,999.*SIMLIB_HOME"):
            fetch(server, tmp_path / "a.bin")
    monkeypatch.setattr(http, "LARGEST_FILE", 49_999)
    with pytest.raises(ConnectionError, match="larger than 49,999 bytes"):
        fetch(server, tmp_path / "a.bin")
    assert not (tmp_path / "a.bin").exists()


def shutil_usage(free):
    return type("Usage", (), {"free": free})


def test_a_proxy_is_asked_instead_of_the_server(server, tmp_path, monkeypatch):
    """In many companies no name of the world outside can be looked up."""
    server.files["http://pictures.invalid/a.bin"] = b"content"  # a proxy is asked for whole URLs
    monkeypatch.setenv("HTTP_PROXY", server.url)
    fetch_file("http://pictures.invalid/a.bin", tmp_path / "a", "The file", "")
    assert (tmp_path / "a").read_bytes() == b"content"


def test_two_processes_fetch_a_file_once(server, tmp_path):
    server.files["/a.bin"], server.silent_for = os.urandom(500_000), 0.5
    script = """
import sys
from pathlib import Path
from simlib.downloads import http
http.fetch_file(sys.argv[1], Path(sys.argv[2]), "The file", "")
"""
    url = f"{server.url}/a.bin"
    processes = [start_python(script, url, tmp_path / "a.bin") for _ in range(2)]
    for process in processes:
        _, complaints = process.communicate(timeout=1200)
        assert process.returncode == 0, complaints
    assert (tmp_path / "a.bin").read_bytes() == server.files["/a.bin"]
    assert len(server.asked) == 1


# Archives

HOSTILE = {
    "garbage": (b"this is not an archive", "not a zip"),
    "nothing": (b"", "not a zip"),
    "tar, cut short": (tar(("1.jpg", os.urandom(5000)))[:3000], "end"),
    "tar, a flipped bit": (tar(("1.jpg", bytes(5000)))[:-6] + b"\0\0\0\0\0\0", "CRC"),
    "tar, out of the folder": (tar(("../../outside.jpg", b"x")), "outside the folder"),
    "tar, absolute": (tar(("/tmp/outside.jpg", b"x")), "outside the folder"),
    "tar, a link": (tar(("link.jpg", "/etc/passwd")), "neither a file nor a folder"),
    "tar, through a link": (tar(("d", ".."), ("d/outside.jpg", b"x")), "neither a file nor a f"),
    "tar, a pipe": (tar(("pipe.jpg", None)), "neither a file nor a folder"),
    "tar, twice": (tar(("1.jpg", b"x"), ("./1.jpg", b"y")), "twice"),
    "tar, file and folder": (tar(("1.jpg", b"x"), ("1.jpg/2.jpg", b"y")), "can't be used here"),
    "tar, too long a name": (tar(("n" * 300 + ".jpg", b"x")), "can't be used here"),
    "tar, a bomb": (tar(("1.jpg", bytes(200_000))), "unpacks to more than 100,000"),
    "tar, a bomb in the header": (
        tar(("1.jpg", b"x"), pax={"comment": "x" * 8_000_000}.items()), "a header of 8,000",
    ),
    "tar, many": (tar(*((f"{n}.jpg", b"") for n in range(60))), "more than 50 members"),
    "zip, cut short": (zipped(("1.jpg", os.urandom(5000)))[:3000], "not a zip"),
    "zip, a flipped bit": (
        zipped(("1.jpg", bytes(5000))).replace(b"\xed\xc1", b"\xed\xc2", 1), "CRC|decompress",
    ),
    "zip, out of the folder": (zipped(("../../outside.jpg", b"x")), "outside the folder"),
    "zip, absolute": (zipped(("/tmp/outside.jpg", b"x")), "outside the folder"),
    "zip, as on Windows": (zipped(("..\\outside.jpg", b"x")), "outside the folder"),
    "zip, a link": (zipped(("link.jpg", "/etc/passwd")), "neither a file nor a folder"),
    "zip, twice": (zipped(("a/1.jpg", b"x"), ("a//1.jpg", b"y")), "twice"),
    "zip, a bomb": (zipped(("1.jpg", bytes(200_000))), "unpacks to more than 100,000"),
    "zip, a bomb that lies": (
        zipped(("1.jpg", bytes(200_000))).replace(struct.pack("<I", 200_000), b"\1\0\0\0"), ".",
    ),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_is_refused_and_leaves_nothing_behind(name, tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "LARGEST_CONTENT", 100_000)
    monkeypatch.setattr(archives, "MOST_MEMBERS", 50)
    content, reason = HOSTILE[name]
    folder = tmp_path / "a" / "b" / "content"
    (tmp_path / "archive").write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=reason):
            archives.unpack(tmp_path / "archive", folder)
        assert tracemalloc.get_traced_memory()[1] < 3e6
    finally:
        tracemalloc.stop()
    left = [path.name for path in tmp_path.rglob("*") if path.is_file()]
    assert left == ["archive"] and not folder.exists()


@pytest.mark.parametrize("kind", [tar, zipped])
def test_a_good_archive_is_unpacked_whole(kind, tmp_path):
    members = {"a/1.jpg": b"one", "a/b/2.jpg": bytes(70_000), "کفش.jpg": b"", "./3 .jpg": b"3"}
    (tmp_path / "archive").write_bytes(kind(*members.items()))
    archives.unpack(tmp_path / "archive", tmp_path / "content")
    for name, content in members.items():
        assert (tmp_path / "content" / name).read_bytes() == content
    assert sum(path.is_file() for path in (tmp_path / "content").rglob("*")) == 4


def test_a_disk_that_fills_up_while_unpacking_is_said_and_nothing_is_kept(tmp_path, monkeypatch):
    (tmp_path / "archive").write_bytes(tar(("1.jpg", bytes(50_000))))
    monkeypatch.setattr(archives.shutil, "disk_usage", lambda _: shutil_usage(free=49_999))
    with pytest.raises(OSError, match="no room for the 50,000 bytes"):
        archives.unpack(tmp_path / "archive", tmp_path / "content")
    assert not (tmp_path / "content").exists()


# The clothing catalogue


@pytest.fixture
def clothing(server, monkeypatch):
    monkeypatch.setattr(catalogue, "CLOTHING", f"{server.url}/clothing.tar.gz")
    monkeypatch.setattr(catalogue, "CLOTHING_PICTURES", 2)
    members = [(f"c-1/train/{kind}/1.jpg", picture_bytes()) for kind in ("hat", "dress")]
    server.files["/clothing.tar.gz"] = tar(*members, ("c-1/README.md", os.urandom(30_000)))
    return server


def test_the_clothing_catalogue_is_downloaded_once_and_listed(clothing, simlib_home):
    first, second = (simlib.load_catalogue("clothing") for _ in range(2))
    assert first["category"].tolist() == ["dress", "hat"]
    assert first.equals(second) and len(clothing.asked) == 1
    assert [path.name[:9] for path in simlib_home.iterdir()] in (
        ["locks", "clothing-"], ["clothing-", "locks"],
    )  # fmt: skip


def test_a_catalogue_that_breaks_off_is_never_taken_for_a_whole_one(clothing, simlib_home):
    clothing.break_off_at, clothing.breaks = 2**14, 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(http, "TRIES", 0)
        with pytest.raises(ConnectionError, match="The clothing catalogue.*'sample'\\) works off"):
            simlib.load_catalogue("clothing")
    assert stays_without(simlib_home, ".archive.part", ".archive.part.etag")
    assert len(simlib.load_catalogue("clothing")) == 2
    assert clothing.ranges_of("/clothing.tar.gz") == [None, "bytes=16384-"]


def test_too_few_pictures_or_a_damaged_archive_begin_anew(clothing, simlib_home, monkeypatch):
    good = clothing.files["/clothing.tar.gz"]
    few = tar(("1.jpg", b"x"))
    for bad, reason in ((few, "1 pictures instead of 2"), (b"<html>", "not a zip")):
        clothing.files["/clothing.tar.gz"] = bad
        with pytest.raises(ValueError, match=f"not unpacked: .*{reason}.*'sample'\\) works offlin"):
            simlib.load_catalogue("clothing")
        assert stays_without(simlib_home)
    clothing.files["/clothing.tar.gz"] = good
    assert len(simlib.load_catalogue("clothing")) == 2


def test_a_kill_while_unpacking_is_mended_by_the_next_call(clothing, simlib_home, monkeypatch):
    def killed(archive, folder):
        folder.mkdir()
        (folder / "half.jpg").write_bytes(b"")
        raise KeyboardInterrupt  # after which, as after a kill, nobody tidies up

    with monkeypatch.context() as patch:
        patch.setattr(http, "unpack", killed)
        with pytest.raises(KeyboardInterrupt):
            simlib.load_catalogue("clothing")
    image_df = simlib.load_catalogue("clothing")
    assert len(image_df) == 2 and len(clothing.asked) == 1  # what was downloaded is used


def test_without_a_network_a_catalogue_is_a_sentence_that_names_the_sample(monkeypatch):
    monkeypatch.setattr(catalogue, "CLOTHING", f"{nobody_listens()}/a.tar.gz")
    started = time.perf_counter()
    with pytest.raises(ConnectionError, match="no connection to 127.*'sample'\\) works offline"):
        simlib.load_catalogue("clothing")
    assert_quick(time.perf_counter() - started, 5)


# Digikala, by the real kagglehub


@pytest.fixture
def kaggle_server(server, monkeypatch, tmp_path):
    from kagglesdk import kaggle_env

    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "LOCALHOST")
    monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.LOCAL, server.url)
    monkeypatch.setenv("HOME", str(tmp_path / "somebody"))  # who may have a token
    for name in ("KAGGLEHUB_CACHE", "KAGGLE_API_TOKEN", "KAGGLE_USERNAME", "KAGGLE_KEY"):
        monkeypatch.delenv(name, raising=False)
    members = [(f"{colour}/1.jpg", picture_bytes()) for colour in ("red", "blue")]
    server.put_dataset(zipped(*members, ("padding.bin", os.urandom(3_000_000))))
    return server


def test_digikala_comes_from_kaggle_once_and_has_its_colours(kaggle_server, simlib_home):
    first = simlib.load_catalogue("digikala")
    assert first["colour"].tolist() == ["blue", "red"]
    assert all(path.startswith(str(simlib_home)) for path in first["img_path"])
    asked = len(kaggle_server.asked)
    kaggle_server.close()  # the second call needs no network at all
    assert simlib.load_catalogue("digikala").equals(first)
    assert len(kaggle_server.asked) == asked


def test_digikala_goes_on_where_it_was_broken_off(kaggle_server):
    kaggle_server.break_off_at, kaggle_server.breaks = 2_500_000, 1
    with pytest.raises(ConnectionError, match="what has arrived is kept"):
        simlib.load_catalogue("digikala")
    assert len(simlib.load_catalogue("digikala")) == 2
    (resumed,) = [asked for _, asked in kaggle_server.asked if asked]
    assert resumed.startswith("bytes=2") and resumed != "bytes=0-"


def test_where_kaggle_wants_a_token_the_three_steps_are_named(kaggle_server, monkeypatch):
    kaggle_server.token = "my-token"
    with pytest.raises(ConnectionError) as caught:
        simlib.load_catalogue("digikala")
    for part in ("403", "(1) sign in", "(2) choose “Gen", "access_token", "(3) try", "'sample'"):
        assert part in str(caught.value)
    monkeypatch.setenv("KAGGLE_API_TOKEN", "my-token")
    kaggle_server.redirects.clear()  # the storage wants none
    kaggle_server.files["/api/v1/datasets.DatasetApiService/DownloadDataset"] = kaggle_server.files[
        "/storage/archive.zip"
    ]
    assert len(simlib.load_catalogue("digikala")) == 2


FROM_KAGGLE = {
    "garbage": (b"<html>" * 1000, "Unsupported archive"),
    "cut short": (zipped(("1.jpg", os.urandom(50_000)))[:30_000], "Unsupported archive"),
    "a flipped bit": (
        zipped(("1.jpg", bytes(5000))).replace(b"\xed\xc1", b"\xed\xc2", 1), "CRC|comp",
    ),
    "a link out": (tar(("link.jpg", "/etc/passwd")), "."),
    "a link inside": (tar(("1.jpg", b"x"), ("link.jpg", "1.jpg")), "neither a file nor a folder"),
    "a bomb": (zipped(("1.jpg", bytes(200_000))), "unpacks to more than 100,000"),
    "many": (zipped(*((f"{n}.jpg", b"") for n in range(60))), "more than 50 members"),
    "too long a name": (zipped(("n" * 300 + ".jpg", b"x")), "name"),
}  # fmt: skip


@pytest.mark.parametrize("name", FROM_KAGGLE)
def test_a_hostile_archive_from_kaggle_is_refused(name, kaggle_server, simlib_home, monkeypatch):
    monkeypatch.setattr(archives, "LARGEST_CONTENT", 100_000)
    monkeypatch.setattr(archives, "MOST_MEMBERS", 50)
    archive, reason = FROM_KAGGLE[name]
    kaggle_server.put_dataset(archive)
    with pytest.raises(ValueError, match=f"from Kaggle damaged.*{reason}.*'sample'"):
        simlib.load_catalogue("digikala")
    left = [path for path in simlib_home.rglob("*") if path.is_file() and path.suffix != ".lock"]
    assert left == []
    kaggle_server.put_dataset(zipped(("red/1.jpg", picture_bytes())))
    assert simlib.load_catalogue("digikala")["colour"].tolist() == ["red"]


def test_names_that_lead_out_of_the_folder_stay_inside(kaggle_server, simlib_home):
    members = [(name, picture_bytes()) for name in ("../../../../outside.jpg", "/etc/red/2.jpg")]
    kaggle_server.put_dataset(zipped(*members))
    found = sorted(map(Path, simlib.load_catalogue("digikala")["img_path"]))
    (unpacked,) = simlib_home.glob("kaggle/datasets/*/*/versions/3")
    assert found == [unpacked / "etc/red/2.jpg", unpacked / "outside.jpg"]
    assert sorted(simlib_home.rglob("*.jpg")) == found


def test_a_disk_that_fills_up_is_not_called_a_network_that_fails(kaggle_server, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("kagglehub.dataset_download", full)
    with pytest.raises(OSError, match="catalogue can't be stored in .*SIMLIB_HOME.*'sample'"):
        simlib.load_catalogue("digikala")


@pytest.mark.parametrize("way", ["unreachable", "silent"])
def test_kaggle_out_of_reach_is_a_sentence_soon(kaggle_server, monkeypatch, way):
    if way == "unreachable":
        kaggle_server.close()
    else:
        monkeypatch.setattr(http, "SILENCE_SECONDS", 0.2)
        kaggle_server.silent_for = 1200
    started = time.perf_counter()
    with pytest.raises(ConnectionError, match="Kaggle.*(no conn|timed out).*'sample'\\) works"):
        simlib.load_catalogue("digikala")
    assert_quick(time.perf_counter() - started, 3)


def test_what_kagglehub_has_already_is_used(monkeypatch, tmp_path, kaggle_server):
    folder = tmp_path / "somebody/.cache/kagglehub/datasets" / catalogue.DIGIKALA
    for version, marked in (("2", True), ("10", True), ("11", False)):
        (folder / "versions" / version / "red").mkdir(parents=True)
        (folder / "versions" / version / "red" / f"{version}.jpg").write_bytes(picture_bytes())
        if marked:
            (folder / f"{version}.complete").touch()
    (path,) = simlib.load_catalogue("digikala")["img_path"]
    assert path.endswith("10.jpg") and kaggle_server.asked == []  # 11 was broken off


def test_a_home_that_cannot_be_written_is_a_sentence(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("SIMLIB_HOME", str(tmp_path / "file"))
    with pytest.raises(OSError, match="can't be stored in .*file.*SIMLIB_HOME names another fold"):
        fetch_archive("http://127.0.0.1:9/a", "a", "The catalogue", "")
