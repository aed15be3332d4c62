"""Samples, features of real pictures and utility, one after another, recomputed from the files."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from clips import write_clip

from bench.contract.base import WIDTH
from bench.data.geometry import centre, resize, square
from bench.errors import ValidationError
from bench.models.base import load_base
from bench.models.target import ModelTarget
from bench.utility.alignment import clip_gains, clip_identity, clip_scores, load_clip
from bench.utility.distances import frechet_distance, kernel_distance, project
from bench.utility.features import effnet
from bench.utility.generated import Generated
from bench.utility.inception import inception
from bench.utility.inception_network import Inception
from bench.utility.manifold import overlap


@pytest.fixture
def stages(run, split):
    """Utility, asked for with what more is given, and the two stages below it."""
    sampling = {"n": 6, "steps": 2, "guidance": 2.0}
    samples = run("samples", {"split": split}, sampling=sampling, at=0)
    real = run("real", {"split": split}, resolution=16)
    inputs = {"split": split, "samples": samples.folder, "real": real.folder}
    return lambda **more: (samples, real, run("utility", inputs, at=0, **more))


def test_samples_made_in_shards_are_the_same_to_the_bit(stages, run, split, clip):
    asked = {"clip_folder": clip, "clip": clip_identity(clip)}
    samples, real, utility = stages(**asked)
    sampling = {"n": 6, "steps": 2, "guidance": 2.0}
    shards = [(0, 2), (2, 4), (4, 6), (6, None)]  # the last finds no prompt left
    parts = {
        f"samples_{k}": run("samples", {"split": split}, sampling=sampling, at=0, shard=shard)
        for k, shard in enumerate(shards)
    }
    made = np.concatenate([stored(part, "samples")["pictures"] for part in parts.values()])
    assert np.array_equal(made, stored(samples, "samples")["pictures"])

    inputs = {role: part.folder for role, part in parts.items()}
    joined = run("utility", {"split": split, "real": real.folder, **inputs}, at=0, **asked)
    assert joined.result == utility.result


def test_samples_are_read_a_slice_at_a_time_across_shards(tmp_path):
    pictures = np.arange(7 * 2 * 2 * 3, dtype=np.uint8).reshape(7, 2, 2, 3)
    for name, first, end in (("a", 0, 3), ("b", 3, 5), ("c", 5, 7)):
        (tmp_path / name).mkdir()
        ids = np.array([f"p{i}" for i in range(first, end)])
        np.savez(tmp_path / name / "samples.npz", ids=ids, pictures=pictures[first:end])
    found = Generated([tmp_path / name for name in "abc"])
    assert found.ids == [f"p{i}" for i in range(7)]
    for start in range(7):
        for stop in range(start + 1, 9):
            assert np.array_equal(found[start:stop], pictures[start:stop])
    assert found.first(4).ids == found.ids[:4]
    assert np.array_equal(found.first(4)[2:99], pictures[2:4])


@pytest.fixture
def clip(tmp_path):
    return write_clip(tmp_path / "clip")


def stored(done, name):
    with np.load(done.folder / f"{name}.npz", allow_pickle=False) as archive:
        return dict(archive)


def test_utility_is_that_of_the_stored_samples(stages, parts, scene_pairs, tiny_base):
    samples, real, utility = stages()
    reference = scene_pairs.select(sorted(parts["reference"]))
    pictures, real_features = stored(samples, "samples"), stored(real, "real")

    assert samples.result == {"n": 6}
    assert pictures["ids"].tolist() == list(reference.ids[:6])
    assert pictures["pictures"].shape == (6, 16, 16, 3)

    assert real.result == {"reference": 8, "auxiliary": 8}
    squares = []
    for pair in reference:
        pixels = resize(pair.image, 16)
        top, left, _ = centre(pixels, 16)
        squares.append(pixels[top : top + 16, left : left + 16])
    np.testing.assert_allclose(real_features["reference"], effnet(np.stack(squares)), rtol=1e-5)

    found = utility.result
    fake, own, other = (
        effnet(pictures["pictures"]),
        real_features["reference"][:6],
        real_features["auxiliary"][:6],
    )
    assert found["n"] == 6
    assert found["fid"] is None
    assert found["kid_effnet"]["value"] == pytest.approx(kernel_distance(own, fake).value)
    assert found["kid_effnet_floor"]["value"] == pytest.approx(kernel_distance(own, other).value)
    for name, one in (("fd_effnet64", fake), ("fd_effnet64_floor", other)):
        assert found[name] == pytest.approx(frechet_distance(project(own), project(one)), rel=1e-6)

    for name, one in (("", fake), ("_real", other)):
        pair = found[f"precision{name}"], found[f"recall{name}"]
        assert pair == pytest.approx(overlap(own, one))

    losses = ModelTarget(load_base(tiny_base), seed=0).losses(reference, range(50, 1000, 100))
    held_out = losses.mean(axis=1)
    assert found["held_out_loss"]["value"] == pytest.approx(held_out.mean())
    reach = 1.96 * held_out.std(ddof=1) / 8**0.5
    assert found["held_out_loss"]["high"] == pytest.approx(held_out.mean() + reach)
    np.testing.assert_allclose(stored(utility, "utility")["held_out"], held_out, rtol=1e-6)


def test_without_a_clip_there_is_no_alignment(stages):
    *_, utility = stages()
    names = ("clip", "clip_score", "clip_gain", "clip_score_real", "clip_gain_real")
    assert [utility.result[name] for name in names] == [None] * 5
    assert stored(utility, "utility")["clip_scores"].shape == (0,)


def test_alignment_is_of_the_stored_samples_and_their_prompts(stages, clip, parts, scene_pairs):
    samples, _, utility = stages(clip_folder=clip, clip=clip_identity(clip))
    reference = scene_pairs.select(sorted(parts["reference"])[:6])
    judge, found = load_clip(clip), utility.result
    words = judge.captions(reference.originals)
    made = judge.pictures(stored(samples, "samples")["pictures"])
    real = judge.pictures(np.stack([square(pair.image, 16) for pair in reference]))

    assert found["clip"] == {"digest": clip_identity(clip), "own_text_tower": False}
    expected = {
        "clip_score": clip_scores(made, words),
        "clip_gain": clip_gains(made, words),
        "clip_score_real": clip_scores(real, words),
        "clip_gain_real": clip_gains(real, words),
    }
    for name, values in expected.items():
        assert found[name]["value"] == pytest.approx(values.mean(), abs=1e-4)
        reach = 1.96 * values.std(ddof=1) / 6**0.5
        assert found[name]["high"] == pytest.approx(values.mean() + reach, abs=1e-4)
    assert len({round(found[name]["value"], 3) for name in expected}) == 4
    scores = stored(utility, "utility")["clip_scores"]
    np.testing.assert_allclose(scores, expected["clip_score"], atol=1e-4)


def test_a_clip_that_is_the_model_s_ear_is_told(stages, tiny_base, tmp_path):
    """A CLIP built around the base's own text encoder."""
    from transformers import CLIPModel, CLIPTextModel

    folder = write_clip(tmp_path / "own", width=WIDTH)
    model = CLIPModel.from_pretrained(folder)
    text = CLIPTextModel.from_pretrained(tiny_base / "text_encoder")
    model.text_model.load_state_dict(getattr(text, "text_model", text).state_dict())
    model.half().save_pretrained(folder)
    *_, utility = stages(clip_folder=folder, clip=clip_identity(folder))
    assert utility.result["clip"]["own_text_tower"]


