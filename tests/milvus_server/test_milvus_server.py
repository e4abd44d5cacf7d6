"""The same code against a real Milvus server, which is killed without warning and started again.

Run by `make test-milvus`, which puts the server's package into a folder of its own. The server
listens on all interfaces, so that these tests start it in a network namespace where there are
none but the loopback; that needs Linux and the administrator's rights (or rootless namespaces).
"""

import fcntl
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import simlib

PYTHON = os.environ.get("SIMLIB_MILVUS_PYTHON")
IN_NAMESPACE = "SIMLIB_MILVUS_NAMESPACE"
HERE = Path(__file__).parent
ROWS, DIM = 50_000, 64

SERVE = """
import sys
from milvus import default_server as server
server.set_base_dir(sys.argv[1])
server.config.set("common.security.authorizationEnabled", "true")
server.start()
print(server.listen_port, flush=True)
server.server_proc.wait()
"""

pytestmark = pytest.mark.skipif(
    not PYTHON or not os.environ.get(IN_NAMESPACE),
    reason="starts a Milvus server: make test-milvus",
)


class Server:
    """A Milvus server with its data in a folder; it asks for a token."""

    def __init__(self, folder):
        self.folder = folder
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [PYTHON, "-c", SERVE, str(self.folder)],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        line = self.process.stdout.readline()
        assert line.strip().isdigit(), "the server did not start; see the logs in its folder"
        self.uri = f"http://127.0.0.1:{line.strip()}"

    def kill(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture(scope="module")
def server():
    with tempfile.TemporaryDirectory() as folder:  # hundreds of MB, gone with the server
        server = Server(folder)
        yield server
        server.kill()


@pytest.fixture(autouse=True)
def token(monkeypatch):
    monkeypatch.setenv("MILVUS_TOKEN", "root:Milvus")  # the first one of every server


def random_frame(count, dim=DIM, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "img_path": [f"{number}.jpg" for number in range(count)],
            "own": list(rng.normal(size=(count, dim)).astype(np.float32)),
            "colour": rng.choice(["red", "green", "blue"], count),
            "price": rng.random(count),
        }
    )


def test_a_server_in_the_open_would_be_reachable_so_there_is_no_way_out_of_here():
    interfaces = os.listdir("/sys/class/net") if Path("/sys/class/net").is_dir() else []
    routes = Path("/proc/net/route").read_text().splitlines()[1:]
    assert routes == [], (interfaces, routes)


