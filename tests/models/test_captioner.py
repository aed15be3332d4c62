"""Pseudo captions: retrieved ones come from the pool, written ones from any BLIP folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from blips import WORDS, write_blip
from hubs import COMMIT, write_cache
from PIL import Image

from bench.data import tiles
from bench.data.pairs import Pairs
from bench.errors import OfflineError, UsageError
from bench.models import caption_models
from bench.models.base import embedded_folder
from bench.models.captioner import (
    EMBEDDED,
    captioner_folder,
    captioner_identity,
    describe,
)


@pytest.fixture(scope="module")
def pool() -> Pairs:
    everything = tiles.pairs()
    return everything.select(everything.ids[:40])


@pytest.fixture(scope="module")
def asked() -> list[Image.Image]:
    everything = tiles.pairs()
    return [everything.image(id_) for id_ in everything.ids[100:108]]


def noise(count: int, side: int = 40) -> list[Image.Image]:
    rng = np.random.default_rng(0)
    return [Image.fromarray(rng.integers(0, 256, (side, side, 3), np.uint8)) for _ in range(count)]


@pytest.fixture(scope="module", params=[True, False], ids=["one-file", "two-files"])
def blip(request: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_blip(tmp_path_factory.mktemp("captioners") / "blip", request.param)


class TestRetrieval:
    def test_captions_come_from_the_pool_and_not_all_from_one_pair(self, asked, pool):
        said = describe(asked, EMBEDDED, pool)
        assert len(said) == len(asked)
        assert set(said) <= set(pool.captions)
        assert len(set(said)) > 1

    def test_neither_company_nor_order_nor_time_matters(self, asked, pool):
        said = describe(asked, EMBEDDED, pool)
        assert describe(asked[::-1], EMBEDDED, pool) == said[::-1]
        assert describe(asked[3:4], EMBEDDED, pool) == said[3:4]

    def test_a_picture_of_the_pool_finds_itself(self, pool):
        own = [pool.image(id_) for id_ in pool.ids]
        assert describe(own, EMBEDDED, pool) == list(pool.captions)

    def test_ties_go_to_the_earlier_pair(self, pool):
        picture = pool.image(pool.ids[0])
        ids = ("p0", "p1", "p2", "p3")
        twins = Pairs(ids, ids, ids, lambda _: picture)
        assert describe([picture], EMBEDDED, twins) == ["p0"]

    def test_pictures_of_another_size_and_mode(self, asked, pool):
        large = asked[0].resize((96, 96), Image.Resampling.NEAREST).convert("RGBA")
        assert describe([large], EMBEDDED, pool)[0] in pool.captions

    def test_any_clip_folder_does(self, asked, pool, tmp_path):
        copy = shutil.copytree(embedded_folder() / "clip", tmp_path / "elsewhere")
        other = f"clip:{copy}"
        assert describe(asked, other, pool) == describe(asked, EMBEDDED, pool)
        assert captioner_identity(other) == captioner_identity(EMBEDDED)

    def test_the_normalisation_that_lies_in_the_folder_counts(self, asked, pool, tmp_path):
        copy = shutil.copytree(embedded_folder() / "clip", tmp_path / "elsewhere")
        side = {"height": 32, "width": 32}
        said = {"image_std": [9.0, 0.1, 9.0], "size": side, "do_center_crop": False}
        (copy / "preprocessor_config.json").write_text(json.dumps(said))
        assert describe(asked, f"clip:{copy}", pool) != describe(asked, EMBEDDED, pool)
        assert captioner_identity(f"clip:{copy}") != captioner_identity(EMBEDDED)

    def test_progress(self, asked, pool):
        seen: list[tuple[int, int]] = []
        describe(asked[:3], EMBEDDED, pool, lambda done, of: seen.append((done, of)))
        assert seen == [(1, 3), (2, 3), (3, 3)]

    def test_nothing_to_retrieve_from(self, asked, pool):
        with pytest.raises(UsageError, match="no auxiliary pairs"):
            describe(asked, EMBEDDED, pool.select([]))


class TestBlip:
    def test_words_of_its_own_and_the_same_each_time(self, blip, pool):
        pictures = noise(4)
        said = describe(pictures, blip, pool)
        assert all(said)
        assert set(" ".join(said).split()) <= {*WORDS}
        assert len(set(said)) > 1, "the pictures do not matter"
        assert describe(pictures, blip, pool.select([])) == said
        assert describe(pictures[::-1], blip, pool) == said[::-1]
        assert describe(pictures[2:3], blip, pool) == said[2:3]

    def test_both_kinds_of_processor_files_say_the_same(self, pool, tmp_path):
        one, two = (write_blip(tmp_path / str(kind), kind) for kind in (True, False))
        assert describe(noise(2), one, pool) == describe(noise(2), two, pool)

    def test_identity_is_of_the_files_alone(self, blip, tmp_path):
        copy = shutil.copytree(blip, tmp_path / "copy")
        (copy / "README.md").write_text("a card")
        assert captioner_identity(str(copy)) == captioner_identity(blip)
        config = copy / "config.json"
        config.write_text(config.read_text() + "\n")
        assert captioner_identity(str(copy)) != captioner_identity(blip)


class TestWhatIsNoCaptioner:
    def refused(self, kind: type, match: str, captioner: str, pool: Pairs) -> None:
        with pytest.raises(kind, match=match) as caught:
            describe(noise(1), captioner, pool)
        assert "\n" not in str(caught.value)

    def test_missing_folders(self, pool, tmp_path):
        absent = str(tmp_path / "absent")
        self.refused(OfflineError, "no captioner folder at '.*absent'", absent, pool)
        self.refused(OfflineError, "no CLIP folder at .*absent", f"clip:{absent}", pool)
        self.refused(OfflineError, "no captioner folder at ''", "", pool)
        for captioner in (absent, f"clip:{absent}"):
            with pytest.raises(OfflineError):
                captioner_identity(captioner)

    def test_an_empty_folder(self, pool, tmp_path):
        self.refused(OfflineError, "cannot load the captioner", str(tmp_path), pool)
        self.refused(OfflineError, "cannot load the captioner", f"clip:{tmp_path}", pool)

    def test_a_model_of_another_kind(self, pool, blip):
        folder = str(embedded_folder() / "clip")
        self.refused(UsageError, "is no captioner: a model of type clip, not blip", folder, pool)
        self.refused(UsageError, "a model of type blip, not clip", f"clip:{blip}", pool)

    def test_a_blip_that_answers_questions(self, pool, blip, tmp_path):
        """Its configuration has the same type; the weights of the writing decoder are not there."""
        from safetensors.torch import load_file, save_file

        copy = shutil.copytree(blip, tmp_path / "copy")
        weights = load_file(copy / "model.safetensors")
        kept = {k: v for k, v in weights.items() if not k.startswith("text_decoder.bert.encoder")}
        save_file(kept, copy / "model.safetensors", metadata={"format": "pt"})
        self.refused(UsageError, r"lacks \d+ weights, text_decoder\.bert\.encoder", str(copy), pool)

    @pytest.mark.parametrize("part", ["model.safetensors", "config.json"])
    @pytest.mark.parametrize("harm", ["truncated", "missing"])
    def test_broken_files(self, pool, blip, tmp_path, part, harm):
        copy = shutil.copytree(blip, tmp_path / "copy")
        if harm == "truncated":
            (copy / part).write_bytes((copy / part).read_bytes()[:100])
        else:
            (copy / part).unlink()
        self.refused(OfflineError, "cannot load the captioner", str(copy), pool)

    def test_no_tokenizer(self, pool, blip, tmp_path):
        copy = shutil.copytree(blip, tmp_path / "copy")
        for path in [*copy.glob("*token*"), *copy.glob("vocab*")]:
            path.unlink()
        self.refused(UsageError, "lacks the words of its tokenizer", str(copy), pool)


class TestHub:
    @pytest.fixture
    def cache(self, tmp_path, monkeypatch):
        """An empty cache, and no network."""
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        return tmp_path / "hub"

    def test_a_name_is_the_folder_of_its_commit(self, cache, blip, pool):
        snapshot = write_cache(cache, "some/blip", Path(blip), ("v1",))
        for revision in ("v1", COMMIT):
            assert captioner_folder(f"some/blip@{revision}", offline=True) == str(snapshot)
        assert captioner_identity(str(snapshot)) == captioner_identity(blip)
        assert describe(noise(1), str(snapshot), pool) == describe(noise(1), blip, pool)

    def test_a_name_must_be_pinned(self, cache):
        with pytest.raises(UsageError, match="pin it: nobody/nothing@REVISION"):
            captioner_folder("nobody/nothing")

    def test_a_model_without_safetensors(self, cache, blip, tmp_path):
        pickled = shutil.copytree(blip, tmp_path / "pickled")
        (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
        write_cache(cache, "some/blip", pickled)
        with pytest.raises(UsageError, match="captioner some/blip@main has no safetensors"):
            captioner_folder("some/blip@main", offline=True)

    @pytest.mark.parametrize("offline", [True, False])
    def test_out_of_reach(self, cache, offline):
        with pytest.raises(OfflineError, match="captioner nobody/nothing@main is no") as caught:
            captioner_folder("nobody/nothing@main", offline)
        assert "\n" not in str(caught.value)


def test_what_is_plainly_no_blip_is_told_before_anything_is_computed(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "clip"}')
    with pytest.raises(UsageError, match="a model of type clip, not blip"):
        captioner_folder(str(tmp_path))
    (tmp_path / "config.json").unlink()
    with pytest.raises(UsageError, match=r"no config\.json with a model_type"):
        captioner_folder(str(tmp_path))
    with pytest.raises(OfflineError, match="no captioner folder at"):
        captioner_folder(str(tmp_path / "absent"))


def test_how_a_blip_is_made_to_write_is_in_its_identity(blip, monkeypatch):
    before = captioner_identity(blip), captioner_identity(EMBEDDED)
    monkeypatch.setitem(caption_models.DECODING, "num_beams", 5)
    assert captioner_identity(blip) != before[0]
    assert (
        captioner_identity(EMBEDDED)
        == before[1]
        == ("a767585a1040e56686469082ceb8bfefd92cb2a6c6aa183e057140c97bdb59a8")
    )
