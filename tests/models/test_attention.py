"""Word importance from cross-attention: what is read, and that reading changes nothing."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from diffusers.models.attention_processor import Attention
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from bench.models.attention import by_word, recorded, text_projected_once


class Crossing(nn.Module):
    """Latent rows are pixels of four numbers; two layers of cross-attention, two heads each."""

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            for name in ("first", "second"):
                block = nn.Module()
                block.attn2 = Attention(4, cross_attention_dim=3, heads=2, dim_head=5)
                block.attn1 = Attention(4, heads=2, dim_head=5)
                self.add_module(name, block)
        self.requires_grad_(False)

    def forward(self, hidden, times, encoder_hidden_states):
        for block in (self.first, self.second):
            hidden = hidden + block.attn1(hidden)
            hidden = hidden + block.attn2(hidden, encoder_hidden_states=encoder_hidden_states)
            if times is not None and times.max() > 5 and block is self.first:
                raise torch.OutOfMemoryError
        return SimpleNamespace(sample=hidden)


@pytest.fixture(scope="module")
def crossing():
    return Crossing()


@pytest.fixture(scope="module")
def asked():
    generator = torch.Generator().manual_seed(1)
    return torch.randn(3, 7, 4, generator=generator), torch.randn(3, 6, 3, generator=generator)


def maps_by_hand(network, hidden, text):
    """Softmax of q k / sqrt(5), head by head in numpy; mean over layers, heads and pixels."""
    weights = {name: value.double().numpy() for name, value in network.state_dict().items()}
    found = []
    for row in range(len(hidden)):
        inputs, shares = hidden[row : row + 1], []
        for name in ("first", "second"):
            block = getattr(network, name)
            inputs = inputs + block.attn1(inputs)
            q = inputs[0].double().numpy() @ weights[f"{name}.attn2.to_q.weight"].T
            k = text[row].double().numpy() @ weights[f"{name}.attn2.to_k.weight"].T
            for head in (slice(0, 5), slice(5, 10)):
                raw = np.exp(q[:, head] @ k[:, head].T / np.sqrt(5))
                shares.append(raw / raw.sum(axis=1, keepdims=True))
            inputs = inputs + block.attn2(inputs, encoder_hidden_states=text[row : row + 1])
        found.append(np.mean(shares, axis=(0, 1)))
    return np.array(found)


def test_maps_are_attention_shares_averaged_over_layers_heads_and_pixels(crossing, asked):
    hidden, text = asked
    with recorded(crossing) as maps:
        crossing(hidden, None, encoder_hidden_states=text)
    assert len(maps) == 1
    np.testing.assert_allclose(maps[0], maps_by_hand(crossing, hidden, text), atol=1e-6)
    assert abs(maps[0].sum(dim=1) - 1).max() < 1e-6
    assert maps[0].std(dim=0).min() > 1e-3  # rows differ


def test_one_map_a_forward_and_none_of_one_that_failed(crossing, asked):
    hidden, text = asked
    times = torch.full((3,), 9)
    with recorded(crossing) as maps:
        crossing(hidden[:1], None, encoder_hidden_states=text[:1])
        with pytest.raises(torch.OutOfMemoryError):
            crossing(hidden, times, encoder_hidden_states=text)
        crossing(hidden[1:], None, encoder_hidden_states=text[1:])
    assert [len(rows) for rows in maps] == [1, 2]
    found = np.concatenate(maps)
    np.testing.assert_allclose(found, maps_by_hand(crossing, hidden, text), atol=1e-6)


def hooks_of(network):
    return [
        len(held) for m in network.modules() for held in (m._forward_hooks, m._forward_pre_hooks)
    ]


def test_nothing_is_left_on_the_network_even_after_an_error(crossing, asked):
    hidden, text = asked
    before = hooks_of(crossing)
    assert sum(before) == 0
    with pytest.raises(torch.OutOfMemoryError), recorded(crossing), text_projected_once(crossing):
        crossing(hidden, torch.full((3,), 9), encoder_hidden_states=text)
    assert hooks_of(crossing) == before
    assert not any("forward" in vars(module) for module in crossing.modules())


def test_a_u_net_computes_the_same_bits_while_it_is_read(base):
    generator = torch.Generator().manual_seed(2)
    noisy, text = torch.randn(5, 4, 8, 8, generator=generator), torch.randn(5, 77, 32)
    asked = (noisy, torch.full((5,), 450))
    with torch.inference_mode():
        plain = base.unet(*asked, encoder_hidden_states=text).sample
        with recorded(base.unet) as maps:
            read = base.unet(*asked, encoder_hidden_states=text).sample
        with text_projected_once(base.unet):
            once = [base.unet(*asked, encoder_hidden_states=text).sample for _ in range(2)]
    assert torch.equal(read, plain)
    assert all(torch.equal(answer, plain) for answer in once)
    assert maps[0].shape == (5, 77)
    assert abs(maps[0].sum(dim=1) - 1).max() < 1e-5


def test_a_text_is_projected_once_and_another_one_anew(crossing, asked, monkeypatch):
    hidden, text = asked
    double = 2 * text
    questions = [(n * hidden, None, t) for t in (text, double) for n in (1, 2)]
    wanted = [crossing(*question).sample for question in questions]
    projected, forward = [], nn.Linear.forward

    def counted(linear, x):
        projected.append(linear is crossing.first.attn2.to_k)
        return forward(linear, x)

    monkeypatch.setattr(nn.Linear, "forward", counted)
    with text_projected_once(crossing):
        found = [crossing(*question).sample for question in questions]
    assert sum(projected) == 2
    assert all(torch.equal(answer, said) for answer, said in zip(found, wanted, strict=True))


class Letters:
    """One token a letter, as the tiny base's tokenizer."""

    def __call__(self, word, add_special_tokens):
        assert not add_special_tokens
        return SimpleNamespace(input_ids=list(word))


