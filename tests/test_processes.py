"""Encoders in other processes: forked, spawned, pickled. What a user loses when these fail: a job
that waits for ever, in a DataLoader's worker or a Pool, without a word."""

import copy
import multiprocessing
import os
import pickle
import signal
import sys

import numpy as np
import pytest
from average_colours import AverageColours, run_python
from PIL import Image

import simlib
from simlib.encoders.simclr import SimclrEncoder

GENEROUS = 1200  # seconds; none of these waits for the clock
OPTIONS = {
    "pixels": {"size": (4, 4)},
    "towhee": {"device": "cpu"},
    "simclr": {"device": "cpu"},
    "simclr on torch": {"device": "cpu", "backend": "torch"},
    "clip": {"device": "cpu"},
}
PICTURES = [Image.new("RGB", (70, 50), colour) for colour in ("red", "white", "olive")]
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system can't fork")


@pytest.fixture(autouse=True)
def one_home(shared_home, simlib_home, monkeypatch):
    """One home for all tests of this file, so that no process has to convert a network again."""
    monkeypatch.setenv("SIMLIB_HOME", shared_home)


@pytest.fixture(scope="module")
def encoders():
    """Each loaded once, and used, so that its threads are running."""
    loaded = {}

    def load(name):
        if name not in loaded:
            loaded[name] = simlib.load_encoder(name.partition(" ")[0], **OPTIONS[name])
            loaded[name].encode(PICTURES)
        return loaded[name]

    return load


def encode_in_child(encoder, connection):
    texts = encoder.encode_text(["a red bag"]) if hasattr(encoder, "encode_text") else None
    connection.send((encoder.encode(PICTURES), texts, os.getpid()))


def result_of(method, encoder):
    context = multiprocessing.get_context(method)
    ours, theirs = context.Pipe()
    process = context.Process(target=encode_in_child, args=(encoder, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        assert ours.poll(GENEROUS), "the child process hangs"
        result = ours.recv()
        process.join(GENEROUS)
        assert process.exitcode == 0
        return result
    finally:
        process.kill()
        process.join()


@pytest.mark.slow
@needs_fork
@pytest.mark.parametrize("name", OPTIONS)
def test_an_encoder_that_was_used_works_after_a_fork(name, encoders):
    encoder = encoders(name)
    embeddings, texts, process = result_of("fork", encoder)
    assert process != os.getpid()
    np.testing.assert_allclose(embeddings, encoder.encode(PICTURES), atol=1e-5)
    if name == "clip":
        np.testing.assert_allclose(texts, encoder.encode_text(["a red bag"]), atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", OPTIONS)
def test_an_encoder_can_be_sent_to_a_new_process(name, encoders):
    encoder = encoders(name)
    embeddings, _, process = result_of("spawn", encoder)
    assert process != os.getpid()
    np.testing.assert_allclose(embeddings, encoder.encode(PICTURES), atol=1e-5)


@needs_fork
def test_an_encoder_is_loaded_and_a_forked_one_dropped_in_a_child_that_exits_by_itself():
    """Without multiprocessing, which leaves by os._exit and frees nothing."""
    printed = run_python(
        """
import os, sys, simlib
from PIL import Image
encoder = simlib.load_encoder("simclr", device="cpu")
before = encoder.encode([Image.new("RGB", (9, 9))])
sys.stdout.flush()
process = os.fork()
if process == 0:
    encoder = simlib.load_encoder("simclr", device="cpu")
    print(abs(encoder.encode([Image.new("RGB", (9, 9))]) - before).max() < 1e-5)
    sys.exit()
print(os.waitpid(process, 0)[1])
"""
    )
    assert printed == "True\n0\n"


@pytest.fixture
def handler_of_child_signals():
    """A DataLoader leaves a handler of SIGCHLD behind.

    Called while the interpreter ends, on the stack that pytest's faulthandler has given back by
    then, it is a segmentation fault.
    """
    before = signal.getsignal(signal.SIGCHLD)
    yield
    signal.signal(signal.SIGCHLD, before)


@needs_fork
def test_a_pool_and_a_data_loader_encode(encoders, handler_of_child_signals):
    from torch.utils.data import DataLoader

    encoder = encoders("simclr")
    expected = encoder.encode(PICTURES)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        found = pool.map_async(encoder.encode, [[picture] for picture in PICTURES]).get(GENEROUS)
    np.testing.assert_allclose(np.concatenate(found), expected, atol=1e-5)

    class Pictures:
        def __len__(self):
            return len(PICTURES)

        def __getitem__(self, number):
            return encoder.encode([PICTURES[number]])[0]

    context = "fork"
    loader = DataLoader(
        Pictures(), batch_size=3, num_workers=1, timeout=GENEROUS, multiprocessing_context=context
    )
    (rows,) = loader
    np.testing.assert_allclose(rows.numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("name", OPTIONS)
def test_an_encoder_survives_pickling_and_copying(name, encoders):
    encoder = encoders(name)
    pickled = pickle.dumps(encoder)
    assert len(pickled) < 2_000  # the recipe travels, and not the weights
    for other in (pickle.loads(pickled), copy.copy(encoder), copy.deepcopy(encoder)):
        assert other is not encoder and other.recipe == encoder.recipe
        np.testing.assert_allclose(other.encode(PICTURES), encoder.encode(PICTURES), atol=1e-5)
        other.column = "renamed"
        assert encoder.column != "renamed"
    encoder = copy.copy(encoder)
    encoder.column = "renamed"
    assert pickle.loads(pickle.dumps(encoder)).column == "renamed"


def test_an_encoder_goes_through_joblib(encoders):
    from joblib import Parallel, delayed
    from joblib.externals.loky import get_reusable_executor

    encoder = encoders("simclr")
    try:
        (found,) = Parallel(n_jobs=2, timeout=GENEROUS)([delayed(encoder.encode)(PICTURES)])
    finally:
        get_reusable_executor().shutdown(wait=True)
    np.testing.assert_allclose(found, encoder.encode(PICTURES), atol=1e-5)


def test_a_users_own_encoder_is_pickled_as_python_does():
    encoder = AverageColours(recipe="mine")
    encoder.encode(PICTURES)
    assert pickle.loads(pickle.dumps(encoder)).encoded == 3


def test_a_network_in_memory_has_nothing_to_be_loaded_from():
    torch = pytest.importorskip("torch")
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 64 * 64, 2))
    encoder = SimclrEncoder.of_network(network, dim=2)
    with pytest.raises(TypeError, match="network in memory.*can't be pickled"):
        pickle.dumps(encoder)
    assert copy.deepcopy(encoder).dim == 2


def test_weights_that_have_changed_since_are_noticed(encoders, monkeypatch):
    pickled = pickle.dumps(encoders("simclr"))
    monkeypatch.setattr(sys.modules["simlib.encoders.simclr"], "PREPROCESSING", "another")
    with pytest.warns(UserWarning, match="gives other embeddings here"):
        pickle.loads(pickled)
