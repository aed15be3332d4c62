"""FID proper: the published network by name and shape, both resizings, and only its own weights."""

from __future__ import annotations

import hashlib
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, module_from_spec
from threading import Thread

import numpy as np
import pytest
import torch

from bench.errors import OfflineError, UsageError
from bench.utility.inception import downloaded, inception, weights_digest
from bench.utility.inception_network import SIDE, Inception, resized

LAYOUT = "eeafab116b1cf3f08243d1931ba765f5601f57773ada5fcfee37024cf0ca23e4"
"""sha256 over names and shapes of the weights of torch-fidelity 0.4's class."""


@pytest.fixture(scope="module")
def network():
    """Random weights of the size that keeps features apart through 48 layers."""
    torch.manual_seed(0)
    network = Inception().eval()
    with torch.no_grad():
        for name, weights in network.named_parameters():
            if name.endswith("conv.weight"):
                torch.nn.init.kaiming_normal_(weights)
    return network


@pytest.fixture(scope="module")
def weights(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("inception") / "weights.pth"
    torch.save(network.state_dict(), path)
    return path


@pytest.fixture(scope="module")
def pictures():
    return np.random.default_rng(0).integers(0, 256, (5, 40, 32, 3), dtype=np.uint8)


def layout(network):
    lines = [f"{name} {tuple(value.shape)}\n" for name, value in network.state_dict().items()]
    return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()


def test_weights_are_named_and_shaped_as_in_the_published_file(network):
    assert layout(network) == LAYOUT


def test_features_are_2048_numbers_a_picture_whatever_the_batch(
    network, weights, pictures, monkeypatch
):
    found = inception(pictures, weights, "tf1")
    assert found.shape == (5, 2048)
    assert found.dtype == np.float64
    assert len(np.unique(found.round(6), axis=0)) == 5
    monkeypatch.setattr("bench.utility.inception.BATCH", 2)
    np.testing.assert_allclose(inception(pictures, weights, "tf1"), found, rtol=1e-3, atol=1e-5)
    again = inception(pictures, weights, "aa")
    assert not np.allclose(again, found, rtol=1e-2)


@pytest.mark.parametrize("size", [(1, 1), (8, 13), (64, 64), (299, 299), (512, 400)])
def test_the_first_resizing_is_tensorflow_s_rule(size):
    """Pixel i of 299 is read at i * size / 299, between two pixels in proportion, no averaging."""
    height, width = size
    rng = np.random.default_rng(1)
    picture = rng.integers(0, 256, (1, 3, height, width)).astype("f4")
    found = resized(torch.from_numpy(picture), "tf1").numpy()
    assert found.shape == (1, 3, SIDE, SIDE)
    for i, j in ((0, 0), (298, 298), (100, 7), (3, 250)):
        y, x = i * height / SIDE, j * width / SIDE
        top, left = int(y), int(x)
        low, right = min(top + 1, height - 1), min(left + 1, width - 1)
        share, side = y - top, x - left
        above = picture[0, :, top, left] * (1 - side) + picture[0, :, top, right] * side
        below = picture[0, :, low, left] * (1 - side) + picture[0, :, low, right] * side
        wanted = above * (1 - share) + below * share
        np.testing.assert_allclose(found[0, :, i, j], wanted, atol=0.02)


def test_antialiasing_averages_what_the_other_rule_leaves_out():
    """Every fourth line is bright: one rule reads these alone, the other all four."""
    lines = torch.zeros(1, 3, 4 * SIDE, 4 * SIDE)
    lines[:, :, ::4] = 200
    assert (resized(lines, "tf1") == 200).all()
    inside = resized(lines, "aa")[..., 2:-2, 2:-2]
    torch.testing.assert_close(inside, torch.full_like(inside, 50))


def test_the_network_is_torch_fidelity_s(network, weights, pictures):
    """Its class, without the package's own imports, which need torchvision."""
    theirs = published(weights)
    assert layout(theirs) == layout(network) == LAYOUT
    batch = torch.from_numpy(pictures).permute(0, 3, 1, 2)
    with torch.inference_mode():
        (wanted,) = theirs(batch)
    np.testing.assert_allclose(inception(pictures, weights, "tf1"), wanted, rtol=1e-4, atol=1e-5)


def published(weights):
    spec = find_spec("torch_fidelity")
    if spec is None:
        pytest.skip("torch-fidelity is not installed: pip install --no-deps torch-fidelity")
    bare = ModuleSpec("torch_fidelity", None, is_package=True)
    bare.submodule_search_locations = spec.submodule_search_locations
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "torch_fidelity", module_from_spec(bare))
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

        made = FeatureExtractorInceptionV3("inception", ["2048"], str(weights))
    for name in [name for name in sys.modules if name.startswith("torch_fidelity")]:
        del sys.modules[name]
    return made


def test_missing_weights_are_said_so(tmp_path):
    with pytest.raises(OfflineError, match=r"no Inception weights at .*gone\.pth"):
        weights_digest(tmp_path / "gone.pth")


def test_other_weights_are_refused_before_anything_reads_them(tmp_path):
    (tmp_path / "weights.pth").write_bytes(b"not a network")
    with pytest.raises(UsageError, match="not the published Inception-2015 file"):
        weights_digest(tmp_path / "weights.pth")


@pytest.fixture
def server(tmp_path):
    """A web server with a file that is not the published one."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "weights.pth").write_bytes(b"something else")
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "site"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as serving:
        Thread(target=serving.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{serving.server_port}"
        serving.shutdown()


def test_a_download_that_is_another_file_is_not_kept(server, tmp_path, capsys):
    said = []
    with pytest.raises(UsageError, match="not the published Inception-2015 file"):
        downloaded(said.append, f"{server}/weights.pth", tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []
    assert said == [f"fetching Inception weights (91 MB) from {server}/weights.pth"]


def test_a_download_that_fails_is_one_line(server, tmp_path):
    for url in (f"{server}/gone.pth", "http://127.0.0.1:9/weights.pth"):
        with pytest.raises(OfflineError, match=r"cannot fetch .*give its path: --inception PATH"):
            downloaded(print, url, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_what_was_fetched_before_is_not_fetched_again(tmp_path):
    (tmp_path / "weights.pth").write_bytes(b"here")
    found = downloaded(print, "http://127.0.0.1:9/weights.pth", tmp_path)
    assert found == tmp_path / "weights.pth"