def test_tokens_of_a_word_are_summed():
    weights = [100.0, 1, 2, 4, 8, 16, 32, 200, 300, 400]  # marks and padding do not count
    assert by_word("ab c def", weights, Letters()) == [3.0, 4.0, 56.0]
    assert by_word("  ab \n c\tdef ", weights, Letters()) == [3.0, 4.0, 56.0]
    assert by_word("a", [100.0, 5, 200], Letters()) == [5.0]


@pytest.mark.parametrize("caption", ["", "   "])
def test_an_empty_caption_has_no_words(caption):
    assert by_word(caption, [1.0, 1, 1], Letters()) == []


def test_words_beyond_the_encoder_s_length_weigh_nothing():
    """Room for four tokens between the marks; a word cut in half counts as far as it is read."""
    weights = [100.0, 1, 2, 4, 8, 200]
    assert by_word("abcd efg", weights, Letters()) == [15.0, 0.0]
    assert by_word("ab cdef gh", weights, Letters()) == [3.0, 12.0, 0.0]


@given(st.lists(st.text("abc", min_size=1, max_size=9), max_size=12))
def test_every_word_has_its_own_tokens_and_no_other(words):
    """Token i weighs 2^i: which ones a sum is made of can be read off."""
    room = 20
    weights = [2.0**60, *(2.0**i for i in range(room)), 2.0**61]
    found = by_word(" ".join(words), weights, Letters())
    start = 0
    for word, weight in zip(words, found, strict=True):
        own = range(start, min(start + len(word), room))
        assert weight == sum(2.0**i for i in own)
        start += len(word)


def test_by_word_reads_the_tokens_that_the_encoder_is_given(base):
    """Of a real tokenizer: marks, capitals, punctuation, a word in sub-words, too long a text."""
    for caption in ("A cat, sitting", "don't 3-D  Ünïcode", "word " * 30, ""):
        ids = base.tokenizer(caption, padding="max_length", truncation=True).input_ids
        weights = [float(i) for i in range(len(ids))]
        found = by_word(caption, weights, base.tokenizer)
        last = ids.index(base.tokenizer.eos_token_id) - 1
        assert sum(found) == sum(range(1, last + 1))
        assert len(found) == len(caption.split())