def test_every_acknowledged_row_is_there_after_the_server_was_killed(server):
    frame = random_frame(ROWS)
    acknowledged = []
    index = simlib.build_index(frame.head(1), "own", uri=server.uri, name="killed", progress=False)
    for start in range(1, ROWS, 2_500):
        part = frame.iloc[start : start + 2_500]
        index.upsert(part)  # returns once the server has acknowledged
        acknowledged += part.index.tolist()
    server.kill()  # at once: nothing was flushed, no index was waited for
    with pytest.raises(ConnectionError, match="stopped answering"):
        index._connection.call("list_collections", timeout=3)
    index.close()

    server.start()
    with simlib.open_index(server.uri, "killed") as index:
        assert index.count() == ROWS
        labels = list(index._fingerprints())
        assert sorted(labels) == frame.index.tolist()
        assert set(acknowledged) <= set(labels)
        for label in (1, ROWS // 2, ROWS - 1):
            found = index.search(frame["own"].iloc[label], k=1)
            assert found["index"].tolist() == [label]


def test_building_is_continued_after_a_kill_and_counted(server):
    frame = random_frame(20_000, seed=1)
    simlib.build_index(
        frame.iloc[:7_000], "own", uri=server.uri, name="continued", progress=False
    ).close()
    server.kill()
    server.start()
    with simlib.build_index(
        frame, "own", uri=server.uri, name="continued", progress=False
    ) as index:
        assert index.count() == 20_000
        assert (index.built.written, index.built.unchanged) == (13_000, 7_000)
        found = index.search(frame["own"].iloc[5], k=1)
        assert found["index"].tolist() == [5]
    with simlib.build_index(
        frame.iloc[100:], "own", uri=server.uri, name="continued", progress=False
    ) as index:
        assert (index.count(), index.built.removed) == (19_900, 100)


@pytest.mark.parametrize("kind", ["FLAT", "HNSW", "IVF_FLAT", "IVF_PQ"])
def test_the_same_search_as_exact_search(kind, server):
    frame = random_frame(3_000, seed=2)
    with simlib.build_index(
        frame, "own", uri=server.uri, name=f"by_{kind}", index=kind, progress=False
    ) as index:
        recall = []
        for label in range(20):
            found = index.search(
                label, k=10, columns=["colour"], search_params={"ef": 100, "nprobe": 77}
            )
            expected = simlib.nearest(frame, "own", label, k=10)
            recall.append(found["index"].isin(expected["index"]).mean())
            if kind == "FLAT":
                assert found["index"].tolist() == expected["index"].tolist()
                assert np.allclose(
                    found["cosine_similarity"], expected["cosine_similarity"], atol=1e-5
                )
        # Product quantisation keeps a byte for 8 numbers; of random ones, little is left.
        assert np.mean(recall) > (0.05 if kind == "IVF_PQ" else 0.9), np.mean(recall)


@pytest.mark.parametrize("metric", ["IP", "L2"])
def test_the_other_metrics(metric, server):
    frame = random_frame(500, seed=3)
    matrix = simlib.embedding_matrix(frame, "own")
    scores = matrix @ matrix[3]
    if metric == "L2":
        scores = -np.linalg.norm(matrix - matrix[3], axis=1)
    best = np.argsort(-scores)[:5]
    options = {"uri": server.uri, "name": f"by_{metric}", "index": "FLAT", "progress": False}
    with simlib.build_index(frame, "own", metric=metric, **options) as index:
        found = index.search(matrix[3], k=5)
    column = {"IP": "inner_product", "L2": "euclidean_distance"}[metric]
    assert found["index"].tolist() == best.tolist()
    assert np.allclose(found[column], np.abs(scores[best]), atol=1e-3)


def test_filters_upserts_and_deletes_are_seen_at_once(server):
    hostile = ['red" or price >= 0 or colour == "', "a'b\\", "two\nlines\tä 赤 {x}", ""]
    frame = random_frame(len(hostile) + 4, seed=4)
    frame.loc[: len(hostile) - 1, "colour"] = hostile
    with simlib.build_index(frame, "own", uri=server.uri, name="seen", progress=False) as index:
        for label, text in enumerate(hostile):
            found = index.search(
                frame["own"].iloc[0], k=9, filter="colour == {c}", filter_params={"c": text}
            )
            assert found["index"].tolist() == [label]
        changed = frame.iloc[[2]].assign(own=[-frame["own"].iloc[2]], colour="violet")
        index.upsert(changed)
        found = index.search(changed["own"].iloc[0], k=1, columns=["colour"])
        assert found[["index", "colour"]].values.tolist() == [[2, "violet"]]
        assert index.delete([2, 3, 777]) == 2
        assert index.count() == len(frame) - 2
        assert 2 not in index.search(changed["own"].iloc[0], k=9)["index"].tolist()
        assert index.delete(filter="price >= 0") == len(frame) - 2
        assert index.count() == 0
        with pytest.raises(ValueError, match="'size == 3' cannot be used"):
            index.search(frame["own"].iloc[0], filter="size == 3")


def test_a_server_on_this_machine_is_not_asked_through_a_proxy(server, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # where nobody answers
    monkeypatch.delenv("no_proxy", raising=False)
    options = {"uri": server.uri, "name": "by_proxy", "progress": False}
    with simlib.build_index(random_frame(5), "own", **options) as index:
        assert index.count() == 5


def test_all_columns_that_may_go_along_can_be_filtered_by(server):
    frame = random_frame(5).assign(**{f"column_{number}": number for number in range(58)})
    options = {"uri": server.uri, "name": "columns", "progress": False}
    with simlib.build_index(frame, "own", **options) as index:
        assert len(index.columns) == 61
        assert index.count("column_57 == {n}", {"n": 57}) == 5


def test_shards_go_in_and_follow_the_folder(server, tmp_path):
    from simlib.catalogue import SAMPLE_FOLDER

    shutil.copytree(SAMPLE_FOLDER / "red", tmp_path / "red")
    encoder = simlib.load_encoder("pixels", size=(4, 4))
    for expected in (96, 95):
        simlib.embed_folder(tmp_path / "red", tmp_path / "shards", encoder, 30, progress=False)
        with simlib.index_shards(
            tmp_path / "shards", uri=server.uri, name="shards", progress=False
        ) as index:
            assert index.count() == expected
        next((tmp_path / "red").rglob("*.*g")).unlink()


def test_a_collection_of_another_dimension_is_refused(server):
    frame = random_frame(10, dim=8)
    simlib.build_index(frame, "own", uri=server.uri, name="small", progress=False).close()
    with pytest.raises(ValueError, match="holds 8 values from 'own' .* not 4"):
        simlib.build_index(
            random_frame(10, dim=4), "own", uri=server.uri, name="small", progress=False
        )


@pytest.mark.parametrize("token", ["root:open sesame", "nobody:open sesame", ""])
def test_a_wrong_token_is_refused_and_shown_nowhere(token, server, monkeypatch):
    monkeypatch.setenv("MILVUS_TOKEN", token)
    with pytest.raises(PermissionError, match="refuses the user.*MILVUS_TOKEN") as raised:
        simlib.open_index(server.uri)
    assert "sesame" not in repr(raised.value)


def test_the_right_token_is_shown_nowhere_either(server):
    options = {"uri": server.uri, "name": "secret", "progress": False}
    with simlib.build_index(random_frame(10), "own", **options) as index:
        assert "root:Milvus" not in repr(index) + repr(vars(index._connection))


if __name__ == "__main__":
    if IN_NAMESPACE not in os.environ:  # a namespace of its own: a loopback, and nothing else
        if shutil.which("unshare") is None:
            sys.exit("This needs Linux and the command unshare (Debian: apt install util-linux).")
        rootless = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        os.environ[IN_NAMESPACE] = "1"
        os.execvp("unshare", ["unshare", "--net", *rootless, sys.executable, *sys.argv])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        set_flags, up = 0x8914, 1  # SIOCSIFFLAGS, IFF_UP
        fcntl.ioctl(any_socket, set_flags, struct.pack("16sh", b"lo", up))
    nothing_stays = ["-o", "tmp_path_retention_policy=failed"]  # but what a failure needs
    sys.exit(pytest.main([str(HERE), *nothing_stays, *sys.argv[1:]]))
