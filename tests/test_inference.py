"""What a user loses when these fail: speed, or the same numbers from every backend."""

import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec

import numpy as np
import pytest
from average_colours import run_python
from PIL import Image

from simlib.networks import inference
from simlib.networks.inference import load_network, network_threads

if find_spec("openvino") is None:  # found without being imported, which would report to a server
    pytest.skip("OpenVINO is not installed", allow_module_level=True)
if not inference.has_openvino():
    pytest.skip("ONEDNN_MAX_CPU_ISA keeps OpenVINO away", allow_module_level=True)
PICTURE = np.zeros((16, 16, 3), dtype=np.uint8)


class Payload:
    """A pickle that leaves a mark where it is opened without care."""

    def __init__(self, mark):
        self.mark = str(mark)

    def __reduce__(self):
        return open, (self.mark, "w")


class Builder:
    """Builds a small network, and counts how often."""

    def __init__(self):
        self.built = 0

    def __call__(self):
        import torch

        class Small(torch.nn.Module):
            def __init__(self):
                super().__init__()
                torch.manual_seed(0)
                self.body = torch.nn.Sequential(
                    torch.nn.Conv2d(3, 32, 3), torch.nn.ReLU6(), torch.nn.AdaptiveAvgPool2d(2)
                )

            def forward(self, pictures):
                pixels = pictures.permute(0, 3, 1, 2).float() / 127.5 - 1
                return self.body(pixels.to(self.body[0].weight.dtype)).flatten(1)

        self.built += 1
        return Small()


@pytest.fixture
def build():
    return Builder()


@pytest.fixture(scope="module")
def pictures():
    return np.random.default_rng(0).integers(0, 256, (9, *PICTURE.shape), dtype=np.uint8)


@pytest.fixture(scope="module")
def expected(pictures):
    network = load_network("small", "the same", Builder(), PICTURE, backend="torch")
    assert network.backend == "torch float32"
    return network(pictures)


def load(build, **options):
    return load_network("small", "the same", build, PICTURE, **options)


def kept_in(home):
    return list((home / "networks").iterdir())


def test_openvino_gives_what_torch_gives_and_says_that_it_did(build, pictures, expected):
    network = load(build)
    assert network.backend == "openvino float32"
    found = network(pictures)
    assert found.dtype == np.float32 and found.shape == (9, 128)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_pictures_embedding_does_not_depend_on_its_batch(build, pictures):
    network = load(build)
    together = network(pictures)
    for batch in (1, 2, 4):
        parts = [network(pictures[start : start + batch]) for start in range(0, 9, batch)]
        np.testing.assert_array_equal(np.concatenate(parts), together)
    assert network(pictures[:0]).shape == (0, 128)


def test_the_network_is_converted_once(build, pictures, expected, simlib_home):
    load(build)
    again = load(build)
    assert build.built == 1 and len(kept_in(simlib_home)) == 1
    np.testing.assert_allclose(again(pictures), expected, atol=1e-5)
    load_network("small", "other weights", build, PICTURE)
    assert build.built == 2 and len(kept_in(simlib_home)) == 2


@pytest.mark.parametrize("backend", ["torch", "openvino"])
def test_a_batch_that_cannot_be_written_to_is_read_without_a_word(build, pictures, backend):
    if backend == "openvino" and not inference.has_openvino():
        pytest.skip("OpenVINO is not installed")
    network = load(build, backend=backend)
    frozen = pictures.copy()
    frozen.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(network(frozen), network(pictures))