def test_a_clip_that_changed_meanwhile_is_refused(stages, clip):
    with pytest.raises(ValidationError, match="CLIP .* changed while the run was going on"):
        stages(clip_folder=clip, clip="another")


@pytest.mark.slow
def test_fid_is_of_both_resizings_on_equal_numbers_and_marked(
    run, split, parts, scene_pairs, tmp_path
):
    """Of a network of the true shape; the published weights are checked where they are named."""
    torch.manual_seed(0)
    weights = tmp_path / "weights.pth"
    torch.save(Inception().state_dict(), weights)
    sampling = {"n": 6, "steps": 2, "guidance": 2.0, "sampler": "dpm++"}
    samples = run("samples", {"split": split}, sampling=sampling, at=0)
    real = run("real", {"split": split}, resolution=16, weights=weights)
    inputs = {"split": split, "samples": samples.folder, "real": real.folder}
    found = run("utility", inputs, at=0, weights=weights).result["fid"]
    assert found.keys() == {"rank_deficient", "tf1", "aa"}
    assert found["rank_deficient"]
    pictures = [stored(samples, "samples")["pictures"]]
    for part in ("reference", "auxiliary"):
        some = scene_pairs.select(sorted(parts[part])[:6])
        pictures.append(np.stack([square(pair.image, 16) for pair in some]))
    for resizing in ("tf1", "aa"):
        fake, own, other = (inception(some, weights, resizing) for some in pictures)
        for name, one in (("", fake), ("_floor", other)):
            wanted = few_points(own, one)
            assert found[resizing][f"fid{name}"] == pytest.approx(wanted, rel=1e-2, abs=1e-6)
            kid = kernel_distance(own, one).value
            assert found[resizing][f"kid{name}"]["value"] == pytest.approx(kid, abs=1e-6)
    assert found["tf1"]["fid"] != found["aa"]["fid"]


def few_points(a, b):
    """Without a covariance: tr sqrt(S T) is the nuclear norm of A B^T / (n - 1)."""
    left, right = a - a.mean(0), b - b.mean(0)
    n = len(a) - 1
    shared = np.linalg.svd(left @ right.T, compute_uv=False).sum() / n
    spread = ((left**2).sum() + (right**2).sum()) / n
    return ((a.mean(0) - b.mean(0)) ** 2).sum() + spread - 2 * shared
