"""Forwards that begin where another ended: fewer modules run, and the same bits."""

from __future__ import annotations

import pytest
import torch
from diffusers import UNet2DConditionModel

from bench.models.attention import recorded, text_projected_once
from bench.models.beginning import begun_once

SHAPES = {
    "attention below": ("DownBlock2D", "CrossAttnDownBlock2D"),
    "attention above": ("CrossAttnDownBlock2D", "DownBlock2D"),
    "no attention on the way down": ("DownBlock2D", "DownBlock2D"),
}


def network(down, **more):
    up = [name.replace("Down", "Up") for name in reversed(down)]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        unet = UNet2DConditionModel(
            sample_size=8, block_out_channels=(8, 16), layers_per_block=1, norm_num_groups=4,
            cross_attention_dim=6, attention_head_dim=2, down_block_types=tuple(down),
            up_block_types=tuple(up), **more,
        )  # fmt: skip
    return unet.eval().requires_grad_(False)


@pytest.fixture
def asked():
    """Two noised latents at a timestep each, and three texts."""
    generator = torch.Generator().manual_seed(1)
    noised = [torch.randn(5, 4, 8, 8, generator=generator) for _ in range(2)]
    texts = [torch.randn(5, 7, 6, generator=generator) for _ in range(3)]
    return [
        (z, torch.full((5,), t), c) for c in texts for z, t in zip(noised, (9, 450), strict=True)
    ]


def answers(unet, asked):
    with torch.inference_mode():
        return [unet(z, t, encoder_hidden_states=c).sample for z, t, c in asked]


def noised_of(asked):
    return [asked[0][0], asked[1][0]]


def same(found, wanted):
    return all(torch.equal(one, other) for one, other in zip(found, wanted, strict=True))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    "more", [{}, {"only_cross_attention": True}, {"use_linear_projection": True}]
)
def test_the_same_bits_as_whole_forwards(asked, shape, more):
    unet = network(SHAPES[shape], **more)
    wanted = answers(unet, asked)
    assert not same(wanted[:2], wanted[2:4])  # texts matter
    with begun_once(unet, noised_of(asked)):
        found = answers(unet, asked)
    assert same(found, wanted)
    with begun_once(unet, noised_of(asked)), text_projected_once(unet), recorded(unet) as maps:
        found = answers(unet, asked)
    assert same(found, wanted)
    with recorded(unet) as wanted_maps:
        answers(unet, asked)
    assert same(maps, wanted_maps)


def test_a_network_whose_timestep_s_embedding_holds_the_text_is_asked_as_it_is(asked):
    more = {"addition_embed_type": "text", "addition_embed_type_num_heads": 2}
    unet = network(SHAPES["attention below"], **more)
    wanted = answers(unet, asked)
    with begun_once(unet, noised_of(asked)):
        assert same(answers(unet, asked), wanted)


def test_what_does_not_read_the_text_runs_once_for_a_noised_latent(asked):
    unet = network(SHAPES["attention below"])
    crossing = unet.down_blocks[1].attentions[0].transformer_blocks[0]
    linear, made = torch.nn.functional.linear, []
    early = {
        layer.weight.data_ptr(): name
        for name, layer in [
            ("above", unet.down_blocks[0].resnets[0].time_emb_proj),
            ("before", unet.down_blocks[1].resnets[0].time_emb_proj),
            ("self", crossing.attn1.to_k),
            ("text", crossing.attn2.to_k),
            ("timed", unet.mid_block.resnets[0].time_emb_proj),
            ("after", unet.mid_block.attentions[0].transformer_blocks[0].attn1.to_k),
        ]
    }

    def counted(x, weight, *more):
        made.append(early.get(weight.data_ptr()))
        return linear(x, weight, *more)

    with pytest.MonkeyPatch.context() as patch, begun_once(unet, noised_of(asked)):
        patch.setattr(torch.nn.functional, "linear", counted)
        answers(unet, asked)
    found = {name: made.count(name) for name in early.values()}
    assert found == {"above": 2, "before": 2, "self": 2, "text": 6, "timed": 2, "after": 6}


def test_another_tensor_is_a_whole_forward_and_everything_is_forgotten_before_it(asked):
    unet = network(SHAPES["attention below"])
    wanted, made, forward = answers(unet, asked), [], unet.conv_in.forward

    def counted(z):
        made.append(len(z))
        return forward(z)

    unet.conv_in.forward = counted
    part = [(z[:3], t[:3], c[:3]) for z, t, c in asked[:1]]
    with begun_once(unet, noised_of(asked)):
        answers(unet, asked)
        torch.testing.assert_close(answers(unet, part)[0], wanted[0][:3])
        assert same(answers(unet, asked), wanted)
    assert made == [5, 5, 3, 5, 5]


def test_nothing_is_left_on_the_network_even_after_an_error(asked):
    unet = network(SHAPES["attention below"])
    z, t, c = asked[0]
    with pytest.raises(RuntimeError), begun_once(unet, [z]):
        unet(z, t, encoder_hidden_states=c[:, :, :3])  # of another width
    assert not unet._forward_pre_hooks
    assert not any("forward" in vars(module) for module in unet.modules())


def test_a_network_of_another_build_is_asked_as_it_is(asked):
    def answer(z, t, encoder_hidden_states):
        return z.mean() + encoder_hidden_states.mean()

    other = torch.nn.Identity()
    other.forward = answer
    z, t, c = asked[0]
    with begun_once(other, [z]):
        assert other(z, t, encoder_hidden_states=c) == answer(z, t, c)