@pytest.mark.parametrize(
    "damage", ["cut short", "empty", "no archive", "a bit", "another network", "a pickle"]
)
def test_a_damaged_converted_network_is_made_anew(build, pictures, expected, simlib_home, damage):
    load(build)
    (path,) = kept_in(simlib_home)
    content = bytearray(path.read_bytes())
    if damage == "a bit":
        content[len(content) // 2] ^= 4
    elif damage == "another network":
        np.savez(path, xml=np.zeros(9, dtype=np.uint8), weights=np.zeros(9, dtype=np.uint8))
        content = path.read_bytes()
    elif damage == "a pickle":  # by somebody who can write to SIMLIB_HOME
        mark = np.array([Payload(simlib_home / "it-ran")], dtype=object)
        np.savez(path, xml=mark, weights=mark)
        content = path.read_bytes()
    path.write_bytes({"cut short": content[:-40], "empty": b"", "no archive": b"x" * 99}.get(
        damage, content
    ))  # fmt: skip
    with pytest.warns(UserWarning, match="can't be read.*converted again"):
        network = load(build)
    np.testing.assert_allclose(network(pictures), expected, atol=1e-5)
    assert build.built == 2 and not (simlib_home / "it-ran").exists()
    load(build)  # from here on it is intact again
    assert build.built == 2


def test_a_folder_that_cannot_be_written_costs_only_the_next_conversion(
    build, pictures, expected, simlib_home
):
    (simlib_home / "networks").write_text("a file where the folder should be")
    with pytest.warns(UserWarning, match="not kept.*SIMLIB_HOME"):
        network = load(build)
    np.testing.assert_allclose(network(pictures), expected, atol=1e-5)


def test_several_may_convert_at_once(pictures, expected, simlib_home):
    barrier = threading.Barrier(3)

    def convert(_):
        barrier.wait()
        return load(Builder())(pictures)

    with ThreadPoolExecutor(3) as executor:
        for found in executor.map(convert, range(3)):
            np.testing.assert_allclose(found, expected, atol=1e-5)
    assert len(kept_in(simlib_home)) == 1


def test_several_threads_may_share_a_network(build, pictures, expected):
    network = load(build)
    with ThreadPoolExecutor(4) as executor:
        for start, found in enumerate(executor.map(lambda n: network(pictures[n:]), range(8))):
            np.testing.assert_allclose(found, expected[start:], atol=1e-5)


def test_without_openvino_torch_does_the_work(build, pictures, expected, monkeypatch):
    monkeypatch.setattr(inference, "find_spec", lambda name: None)
    network = load(build)
    assert network.backend == "torch float32"
    np.testing.assert_array_equal(network(pictures), expected)


def test_an_openvino_that_cannot_be_loaded_is_named_and_done_without(
    build, pictures, expected, monkeypatch
):
    def fail():
        raise ImportError("GLIBC_2.35 not found")

    monkeypatch.setattr(inference, "import_openvino", fail)
    with pytest.warns(UserWarning, match="can't be loaded .GLIBC_2.35 not found.*torch"):
        network = load(build)
    np.testing.assert_array_equal(network(pictures), expected)


@pytest.mark.parametrize("backend", ["torch", "openvino"])
def test_bfloat16_is_there_on_request_and_close(build, pictures, expected, backend):
    network = load(build, precision="bfloat16", backend=backend)
    # A processor without it computes in float32, and says so.
    assert network.backend in {f"{backend} bfloat16", "openvino float32"}
    np.testing.assert_allclose(network(pictures), expected, atol=0.05)
    assert backend == "openvino" or not np.array_equal(network(pictures), expected)


def test_what_a_gpu_computes_in_float16_is_close(build, pictures, expected):
    """As far as a CPU can tell, on which it is refused since it is slow there."""
    network = inference._TorchNetwork(build(), "cpu", "float16")
    found = network(pictures)
    assert found.dtype == np.float32 and not np.array_equal(found, expected)
    np.testing.assert_allclose(found, expected, atol=0.01)


def test_a_wrong_wish_is_answered_with_the_choice(build):
    with pytest.raises(ValueError, match="precision='half' is unknown.*'float32', 'bfloat16'"):
        load(build, precision="half")
    with pytest.raises(ValueError, match="backend='tensorrt' is unknown.*'openvino' or 'torch'"):
        load(build, backend="tensorrt")
    with pytest.raises(ValueError, match="'float16' is for GPUs.*take 'bfloat16'"):
        load(build, precision="float16")
    with pytest.raises(ValueError, match="not on 'cuda'"):
        load(build, backend="openvino", device="cuda")


def test_pictures_that_do_not_fit_are_named(build, pictures):
    network = load(build)
    with pytest.raises(ValueError, match=r"uint8 \(16, 16, 3\).*got float32 \(16, 16, 3\)"):
        network(pictures.astype(np.float32))
    with pytest.raises(ValueError, match=r"got uint8 \(8, 16, 3\)"):
        network(pictures[:, :8])


def test_no_more_threads_than_torch_uses(monkeypatch):
    import torch

    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        assert network_threads() == 1
    finally:
        torch.set_num_threads(threads)


@pytest.mark.skipif(sys.platform != "linux", reason="a folder of that name may be elsewhere")
def test_openvino_sends_no_statistics_from_here(tmp_path):
    """Merely imported, it would write an identifier into ~/intel and report to a server."""
    run_python(
        """
import sys
from simlib.networks.inference import import_openvino
assert hasattr(import_openvino(), "Core")
assert import_openvino() is sys.modules["openvino"]
assert "openvino_telemetry" not in sys.modules
assert "openvino.tools.ovc.telemetry_stub" in sys.modules
""",
        HOME=str(tmp_path),
    )
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_where_onednn_is_held_to_older_processors_torch_gives_the_same(clip_encoder, shared_home):
    """OpenVINO would crash there, in the middle of a layer; on older processors it does not."""
    script = """
import sys
import numpy as np
from PIL import Image
import simlib
picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 40, 3), dtype=np.uint8))
encoder = simlib.load_encoder("clip", device="cpu")
print(encoder.backend)
print(*encoder.encode([picture])[0])
"""
    backend, values = run_python(
        script, ONEDNN_MAX_CPU_ISA="AVX2", SIMLIB_HOME=shared_home
    ).splitlines()
    assert backend == "torch float32"
    picture = np.random.default_rng(0).integers(0, 256, (60, 40, 3), dtype=np.uint8)
    usual = clip_encoder.encode([Image.fromarray(picture)])[0]
    cosine = np.dot(np.array(values.split(), float), usual)
    assert cosine == pytest.approx(1, abs=1e-4)
