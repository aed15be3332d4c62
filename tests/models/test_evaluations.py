"""Evaluations made once: in batches that fit, with crops and noise as asked, and remembered."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import nn

from bench.api import Condition
from bench.data.geometry import zoom
from bench.errors import BudgetError
from bench.models.evaluations import Evaluations, Question
from bench.models.target import ModelTarget
from bench.rng import generator

TIMES = [440, 450, 460]
CLOSE = 1e-5
"""Relative; 1e-7 is what different batch sizes were seen to make of a loss."""


class Cramped(nn.Module):
    """A U-Net on a device with room for so many rows; fails in the middle of its work."""

    def __init__(self, unet, room):
        super().__init__()
        self.unet, self.config, self.room, self.rows, self.failed = unet, unet.config, room, 0, 0

    def forward(self, noisy, times, encoder_hidden_states):
        output = self.unet(noisy, times, encoder_hidden_states=encoder_hidden_states)
        if len(noisy) > self.room:
            self.failed += 1
            raise torch.OutOfMemoryError("out of memory")
        self.rows += len(noisy)
        return output


@pytest.fixture
def cramped(base):
    def make(room, rows):
        return ModelTarget(replace(base, unet=Cramped(base.unet, room)), 3, rows=rows)

    return make


@pytest.fixture
def target(base):
    return ModelTarget(base, 3)


def ask_losses(target, pairs):
    return target.losses(pairs, TIMES)


def ask_losses_of_noised_text(target, pairs):
    return target.losses(pairs, TIMES, text_noise=0.5, crop=0.8)


def ask_predictions(target, pairs):
    return target.predictions(pairs, TIMES).numpy()


def ask_word_importance(target, pairs):
    weights = target.word_importance(pairs, 450)
    return np.concatenate([np.concatenate(weights), target.losses(pairs, [450])[:, 0]])


def ask_by_batches(target, pairs):
    """As PIA does."""
    found = [
        target.predict(target.latents(part), 7, target.text(part.captions)).numpy()
        for part in target.batches(pairs)
    ]
    return np.concatenate(found)


ASKED = {f.__name__.removeprefix("ask_"): f for f in (
    ask_losses, ask_losses_of_noised_text, ask_predictions, ask_word_importance, ask_by_batches
)}  # fmt: skip


@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize("rows", [1, 3, 64])
def test_answers_do_not_depend_on_the_batch_size(base, target, pairs, asked, rows):
    found = ASKED[asked](ModelTarget(base, 3, rows=rows), pairs)
    wanted = ASKED[asked](target, pairs)
    np.testing.assert_allclose(found, wanted, rtol=CLOSE, atol=1e-4 * abs(wanted).mean())


@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize(
    ("room", "rows", "failures"), [(5, 64, 4), (1, 20, 4), (5, 6, 1), (3, 7, 1)]
)
def test_a_batch_that_does_not_fit_is_halved_until_it_does(
    cramped, target, pairs, asked, room, rows, failures
):
    """In one batch of twenty, and in several (6, 7) of which the first is halved."""
    tight = cramped(room, rows)
    found, wanted = ASKED[asked](tight, pairs), ASKED[asked](target, pairs)
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, rtol=CLOSE, atol=1e-4 * abs(wanted).mean())
    assert tight.base.unet.failed == failures
    assert tight.shared.rows <= room
    assert tight.queries == tight.shared.made == tight.base.unet.rows  # failures do not count


def test_one_row_that_does_not_fit_is_said(cramped, pairs):
    target = cramped(0, 8)
    for asked in ASKED.values():
        with pytest.raises(BudgetError, match="one U-Net row does not fit"):
            asked(target, pairs)
    assert target.shared.made == 0


def test_losses_are_those_of_the_predictions(target, pairs):
    predicted = target.predictions(pairs, TIMES)
    noise = torch.stack([target.noise(pairs, t) for t in TIMES], dim=1)
    errors = (predicted.double() - noise.double()).square().mean(dim=(2, 3, 4))
    np.testing.assert_allclose(target.losses(pairs, TIMES), errors, rtol=1e-6)
    assert predicted.shape == (20, 3, 4, 8, 8)
    assert predicted.device.type == "cpu"


def test_predictions_give_the_losses_and_are_kept_while_there_is_room(base, pairs, monkeypatch):
    made = []
    for room in (2 << 30, 20 * 4 * 8 * 8 * 4, 0):  # all, one timestep, none
        monkeypatch.setattr("bench.models.evaluations.KEPT_BYTES", room)
        shared = Evaluations(base, 3)
        views = [ModelTarget(base, 3, shared=shared) for _ in range(3)]
        first, second = (view.predictions(pairs, TIMES) for view in views[:2])
        views[2].losses(pairs, TIMES)
        assert torch.equal(first, second)
        assert [view.queries for view in views] == [60] * 3
        made.append(shared.made)
    assert made == [60, 60 + 40, 60 + 60]


def test_only_what_is_not_known_is_evaluated(base, pairs):
    shared = Evaluations(base, 3)
    question = Question(pairs.ids, pairs.captions)
    shared.make(pairs, [450, 450, 10], question)
    assert shared.made == 40
    shared.make(pairs, [10, 20], question)
    assert shared.made == 60
    for other in (
        question._replace(captions=("",) * 20),
        question._replace(crop=0.9),
        question._replace(text_noise=0.5),
        question._replace(text_noise=0.7),
    ):
        before = shared.made
        shared.make(pairs, [10], other)
        assert shared.made == before + 20


def test_a_view_counts_each_question_once_and_not_what_others_asked(base, pairs):
    shared = Evaluations(base, 3)
    first, second = (ModelTarget(base, 3, shared=shared) for _ in range(2))
    first.losses(pairs, TIMES)
    first.losses(pairs, [450, 440])
    first.predictions(pairs, [450])
    first.word_importance(pairs, 450)
    assert first.queries == 60
    assert second.queries == 0
    second.losses(pairs, [450])
    second.losses(pairs, [450], [""] * 20)
    second.losses(pairs, [450], crop=0.9)
    second.predict(second.noise(pairs, 7), 7, second.text(pairs.captions))
    assert second.queries == 80


@pytest.mark.parametrize("before", [[], ["losses"], ["predictions"], ["word_importance"]])
def test_word_importance_leaves_the_loss_as_it_was(base, target, pairs, before):
    """To the bit, whatever was asked before."""
    plain, weights = target.losses(pairs, [450]), target.word_importance(pairs, 450)
    other = ModelTarget(base, 3)
    for asked in before:
        ASKED[asked](other, pairs)
    assert other.word_importance(pairs, 450) == weights
    assert np.array_equal(other.losses(pairs, [450]), plain)
    assert np.array_equal(target.losses(pairs, [450]), plain)


def test_word_importance_is_what_each_word_draws_at_the_pair_s_own_noise(base, target, pairs):
    """One letter, one token: the shares of the tokens of the caption, summed by word."""
    found = target.word_importance(pairs, 450)
    clean, noise, a = target.latents(pairs), target.noise(pairs, 450), base.alphas_cumprod[450]
    noisy, shares = a.sqrt() * clean + (1 - a).sqrt() * noise, []

    def look(module, args, kwargs):
        q, k = module.to_q(args[0]), module.to_k(kwargs["encoder_hidden_states"])
        q, k = (x.unflatten(2, (module.heads, -1)).transpose(1, 2).double() for x in (q, k))
        scores = (q @ k.transpose(2, 3) / q.shape[-1] ** 0.5).softmax(dim=3)
        shares.append(scores.mean(dim=(1, 2)))

    layers = [m for name, m in base.unet.named_modules() if name.endswith(".attn2")]
    hooks = [layer.register_forward_pre_hook(look, with_kwargs=True) for layer in layers]
    with torch.no_grad():
        base.unet(noisy, torch.full((20,), 450), target.text(pairs.captions))
    for hook in hooks:
        hook.remove()
    tokens = torch.stack(shares).mean(dim=0).numpy()
    assert len(shares) == len(layers) > 1
    for caption, weights, row in zip(pairs.captions, found, tokens, strict=True):
        starts, at = [], 1
        for word in caption.split():
            starts.append((at, min(at + len(word), 76)))
            at += len(word)
        wanted = [row[start:end].sum() for start, end in starts]
        np.testing.assert_allclose(weights, wanted, rtol=1e-4, atol=1e-7)


def test_a_caption_too_long_for_the_encoder_has_words_that_weigh_nothing(target, pairs):
    some = pairs.select(pairs.ids[:3]).with_captions(["word " * 40, "", "x"])
    long, empty, one = target.word_importance(some, 450)
    assert [weight > 0 for weight in long] == [4 * i < 75 for i in range(40)]
    assert empty == []
    assert len(one) == 1


@pytest.mark.parametrize("share", [0.95, 0.825, 0.811, 0.7, 0.5])
@pytest.mark.parametrize("size", [(16, 16), (40, 25), (25, 60)])
def test_latents_of_a_crop_are_those_of_the_middle_scaled_back(base, target, pairs, share, size):
    """First the square that the model reads, then floor(16 share) of its pixels: with PIL alone."""
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8))
    width, height = picture.size
    short = min(width, height)
    square = picture.resize((round(16 * width / short), round(16 * height / short)), 2)
    inner = int(np.floor(16 * share))
    left, top = (square.width - inner) // 2, (square.height - inner) // 2
    cropped = square.crop((left, top, left + inner, top + inner)).resize((16, 16), 2)
    some = replace(pairs.select(pairs.ids[:1]), open_image=lambda id_: picture)
    wanted = target.latents(replace(some, ids=("cropped",), open_image=lambda id_: cropped))
    found = target.shared.latents(some, share)
    assert torch.equal(found, wanted)
    assert not torch.equal(found, target.latents(some))
    assert torch.equal(target.latents(some), ModelTarget(base, 3).latents(some))  # not mixed up


@given(st.integers(8, 128), st.floats(0.2, 0.999), st.integers(0, 40), st.booleans())
def test_a_zoom_keeps_the_middle(side, share, more, wide):
    """As far from one edge as from the other, within the odd pixel; a square of the model's size.

    Every pixel says where it is, so that what is left and where it lay can be read off.
    """
    height, width = (side, side + more) if wide else (side + more, side)
    rows, columns = np.mgrid[:height, :width]
    pixels = np.stack([rows, columns, 0 * rows], axis=2).astype(np.uint8)
    found = zoom(pixels, side, share)
    assert found.shape == (side, side, 3)
    inner = int(side * share)
    for axis, length in ((0, height), (1, width)):
        line = found[:, :, axis].astype(int)
        first, last = line.min(), line.max()
        assert last - first + 1 == inner
        assert abs(first - (length - 1 - last)) <= 1


def test_a_crop_meets_the_same_noise_and_text(base, pairs):
    seen = []

    class Seen(nn.Module):
        config = base.unet.config

        def forward(self, noisy, times, encoder_hidden_states):
            seen.append((noisy.clone(), encoder_hidden_states.clone()))
            return SimpleNamespace(sample=0 * noisy)

    target = ModelTarget(replace(base, unet=Seen()), 3)
    whole, cropped = (target.losses(pairs, [450], crop=crop) for crop in (1.0, 0.8))
    assert np.array_equal(whole, cropped)  # the network says nothing: the power of the noise
    assert torch.equal(seen[0][1], seen[1][1])
    moved = (seen[1][0] - seen[0][0]).double()
    a = base.alphas_cumprod[450].double()
    latents = (target.shared.latents(pairs, 0.8) - target.latents(pairs)).double()
    torch.testing.assert_close(moved, a.sqrt() * latents, rtol=0, atol=1e-6)


def test_text_noise_is_of_the_caption_s_own_spread_and_the_same_at_every_timestep(base, pairs):
    seen = {}

    class Seen(nn.Module):
        config = base.unet.config

        def forward(self, noisy, times, encoder_hidden_states):
            seen.setdefault(int(times[0]), encoder_hidden_states.double().numpy())
            return SimpleNamespace(sample=0 * noisy)

    target = ModelTarget(replace(base, unet=Seen()), 3)
    text = target.text(pairs.captions).double().numpy()
    draws = []
    for scale in (0.5, 0.9):
        seen.clear()
        target.losses(pairs, [440, 450], text_noise=scale)
        assert np.array_equal(seen[440], seen[450])
        spread = text.reshape(20, -1).std(axis=1, ddof=1)[:, None, None]
        draws.append((seen[440] - text) / (scale * spread))
    np.testing.assert_allclose(*draws, atol=1e-5)  # larger, not another one
    keys = [generator(3, "text-noise", id_) for id_ in pairs.ids]
    wanted = np.stack([key.standard_normal((77, 32), dtype=np.float32) for key in keys])
    np.testing.assert_allclose(draws[0], wanted, atol=1e-5)
    assert abs(draws[0].mean(axis=(1, 2))).max() < 5 / (77 * 32) ** 0.5
    assert abs(draws[0].std(axis=(1, 2)) - 1).max() < 5 / (2 * 77 * 32) ** 0.5
    assert abs(np.corrcoef(draws[0].reshape(20, -1)) - np.eye(20)).max() < 6 / (77 * 32) ** 0.5


def test_no_text_noise_is_the_plain_question(target, pairs):
    plain = target.losses(pairs, [450])
    assert np.array_equal(target.losses(pairs, [450], text_noise=0.0), plain)
    assert target.queries == 20
    assert np.all(target.losses(pairs, [450], text_noise=0.5) != plain)


CONDITIONS = [Condition(), Condition([""] * 20), Condition(text_noise=0.5), Condition(["x"] * 20)]


@pytest.mark.parametrize("rows", [3, 7, 64])
def test_conditions_asked_together_end_in_the_bits_of_each_alone(base, pairs, rows):
    found = ModelTarget(base, 3, rows=rows).losses_under(pairs, TIMES, CONDITIONS)
    assert len(found) == 4
    for condition, losses in zip(CONDITIONS, found, strict=True):
        alone = ModelTarget(base, 3, rows=rows)
        assert np.array_equal(losses, alone.losses(
            pairs, TIMES, condition.captions, text_noise=condition.text_noise
        ))  # fmt: skip


def test_conditions_are_queries_each_and_rows_unless_known(base, pairs):
    shared = Evaluations(base, 3)
    first, second = (ModelTarget(base, 3, shared=shared) for _ in range(2))
    first.losses(pairs, [450])
    second.losses_under(pairs, TIMES, [*CONDITIONS, Condition(pairs.captions)])
    assert (first.queries, second.queries) == (20, 240)  # one's own caption twice is one query
    assert shared.made == 240
    assert not base.unet._forward_pre_hooks


def test_pictures_are_encoded_once_for_all_timesteps_and_conditions(base, pairs):
    encoded = []

    class Counted:
        config = base.vae.config

        def encode(self, pictures):
            encoded.append(len(pictures))
            return base.vae.encode(pictures)

    target = ModelTarget(replace(base, vae=Counted()), 3, rows=8)
    target.losses_under(pairs, TIMES, CONDITIONS)
    assert encoded == [8, 8, 4]
    target.losses(pairs, TIMES, crop=0.8)
    assert encoded == [8, 8, 4] * 2


@pytest.mark.parametrize("room", [5, 1])
def test_conditions_in_a_memory_too_small_for_a_batch(base, pairs, target, room):
    """The network itself fails, after its beginning was remembered."""

    def fail(module, args):
        if len(args[0]) > room:
            raise torch.OutOfMemoryError

    wanted = target.losses_under(pairs, TIMES, CONDITIONS)
    tight = ModelTarget(base, 3, rows=8)
    hook = base.unet.conv_out.register_forward_pre_hook(fail)
    try:
        found = tight.losses_under(pairs, TIMES, CONDITIONS)
    finally:
        hook.remove()
    np.testing.assert_allclose(found, wanted, rtol=CLOSE)
    assert tight.shared.made == tight.queries == 240


def test_text_states_are_the_same_when_there_is_no_room_to_keep_them(base, pairs, monkeypatch):
    captions = [*pairs.captions, "", pairs.captions[3], ""]
    wanted = ModelTarget(base, 3).text(captions)
    assert torch.equal(wanted[3], wanted[21])
    assert torch.equal(wanted[20], wanted[22])
    for room in (0, 5 * wanted[0].nbytes):
        monkeypatch.setattr("bench.models.evaluations.TEXT_BYTES", room)
        target = ModelTarget(base, 3)
        for part in (captions[:2], captions, captions[::-1], captions):
            found = target.text(part)
            for caption, states in zip(part, found, strict=True):
                torch.testing.assert_close(
                    states, wanted[captions.index(caption)], rtol=CLOSE, atol=1e-6
                )
        assert sum(s.nbytes for s in target.shared._states.values()) <= room


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_a_lower_precision_is_of_the_network_alone(base, pairs, precision):
    """Its answer is of that precision's grid; what it is compared with, and how, stays as it is."""
    met = []
    hook = base.unet.register_forward_hook(lambda _, args, output: met.append((args, output)))
    lower = ModelTarget(base, 3, shared=Evaluations(base, 3, precision=precision))
    try:
        found = lower.losses_under(pairs, TIMES, CONDITIONS)
        answered = met[0]
    finally:
        hook.remove()
    usual = ModelTarget(base, 3)
    wanted = usual.losses_under(pairs, TIMES, CONDITIONS)
    kind = {"bf16": torch.bfloat16, "fp16": torch.float16}[precision]
    assert answered[0][0].dtype == torch.float32
    assert answered[1].sample.dtype == kind
    predicted = lower.predictions(pairs, TIMES)
    assert predicted.dtype == torch.float32
    assert torch.equal(predicted, predicted.to(kind).float())
    noise = torch.stack([usual.noise(pairs, t) for t in TIMES], dim=1).double()
    by_hand = (predicted.double() - noise).square().mean(dim=(2, 3, 4))
    np.testing.assert_allclose(found[0], by_hand, rtol=1e-6)
    assert np.all(np.not_equal(found[0], wanted[0]))
    np.testing.assert_allclose(found, wanted, rtol=2e-2)
    assert lower.queries == 4 * 3 * len(pairs)


def test_the_usual_precision_is_none(base, pairs):
    usual = ModelTarget(base, 3, shared=Evaluations(base, 3, precision="fp32"))
    assert np.array_equal(usual.losses(pairs, TIMES), ModelTarget(base, 3).losses(pairs, TIMES))
