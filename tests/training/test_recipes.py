"""Named recipes: as long as the paper's, the same at any micro-batch, and kept raw where asked."""

from __future__ import annotations

import json

import pytest

from bench.data.cards import CARDS
from bench.errors import UsageError
from bench.training.recipe import RECIPES, named_recipe, variants

CLOSE = 1e-3
"""Of the way a training went, where float32 sums are taken in another order; seen: 1.4e-4."""


@pytest.mark.parametrize(
    ("name", "card", "epochs", "steps"),
    [
        ("paper-overtraining", "coco", 240, 150_000),
        ("paper-overtraining", "flickr-overtraining", 240, 150_000),
        ("paper-overtraining", "pokemon", 144, 15_000),
        ("paper-realworld", "coco", 80, 50_000),
        ("paper-realworld", "flickr", 80, 200_000),
        ("paper-realworld", "pokemon", 72, 7_500),
        ("modern", "pokemon", 72, 7_500),
        ("paper-realworld", None, 80, 50_000),
        ("paper-realworld", "laion-mi", 80, 50_000),
        ("mini", "pokemon", 80, None),
    ],
)
def test_a_recipe_is_as_long_as_the_paper_s_on_the_data(name, card, epochs, steps):
    recipe = named_recipe(name, card)
    assert recipe.epochs == epochs
    assert all(0 < kept < epochs for kept in recipe.keep)
    if steps:
        members = CARDS["coco" if card in (None, "laion-mi") else card].members
        made = epochs * -(-members // (recipe.batch * recipe.accumulate))
        assert made == pytest.approx(steps, rel=0.002)


def test_the_paper_s_recipes_are_its_command():
    for name in ("paper-overtraining", "paper-realworld"):
        r = RECIPES[name]
        assert (r.lr, r.batch, r.accumulate, r.precision, r.clip_norm) == (1e-5, 1, 4, "fp16", 1.0)
        assert (r.betas, r.eps, r.weight_decay) == ((0.9, 0.999), 1e-8, 1e-2)
        assert r.gradient_checkpointing
        assert r.ema_decay == 0.9999
        assert not r.crop_margin


def test_averages_warm_up_as_in_the_published_script(fresh):
    from bench.training.trainer import Trainer

    trainer = Trainer(fresh(), RECIPES["modern"].changed(precision="no"), 0)
    decays = [trainer.ema.get_decay(n + 1) for n in range(1, 200)]
    assert decays == [min(0.9999, (1 + n) / (10 + n)) for n in range(1, 200)]
    assert trainer.ema.get_decay(10**6) == 0.9999


def test_modern_makes_the_paper_s_steps(training, pairs, assert_close):
    """In one precision: four pairs at once, or one by one, are one step."""
    eight = pairs.select(pairs.ids[:8])
    same = {"precision": "no", "epochs": 2, "keep": (), "lr": 1e-3}
    paper = training(RECIPES["paper-realworld"].changed(**same), eight)
    modern = training(RECIPES["modern"].changed(**same), eight)
    assert paper.figures["steps"] == modern.figures["steps"] == 4
    assert_close(modern.weights, paper.weights, CLOSE)


def test_raw_weights_are_kept_where_asked_for(training, recipe, assert_close):
    usual = training(recipe)
    assert set(usual.bytes) == {"unet.safetensors"}
    both = training(recipe.changed(keep_raw=True))
    assert both.bytes["unet.safetensors"] == usual.bytes["unet.safetensors"]
    raw = both.kept["unet-raw"]
    # An average without memory is what it averages.
    alone = training(recipe.changed(ema_decay=0.0)).weights
    assert_close(raw, alone, 1e-6)
    with pytest.raises(AssertionError):
        assert_close(raw, usual.weights, CLOSE)


def test_raw_weights_of_a_low_rank_training_are_merged(training, recipe, assert_close):
    low = recipe.changed(lora_rank=2, keep_raw=True)
    raw = training(low).kept["unet-raw"]
    assert_close(raw, training(low.changed(ema_decay=0.0)).weights, 1e-5)


def test_variants_name_the_data_sets():
    assert {name: r.epochs for name, r in variants("paper-realworld").items()} == {
        "": 80, "coco": 80, "flickr": 80, "pokemon": 72,
    }  # fmt: skip
    assert variants("mini") == {"": RECIPES["mini"]}


def test_recipes_are_listed(cli):
    ended = cli("list", "recipes", "--format", "json")
    rows = {row["name"]: row for row in json.loads(ended.out)["rows"]}
    assert set(rows) == set(RECIPES)
    assert rows["paper-realworld"]["epochs"] == "80; pokemon 72"
    assert rows["paper-realworld"]["batch"] == "1 x 4"
    assert rows["modern"]["precision"] == "bf16"
    shown = cli("show", "modern").out
    assert "gradient_checkpointing False" in shown
    assert "keep_raw" in shown


def asked(**changed):
    from bench.request import Request

    usual = {"defenses": ["none"], "attacks": ["loss"], "data": "scenes:n=120"}
    return Request(**usual | {"recipe": "pretrained"} | changed)


def test_pretrained_attacks_the_base_itself():
    from bench.pipeline import cell_stage

    (cell,) = asked().cells()
    assert cell.at == 0
    kinds = [stage.kind for stage in cell_stage(cell).walk()]
    assert "train" not in kinds
    assert kinds.count("features") == 2  # members and hold-outs; the attacker's own


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"defenses": ["del3"]}, "recipe pretrained trains nothing, so del3 has nothing to defend"),
        ({"at": [40]}, "--at 40: recipe pretrained trains nothing"),
        ({"attacks": ["ref_loss"]}, "neither the base nor a shadow"),
    ],
)
def test_what_needs_a_training_is_refused(changed, said):
    with pytest.raises(UsageError, match=said.replace("[", r"\[")):
        asked(**changed).cells()


def test_half_precision_without_a_gpu_is_refused_before_anything_is_computed(
    cli, tiny_base, tmp_path
):
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    store = tmp_path / "store"
    words = ("--defense", "none", "--attack", "loss", "--data", "scenes:n=120", "--base", tiny_base)
    ended = cli("run", *words, "--recipe", "paper-realworld", "--store", store)
    assert ended.code == 2
    assert "trains in fp16, which takes a GPU" in ended.err.splitlines()[-1]
    assert not (store / "stages").exists()
    assert cli("plan", *words, "--recipe", "paper-realworld", "--store", store).code == 0


def test_an_attackers_reference_keeps_no_raw_weights():
    from bench.pipeline import cell_stage

    (cell,) = asked(recipe="modern", attacks=["ref_loss"]).cells()
    trained = [s.params for s in cell_stage(cell).walk() if s.kind == "train"]
    kept = {params["part"]: params["recipe"].get("keep_raw", False) for params in trained}
    assert kept.pop("members")
    assert kept.pop("shadow_members")
    assert kept
    assert not any(kept.values())
