"""Strategy 3: the SimCLR encoder, the published checkpoint from hostile places, and training."""

import argparse
import json
import os
import pickle
import subprocess
import sys
import time
import warnings
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from loopback import loopback
from PIL import Image
from quiet_machine import assert_quick

from simlib.downloads import http
from simlib.encoders.simclr import SimclrEncoder
from simlib.networks import simclr_published, simclr_resnet
from simlib.networks.simclr_resnet import dim_of
from simlib.storage.hashing import sha256_of
from simlib.training import bolts
from simlib.training.simclr import train

torch = pytest.importorskip("torch")


def noise_picture(seed, side=40):
    pixels = np.random.default_rng(seed).integers(0, 256, (5, 5, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize((side, side + 10), Image.Resampling.BICUBIC)


def bolts_module(arch):
    with bolts.known_warnings_silenced():
        return bolts.simclr_class()(
            gpus=0, num_samples=1, batch_size=1, dataset="", arch=arch, hidden_mlp=dim_of(arch)
        )


# --- the compact weights -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def compact():
    return SimclrEncoder(device="cpu")


def test_an_embedding_does_not_hang_on_the_call_or_on_its_neighbours_in_the_batch(compact):
    pictures = [noise_picture(seed) for seed in range(5)]
    embeddings = compact.encode(pictures)
    assert embeddings.shape == (5, compact.dim) == (5, 512)
    assert embeddings.dtype == np.float32
    np.testing.assert_array_equal(compact.encode(pictures), embeddings)
    alone = np.concatenate([compact.encode([picture]) for picture in pictures])
    np.testing.assert_allclose(alone, embeddings, atol=1e-4)  # in train mode it would be far off
    assert np.linalg.norm(embeddings[0] - embeddings[1]) > 0.1  # it tells pictures apart
    assert compact.encode([]).shape == (0, 512)


def test_a_shoe_that_points_left_is_the_same_as_one_that_points_right(compact):
    picture = noise_picture(7, side=64).resize((64, 64))
    mirrored = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    np.testing.assert_allclose(*compact.encode([picture, mirrored]), atol=1e-4)


def test_the_encoder_reads_pictures_as_the_tutorial_does(compact):
    with bolts.known_warnings_silenced():
        from pl_bolts.transforms.dataset_normalizations import imagenet_normalization
    from torchvision.transforms import Compose, Resize, ToTensor

    picture = noise_picture(1, side=200)
    tutorial = Compose([Resize((64, 64)), ToTensor(), imagenet_normalization()])(picture)
    np.testing.assert_allclose(compact.prepare(picture), tutorial.numpy(), atol=1e-6)


def test_the_last_stage_is_the_network_as_the_paper_reads_it(compact):
    import torchvision

    weights = simclr_resnet.read_parts(simclr_resnet.COMPACT_PATH)[0]["encoder"]
    network = torchvision.models.resnet18(weights=None)
    network.fc = torch.nn.Identity()
    network.load_state_dict(weights)
    encoder = pickle.loads(pickle.dumps(SimclrEncoder(device="cpu", last_stage=True)))
    pictures = [noise_picture(seed) for seed in range(3)]
    batch = torch.from_numpy(np.stack([encoder.prepare(picture) for picture in pictures]))
    with torch.inference_mode():
        expected = network.eval()(batch).numpy()
    np.testing.assert_allclose(encoder.encode(pictures), expected, atol=1e-3)
    assert encoder.dim == expected.shape[1] and encoder.recipe != compact.recipe


def test_load_encoder_knows_simclr():
    from simlib.encoders import load_encoder

    encoder = load_encoder("simclr", device="cpu")
    assert (encoder.name, encoder.column) == ("simclr", "simclr_img_embeddings")
    assert simclr_resnet.COMPACT_SHA256 in encoder.recipe


def test_a_network_that_was_converted_before_is_not_built_again(simlib_home, monkeypatch):
    first = SimclrEncoder(device="cpu")
    if not first.backend.startswith("openvino"):
        pytest.skip("torch runs the network itself here")
    monkeypatch.setattr(simclr_resnet, "build", None)  # can't be called
    picture = noise_picture(0)
    again = SimclrEncoder(device="cpu")
    np.testing.assert_array_equal(again.encode([picture]), first.encode([picture]))


def test_changed_compact_weights_are_refused(tmp_path, monkeypatch):
    assert simclr_resnet.COMPACT_PATH.stat().st_size <= 24e6
    changed = bytearray(simclr_resnet.COMPACT_PATH.read_bytes())
    changed[-1] ^= 1
    monkeypatch.setattr(simclr_resnet, "COMPACT_PATH", tmp_path / "weights.safetensors")
    simclr_resnet.COMPACT_PATH.write_bytes(changed)
    with pytest.raises(ValueError, match="damaged or were changed"):
        SimclrEncoder(device="cpu")
    simclr_resnet.COMPACT_PATH.unlink()
    with pytest.raises(FileNotFoundError, match="git restore data"):
        SimclrEncoder(device="cpu")


@pytest.mark.slow
def test_loading_and_encoding_say_nothing_on_stderr():
    code = (
        "from PIL import Image; from simlib.encoders.simclr import SimclrEncoder;"
        "print(SimclrEncoder(device='cpu').encode([Image.new('RGB', (9, 9))]).shape)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "(1, 512)"
    assert run.stderr == ""


def test_only_the_named_warnings_are_silenced():
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        with bolts.known_warnings_silenced():
            warnings.warn("In the future `np.object` will be defined as", FutureWarning, 1)
            warnings.warn("In the future all will be well", FutureWarning, 1)
    assert [str(warning.message) for warning in seen] == ["In the future all will be well"]


# --- the published weights -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def published_state():
    """The state of bolts' true SimCLR ResNet-50, random, as a checkpoint of 2020 held it."""
    torch.manual_seed(0)
    state = bolts_module("resnet50").state_dict()
    state = {name: t.half() if t.is_floating_point() else t for name, t in state.items()}
    return state | {"non_linear_evaluator.block_forward.0.weight": torch.zeros(2)}


@pytest.fixture(scope="module")
def published_bytes(published_state, tmp_path_factory):
    path = tmp_path_factory.mktemp("published") / "simclr_imagenet.ckpt"
    with bolts.known_warnings_silenced():
        from pytorch_lightning.callbacks import ModelCheckpoint
    bookkeeping = {
        "callbacks": {ModelCheckpoint: {"best_model_score": np.float64(0.5)}},  # keyed by class
        "hyper_parameters": argparse.Namespace(arch="resnet50"),
    }
    torch.save({"state_dict": published_state, **bookkeeping}, path)
    return path.read_bytes()


@pytest.fixture
def serve(monkeypatch):
    """Make a server the home of the published weights."""
    monkeypatch.setattr(http, "time", SimpleNamespace(sleep=lambda seconds: None))
    with loopback() as server:
        monkeypatch.setattr(simclr_published, "URL", f"{server.url}/simclr.ckpt")

        def start(body):
            server.files["/simclr.ckpt"] = body
            return server

        yield start


def downloaded(home):
    return home / "weights" / "simclr_imagenet.ckpt"


def checkpoint_of(tmp_path, state):
    path = tmp_path / "made.ckpt"
    torch.save(state, path)
    return path.read_bytes()


@pytest.mark.slow
def test_published_weights_survive_a_broken_download_and_embed_as_bolts_does(
    serve, published_bytes, published_state, simlib_home
):
    server = serve(published_bytes)
    server.break_off_at, server.breaks = 10 * 2**20, 2
    encoder = SimclrEncoder(weights="published", device="cpu")
    expected = [None, f"bytes={10 * 2**20}-", f"bytes={20 * 2**20}-"]
    assert server.ranges_of("/simclr.ckpt") == expected
    assert downloaded(simlib_home).read_bytes() == published_bytes

    picture = noise_picture(3)
    module = bolts_module("resnet50").eval()
    module.load_state_dict({k: v for k, v in published_state.items() if "evaluator" not in k})
    with torch.inference_mode():
        expected = module(torch.from_numpy(encoder.prepare(picture))[None]).numpy()
    embedding = encoder.encode([picture])
    assert embedding.shape == (1, encoder.dim) == (1, 2048)
    np.testing.assert_allclose(embedding, expected, rtol=1e-3, atol=1e-4)
    assert sha256_of(downloaded(simlib_home)) in encoder.recipe

    # Later the file is another one: it is not used, and the message says what to do.
    with open(downloaded(simlib_home), "ab") as file:
        file.write(b"x")
    with pytest.raises(ValueError, match="has changed since it was first used"):
        SimclrEncoder(weights="published", device="cpu")


def test_garbage_is_refused_in_a_sentence(serve, simlib_home):
    serve(b"<html>This bucket has moved.</html>")
    with pytest.raises(ValueError, match="not a checkpoint, or a damaged one.*Delete it"):
        SimclrEncoder(weights="published", device="cpu")
    assert not downloaded(simlib_home).with_suffix(".ckpt.sha256").exists()


class RunsCode:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


@pytest.mark.parametrize("form", ["zip", "legacy", "bare pickle"])
def test_a_checkpoint_that_runs_code_is_refused_and_does_not_run_it(serve, tmp_path, form):
    marker, path = tmp_path / "it-ran", tmp_path / "evil.ckpt"
    evil = {"state_dict": {}, "callbacks": RunsCode(marker)}
    if form == "bare pickle":
        path.write_bytes(pickle.dumps(evil))
    else:
        torch.save(evil, path, _use_new_zipfile_serialization=form == "zip")
    serve(path.read_bytes())
    with pytest.raises(ValueError, match="would run code|is not a checkpoint"):
        SimclrEncoder(weights="published", device="cpu")
    assert not marker.exists()
    pickle.loads(pickle.dumps(RunsCode(marker)))
    assert marker.exists()  # the payload is a real one


def test_missing_and_foreign_weights_are_named(serve, published_state, tmp_path):
    state = dict(published_state)
    state["encoder.layer9.weight"] = state.pop("encoder.conv1.weight")
    state["decoder.weight"] = torch.zeros(1)
    serve(checkpoint_of(tmp_path, {"state_dict": state}))
    with pytest.raises(ValueError, match=r"missing are 1 \(conv1.*layer9.weight, decoder.weight"):
        SimclrEncoder(weights="published", device="cpu")


def test_weights_of_another_network_are_refused(serve, tmp_path):
    state = bolts_module("resnet18").state_dict()
    serve(checkpoint_of(tmp_path, {"state_dict": state}))
    with pytest.raises(ValueError, match="does not fit SimCLR's ResNet-50"):
        SimclrEncoder(weights="published", device="cpu")


def test_a_dead_link_and_no_network_give_one_sentence_that_says_what_to_do(serve):
    server = serve(b"")
    server.status = 404
    with pytest.raises(ConnectionError, match="answers 404.*weights='compact', which works off"):
        SimclrEncoder(weights="published", device="cpu")
    assert len(server.asked) == 1  # asking again would change nothing
    server.close()
    started = time.perf_counter()
    with pytest.raises(ConnectionError, match="weights='compact', which works offline"):
        SimclrEncoder(weights="published", device="cpu")
    assert_quick(time.perf_counter() - started, 5)


# --- training ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def picture_paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    paths = [folder / f"{number:02}.png" for number in range(16)]
    for number, path in enumerate(paths):
        noise_picture(number).save(path)
    return paths


TINY = dict(batch_size=8, view_side=32, warmup_epochs=1, device="cpu", progress=False)


def test_training_lowers_the_loss_and_its_weights_load(picture_paths, tmp_path):
    settings = TINY | {"batch_size": 16, "smallest_crop": 0.8, "colour_strength": 0.1}
    weights = train(picture_paths, tmp_path, epochs=12, every=12, averaging=0.5, **settings)
    loss = np.genfromtxt(tmp_path / "curve.csv", delimiter=",", names=True)["loss"]
    assert loss[-3:].mean() < 0.8 * loss[0]
    encoder = SimclrEncoder(weights, device="cpu")
    assert encoder.recipe != SimclrEncoder(device="cpu").recipe
    assert weights.stat().st_size <= 24e6
    # Whitened: the pictures lie around 0, and unlike ones have cosines around 0 instead of 0.9.
    embeddings = encoder.encode([noise_picture(number) for number in range(16)])
    assert embeddings.shape == (16, 512)
    spread = np.linalg.norm(embeddings, axis=1).mean()
    assert np.linalg.norm(embeddings.mean(axis=0)) < 0.5 * spread


class PowerCut(Exception):
    pass


@pytest.mark.slow
def test_a_killed_training_ends_with_the_weights_of_one_that_was_not(picture_paths, tmp_path):
    run = partial(train, picture_paths, epochs=3, every=1, **TINY)
    evaluated = []

    def evaluate(encoder):
        evaluated.append(encoder.encode([noise_picture(0)]))
        if len(evaluated) == 2:
            raise PowerCut  # in the second epoch: the first has its checkpoint
        return {"figure": 1.0}

    threads = torch.get_num_threads()
    whole = run(tmp_path / "whole")
    with pytest.raises(PowerCut):
        run(tmp_path / "killed", evaluate=evaluate)
    assert not (tmp_path / "killed" / "simclr.safetensors").exists()
    assert torch.get_num_threads() == threads
    resumed = run(tmp_path / "killed", evaluate=evaluate)
    assert sha256_of(resumed) == sha256_of(whole)
    assert sha256_of(run(tmp_path / "whole")) == sha256_of(resumed)  # called again: nothing to do
    assert not np.array_equal(evaluated[0], evaluated[1])

    with pytest.raises(ValueError, match="other pictures or settings"):
        run(tmp_path / "killed", temperature=0.7)


@pytest.mark.slow
def test_a_training_killed_without_warning_goes_on_with_the_same_result(picture_paths, tmp_path):
    """The same with a real SIGKILL: nothing gets a chance to tidy up."""
    settings = dict(epochs=3, every=1, **TINY)
    script = (
        "import sys, time; from simlib.training.simclr import train\n"
        "waits = iter([0, 3600])\n"  # the second evaluation is never over
        "wait = lambda encoder: time.sleep(next(waits)) or {}\n"
        f"train(sys.argv[2:], sys.argv[1], evaluate=wait, **{settings!r})"
    )
    killed = tmp_path / "killed"
    arguments = [str(path) for path in picture_paths]
    process = subprocess.Popen([sys.executable, "-c", script, str(killed), *arguments])
    while not (killed / "last.ckpt").exists():
        assert process.poll() is None, "the training ended before it could be killed"
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert (killed / "last.ckpt").exists() and not (killed / "simclr.safetensors").exists()
    resumed = train(picture_paths, killed, **settings)
    whole = train(picture_paths, tmp_path / "whole", **settings)
    assert sha256_of(resumed) == sha256_of(whole)


def test_ctrl_c_does_not_pass_for_a_finished_training(picture_paths, tmp_path):
    def interrupt(encoder):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), pytest.warns(UserWarning, match="Detected Keyboard"):
        train(picture_paths, tmp_path, epochs=2, every=1, evaluate=interrupt, **TINY)
    assert not (tmp_path / "simclr.safetensors").exists()


def test_an_unreadable_picture_is_named_and_left_out(picture_paths, tmp_path):
    bad = tmp_path / "broken.jpg"
    bad.write_bytes(b"not a picture")
    with pytest.warns(UserWarning, match="1 of 17 pictures were left out: .*broken.jpg"):
        weights = train([bad, *picture_paths], tmp_path, epochs=1, **TINY)
    with pytest.raises(ValueError, match="1 pictures can be read, which is less than one batch"):
        train(picture_paths[:1], tmp_path / "few", **TINY)

    # Training can go on from there, and then does not begin with random weights.
    first = train(picture_paths, tmp_path / "on", epochs=1, start_from=weights, averaging=0, **TINY)
    assert json.loads(_metadata(first))["start_from"] == sha256_of(weights)


def _metadata(path):
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        return file.metadata()["simclr"]


def test_the_threads_of_a_step_compute_what_bolts_computes():
    from simlib.training.module import ContrastiveSimCLR, _mixed
    from simlib.training.views import draw_views, normalise

    torch.manual_seed(0)
    views = {"side": 32, "smallest_crop": 0.5, "colour_strength": 0.5, "grey_probability": 0.2}
    with bolts.known_warnings_silenced():
        module = ContrastiveSimCLR(
            seed=3, views=views, averaging=0.9, num_samples=8, batch_size=8,
            arch="resnet18", hidden_mlp=512, temperature=0.2,
        ).train()  # fmt: skip
    pictures = torch.rand(8, 3, 48, 48)
    module.on_train_start()
    loss = module.training_step(pictures, 0)
    module.backward(loss)
    ours = {name: p.grad.clone() for name, p in module.named_parameters() if p.grad is not None}
    module.on_train_end()
    module.zero_grad()

    generator = torch.Generator().manual_seed(_mixed(3, 1, 0))
    first, second = normalise(
        draw_views(torch.cat([pictures, pictures]), generator, **views)
    ).chunk(2)
    expected = module.shared_step(((first, second, None), None))  # bolts' own step
    expected.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert len(ours) == 65  # every parameter of the encoder and of the projection learns
    for name, parameter in module.named_parameters():
        if parameter.grad is not None:
            scale = parameter.grad.abs().max()
            assert (ours[name] - parameter.grad).abs().max() <= 1e-3 * scale + 1e-6, name


def test_views_are_crops_mirrored_and_recoloured_only_as_asked():
    from simlib.training.views import draw_views

    rising = torch.linspace(0, 1, 32).expand(64, 3, 32, 32)  # from left to right
    draw = partial(draw_views, rising, side=32)
    plain = draw(torch.Generator().manual_seed(0), colour_strength=0, grey_probability=0)
    assert (plain.diff(dim=2).abs() < 1e-5).all()  # nothing is turned or mixed between rows
    mirrored = (plain[:, 0, 0, -1] < plain[:, 0, 0, 0]).float().mean()
    assert 0.3 < mirrored < 0.7
    spread = (plain.amax((1, 2, 3)) - plain.amin((1, 2, 3))) ** 2  # at most the share of the area
    assert 0.1 < spread.min() < 0.4 and spread.max() > 0.8

    red = torch.tensor([0.8, 0.2, 0.2]).view(1, 3, 1, 1).expand(64, 3, 8, 8)
    draw = partial(draw_views, red, side=32)
    kept = draw(torch.Generator().manual_seed(0), colour_strength=0, grey_probability=0)
    torch.testing.assert_close(kept, red[:, :, :1, :1].expand_as(kept))
    grey = draw(torch.Generator().manual_seed(0), colour_strength=0, grey_probability=1)
    assert (grey.amax(1) - grey.amin(1)).max() < 1e-5
    one, same, other = (draw(torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(one, same) and not torch.allclose(one, other)
    assert one.min() >= 0 and one.max() <= 1 and one.std() > 0.1
