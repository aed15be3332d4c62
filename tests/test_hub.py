"""A name on the hub becomes a folder, from a real cache or from a server on loopback."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hubs import COMMIT, Served, serve, write_cache

from bench.errors import OfflineError, UsageError, ValidationError
from bench.hub import hub_name, pinned
from bench.models.base import base_folder, base_identity, base_label, load_base
from bench.models.fetch import fetch_base
from bench.request import Request

ID = "somebody/tiny-sd"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and no network."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "hub"


@pytest.fixture
def snapshot(cache: Path, tiny_base: Path) -> Path:
    return write_cache(cache, ID, tiny_base, ("main", "v1"))


@pytest.mark.parametrize("offline", [True, False])
@pytest.mark.parametrize("asked", [ID, f"{ID}@main", f"{ID}@v1", f"{ID}@{COMMIT}"])
def test_a_cached_model_is_its_folder(snapshot, tiny_base, asked, offline):
    folder = base_folder(asked, offline=offline)
    assert folder == snapshot
    assert base_identity(folder) == base_identity(tiny_base)
    assert base_label(asked, folder) == f"{ID}@01234567"
    assert base_label(asked, folder, "fp16") == f"{ID}@01234567 (fp16)"
    assert pinned(asked) == f"{ID}@{COMMIT}"
    assert load_base(folder).resolution == 16


def test_what_other_tools_left_in_the_cache_does_not_count(cache, tiny_base, tmp_path):
    full = Path(shutil.copytree(tiny_base, tmp_path / "full"))
    (full / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"a pickle")
    (full / "README.md").write_text("a card")
    write_cache(cache, ID, full)
    assert base_identity(base_folder(ID)) == base_identity(tiny_base)


@pytest.mark.parametrize("asked", ["nobody/nothing", f"{ID}@v2", f"{ID}@{'f' * 40}"])
@pytest.mark.parametrize("offline", [True, False])
def test_what_is_not_here_is_one_line(snapshot, asked, offline):
    with pytest.raises(OfflineError) as caught:
        base_folder(asked, offline=offline)
    assert asked in str(caught.value)
    assert f"`bench fetch --base {asked}`" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_goes_before_a_name(snapshot, tiny_base, tmp_path):
    assert hub_name(ID) == (ID, None, "model")
    own = Path(shutil.copytree(tiny_base, tmp_path / ID))
    assert hub_name(ID) is None
    assert base_folder(ID) == own
    assert pinned(ID) == ID


@pytest.mark.parametrize("text", ["absent", "/a/b", "./a/b", "../a", "a/b/c", "~/a", "a/", ""])
def test_paths_are_no_names(text):
    assert hub_name(text) is None


def test_a_request_keeps_the_commit(snapshot, tiny_base):
    said: list[str] = []
    near = Request(["none"], ["loss"], "scenes:n=120", ID, recipe="quick", offline=True)
    (ours,) = near.cells(said.append)
    assert any(f"{ID}@{COMMIT}" in line for line in said)
    far = near.absolute()
    assert far.base == f"{ID}@{COMMIT}"
    (theirs,) = far.cells(said.append)
    assert (ours.base, ours.base_label) == (theirs.base, theirs.base_label)
    assert ours.base == str(snapshot)
    (by_path,) = Request(["none"], ["loss"], "scenes:n=120", str(tiny_base), recipe="quick").cells()
    assert by_path.base_identity == ours.base_identity


class TestDownload:
    """In processes of their own: huggingface_hub reads its address when it is imported."""

    @pytest.fixture
    def full(self, tiny_base: Path, tmp_path: Path) -> Path:
        """A repository as they are: plain, in half, pickled, with a card."""
        folder = Path(shutil.copytree(tiny_base, tmp_path / "full"))
        for part in ("unet", "vae", "text_encoder"):
            (path,) = (folder / part).glob("*.safetensors")
            shutil.copy(path, path.with_suffix(".fp16.safetensors"))
            path.with_suffix(".bin").write_bytes(b"a pickle")
        (folder / "README.md").write_text("a card")
        return folder

    @pytest.fixture
    def hub(self, full: Path) -> Iterator[Served]:
        with serve(ID, full) as served:
            yield served

    @pytest.fixture
    def bench(self, shell: Callable[..., Any], tmp_path: Path, hub: Served) -> Callable[..., Any]:
        places = {"HF_HOME": str(tmp_path / "home"), "HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0"}
        places |= {"NO_PROXY": "127.0.0.1", "XDG_CACHE_HOME": str(tmp_path / "user")}
        places |= {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
        return lambda *words, **more: shell(*words, **places | more)

    def test_only_what_a_run_reads_is_fetched_and_then_no_network_is_needed(
        self, bench, hub, tiny_base, tmp_path
    ):
        ended = bench("fetch", "--base", f"{ID}@v1")
        assert ended.code == 0, ended.err
        assert f"base       {ID}@{COMMIT}\n" in ended.out
        assert base_identity(tiny_base) in ended.out
        assert hub.downloaded == {
            path.relative_to(tiny_base).as_posix() for path in tiny_base.rglob("*.*")
        }
        before = len(hub.asked)
        for words in ((f"{ID}@v1", "--offline"), (f"{ID}@{COMMIT}",)):
            again = bench("fetch", "--base", *words)
            assert (again.code, again.out) == (0, ended.out), again.err
        assert len(hub.asked) == before
        missing = bench("fetch", "--base", f"{ID}@v1", "--variant", "fp16", "--offline")
        assert missing.code == 4, missing.err
        assert "is here without unet/diffusion_pytorch_model.fp16.safetensors" in missing.err

    def test_a_variant_alone(self, bench, hub, full):
        ended = bench("fetch", "--base", ID, "--variant", "fp16")
        assert ended.code == 0, ended.err
        assert f"{ID}@{COMMIT} --variant fp16" in ended.out
        weights = {name for name in hub.downloaded if name.endswith(".safetensors")}
        assert len(weights) == 3
        assert all(name.endswith(".fp16.safetensors") for name in weights)
        assert base_identity(full, "fp16") in ended.out

    def test_what_the_hub_does_not_have_is_told_before_anything_is_fetched(self, bench, hub):
        for words, code, told in (
            ((ID, "--variant", "fp32"), 2, "no weights of variant fp32 in unet; it has plain ones"),
            ((f"{ID}@v2",), 4, f"base {ID}@v2 is no folder and cannot be fetched"),
            (("nobody/nothing",), 4, "base nobody/nothing is no folder and cannot be fetched"),
        ):
            ended = bench("fetch", "--base", *words)
            assert (ended.code, ended.out) == (code, ""), ended.err
            (line,) = ended.err.splitlines()
            assert told in line
        assert hub.downloaded == set()


def test_a_damaged_download_is_told(snapshot):
    assert fetch_base(ID).name == f"{ID}@{COMMIT}"
    blob = (snapshot / "unet" / "diffusion_pytorch_model.safetensors").resolve()
    data = bytearray(blob.read_bytes())
    data[-1] ^= 1
    blob.write_bytes(data)
    with pytest.raises(ValidationError, match=f"is damaged: delete {blob} and fetch it again"):
        fetch_base(ID)


def test_half_a_download_is_told(snapshot):
    (snapshot / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(UsageError, match="has no weights in unet"):
        base_folder(ID, offline=True)
