"""CLIPScore against torchmetrics and by hand; which CLIPs are taken and what names them."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from clips import write_clip
from PIL import Image

from bench.contract.base import TOKENS
from bench.data import tiles
from bench.errors import OfflineError, UsageError
from bench.models.base import embedded_folder, load_base
from bench.utility import alignment
from bench.utility.alignment import (
    clip_gains,
    clip_identity,
    clip_scores,
    load_clip,
    own_clip,
)

CAPTIONS = ["a red ball", "two blue squares", "a dog", "green", "a house by the sea", "x"]
LONG = "a very long caption that no model of this length can read to its end " * 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_clip(tmp_path_factory.mktemp("clips") / "random")


@pytest.fixture(scope="module")
def clip(folder):
    return load_clip(folder)


@pytest.fixture(scope="module")
def pictures():
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (len(CAPTIONS), 5, 4, 3), np.uint8)
    return np.stack([np.asarray(Image.fromarray(one).resize((32, 40))) for one in small])


def together(clip, pictures, captions):
    return clip_scores(clip.pictures(pictures), clip.captions(captions))


class Tensors(torch.nn.Module):
    """transformers 5 hands an object back where torchmetrics 1.9 reads a tensor."""

    def __init__(self, model):
        super().__init__()
        self.model, self.config = model, model.config

    def get_image_features(self, *given):
        return self.model.get_image_features(*given).pooler_output

    def get_text_features(self, *given):
        return self.model.get_text_features(*given).pooler_output


def by_torchmetrics(folder, pictures, captions):
    """A picture at a time, since it bounds the mean where the paper bounds each score."""
    from torchmetrics.functional.multimodal import clip_score
    from transformers import CLIPModel, CLIPProcessor

    model = Tensors(CLIPModel.from_pretrained(folder)).eval()
    processor = CLIPProcessor.from_pretrained(folder, backend="pil")
    images = torch.from_numpy(pictures).permute(0, 3, 1, 2)
    with torch.inference_mode():
        return [
            float(clip_score([image], [caption], lambda: (model, processor)))
            for image, caption in zip(images, captions, strict=True)
        ]


class TestScore:
    def test_it_is_that_of_torchmetrics(self, clip, folder, pictures):
        theirs = by_torchmetrics(folder, pictures, CAPTIONS)
        assert min(theirs) == 0
        assert len(set(theirs)) > 3
        np.testing.assert_allclose(together(clip, pictures, CAPTIONS), theirs, atol=1e-4)

    def test_by_hand(self):
        made = np.array([[1.0, 0], [0, 1], [0.6, 0.8]])
        said = np.array([[1.0, 0], [0, -1], [1, 0]])
        np.testing.assert_allclose(clip_scores(made, said), [100, 0, 60])
        np.testing.assert_allclose(clip_gains(made, said), [100 - 50, 0 - 0, 60 - 30])

    def test_gains_are_against_the_others_captions_and_not_the_others_pictures(self):
        made = np.array([[1.0, 0], [1, 0]])
        said = np.array([[1.0, 0], [0, 1]])
        np.testing.assert_allclose(clip_gains(made, said), [100, -100])

    def test_captions_that_all_mean_the_same_gain_nothing(self, clip, pictures):
        words = clip.captions(["a dog"] * len(pictures))
        np.testing.assert_allclose(clip_gains(clip.pictures(pictures), words), 0, atol=1e-9)

    def test_vectors_have_length_one(self, clip, pictures):
        for vectors in (clip.pictures(pictures), clip.captions(CAPTIONS)):
            assert vectors.dtype == np.float64
            np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-12)

    @pytest.mark.parametrize("batch", [1, 4])
    def test_neither_batch_nor_order_matters(self, clip, pictures, batch, monkeypatch):
        usual = clip.pictures(pictures) @ clip.captions(CAPTIONS).T
        monkeypatch.setattr(alignment, "BATCH", batch)
        turned = clip.pictures(pictures[::-1]) @ clip.captions(CAPTIONS[::-1]).T
        np.testing.assert_allclose(turned[::-1, ::-1], usual, atol=1e-6)

    def test_a_long_caption_is_cut_before_its_end_mark(self, clip):
        """As the prompts of the model are, so that CLIP still finds where to read it."""
        ids = clip.tokenizer(LONG).input_ids
        assert len(ids) > TOKENS
        cut = torch.tensor([[*ids[: TOKENS - 1], ids[-1]]])
        with torch.inference_mode():
            wanted = clip.model.get_text_features(cut).pooler_output[0].double().numpy()
        (found,) = clip.captions([LONG])
        np.testing.assert_allclose(found, wanted / np.linalg.norm(wanted), atol=1e-5)

    def test_progress_ends_at_the_number_of_pictures(self, clip, pictures, monkeypatch):
        monkeypatch.setattr(alignment, "BATCH", 4)
        told = []
        clip.pictures(pictures, lambda done, of: told.append((done, of)))
        assert told == [(4, 6), (6, 6)]


@pytest.fixture(scope="module")
def own():
    return load_clip(own_clip(embedded_folder()))


class TestEmbedded:
    def test_pictures_are_read_as_it_learnt_them(self, own):
        """At 32 x 32, values between -1 and 1, unscaled."""
        pairs = tiles.pairs()
        seen = np.stack([np.asarray(pairs.image(i).convert("RGB")) for i in pairs.ids[:4]])
        signed = torch.from_numpy(seen).permute(0, 3, 1, 2).float() / 127.5 - 1
        with torch.inference_mode():
            pooled = own.model.vision_model(pixel_values=signed).pooler_output
            wanted = torch.nn.functional.normalize(own.model.visual_projection(pooled), dim=1)
        np.testing.assert_allclose(own.pictures(seen), wanted.numpy(), atol=1e-5)

    def test_it_knows_the_words_of_its_tokenizer(self, own):
        vectors = own.captions(["red apple: fruit", "apple: red fruit", "car: vehicle"])
        assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.2

    def test_its_text_tower_is_the_model_s(self, own, clip):
        text_encoder = load_base(embedded_folder()).text_encoder
        assert own.listens_as(text_encoder)
        assert not clip.listens_as(text_encoder)

    def test_one_weight_that_differs_makes_another_tower(self, own):
        text_encoder = load_base(embedded_folder()).text_encoder
        list(text_encoder.parameters())[-1].data[0] += 1
        assert not own.listens_as(text_encoder)


class TestIdentity:
    def test_it_is_of_content_and_not_of_place(self, folder, tmp_path):
        copy = shutil.copytree(folder, tmp_path / "copy")
        (copy / "README.md").write_text("a card")
        assert clip_identity(copy) == clip_identity(folder)

    @pytest.mark.parametrize(
        "name", ["config.json", "model.safetensors", "processor_config.json", "vocab.json"]
    )
    def test_every_file_that_is_read_counts(self, folder, tmp_path, name):
        copy = shutil.copytree(folder, tmp_path / "copy")
        (copy / name).write_bytes((copy / name).read_bytes() + b"\n")
        assert clip_identity(copy) != clip_identity(folder)

    def test_the_tokenizer_beside_counts(self, tmp_path):
        for part in ("clip", "tokenizer"):
            shutil.copytree(embedded_folder() / part, tmp_path / part)
        usual = clip_identity(embedded_folder() / "clip")
        assert clip_identity(tmp_path / "clip") == usual
        with (tmp_path / "tokenizer" / "merges.txt").open("a") as merges:
            merges.write("x y\n")
        assert clip_identity(tmp_path / "clip") != usual

    def test_a_base_may_have_none(self, tiny_base):
        assert own_clip(tiny_base) is None
        assert own_clip(embedded_folder()) == embedded_folder() / "clip"


class TestWhatIsNoClip:
    def refused(self, ask, folder, kind, match):
        with pytest.raises(kind, match=match) as caught:
            ask(folder)
        assert "\n" not in str(caught.value)

    def test_no_folder(self, tmp_path):
        self.refused(clip_identity, tmp_path / "gone", OfflineError, "no CLIP folder at .*gone")

    def test_another_model(self, tiny_base, tmp_path):
        unet = tiny_base / "unet"
        self.refused(clip_identity, unet, UsageError, "no config.json with a model_type")
        text = tiny_base / "text_encoder"
        self.refused(clip_identity, text, UsageError, "a model of type clip_text_model, not clip")
        (tmp_path / "config.json").write_text("[]")
        self.refused(clip_identity, tmp_path, UsageError, "no config.json with a model_type")

    def test_no_processor(self, tmp_path):
        """Guessed normalisation would be a score of something else."""
        bare = write_clip(tmp_path / "bare", processor=False)
        self.refused(clip_identity, bare, UsageError, "lacks preprocessor_config.json; save its")

    def test_a_processor_for_another_size(self, folder, tmp_path):
        copy = shutil.copytree(folder, tmp_path / "copy")
        path = copy / "processor_config.json"
        said = json.loads(path.read_text())
        said["image_processor"]["crop_size"] = {"height": 30, "width": 30}
        path.write_text(json.dumps(said))
        self.refused(load_clip, copy, UsageError, "another size than the 24 x 24")

    def test_no_words(self, folder, tmp_path):
        copy = shutil.copytree(folder, tmp_path / "copy")
        for path in [*copy.glob("token*"), *copy.glob("vocab*"), *copy.glob("merges*")]:
            path.unlink()
        self.refused(load_clip, copy, UsageError, "has not the words of the CLIP")

    def test_broken_weights(self, folder, tmp_path):
        copy = shutil.copytree(folder, tmp_path / "copy")
        weights = copy / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:100])
        self.refused(load_clip, copy, OfflineError, "cannot load the CLIP")
