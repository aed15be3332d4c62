"""Parameters that make no sense are refused when the attack is made, not after its queries."""

from __future__ import annotations

import pytest

from bench.errors import UsageError
from bench.plugins import resolve

REFUSED = [
    "secmi[t=105]",
    "secmi[t=0]",
    "secmi[t=-10]",
    "secmi[k=0]",
    "secmi_nns[t=105]",
    "pfami[crop=1.5]",
    "pfami[crop=1]",
    "pfami[crop=0]",
    "pfami[crop=nan]",
    "pfami[mode=fraction]",
    "clid_th[m=0,n=0]",
    "clid_vec[m=-1]",
    "clid_th[n=-1]",
    "clid_th[reduction=words]",
    "ref_loss[count=5]",
    "ref_align[count=0]",
    "loss[t=late]",
    "ref_loss[reference=none]",  # nothing to compare with
    "ref_align[reference=none]",
    "clid_th[step=0]",  # one timestep three times would be one query
    "mc[timesteps=(450,450)]",
    "mc[timesteps=(450,440,450)]",
    "pfami[step=0]",
    "pfami[count=0]",
    "pfami_nn[epochs=0]",
    "secmi_nns[epochs=-1]",
    "pia[p=0]",
    "pia[p=-2]",
    "pia[p=nan]",
    "clid_vec[trees=0]",
]
OUTSIDE = [
    "loss[t=1000]",
    "loss[t=-1]",
    "pia[t=1000]",
    "pia[t=-1]",
    "mc[timesteps=(5,2000)]",
    "secmi[t=990]",
    "clid_th[t=5]",
]


@pytest.mark.parametrize("call", REFUSED)
def test_senseless_parameters_are_a_usage_error(call):
    with pytest.raises(UsageError):
        resolve("attack", call)


@pytest.mark.parametrize("call", OUTSIDE)
def test_a_timestep_outside_the_schedule_is_a_usage_error(attack, target_of, pairs, call):
    with pytest.raises(UsageError, match="outside the model's 0 to 999"):
        attack(call).features(target_of(), pairs)


@pytest.mark.parametrize(
    ("call", "label"),
    [
        ("clid_th[m=3,n=3]", "clid_th"),
        ("clid_th[n=0,m=5]", "clid_th[m=5,n=0]"),
        ("secmi[t=40,k=20]", "secmi[t=40,k=20]"),
        ("mc[timesteps=(100)]", "mc[timesteps=(100,)]"),
        ("pfami[reference=base,crop=0.811]", "pfami[reference=base,crop=0.811]"),
    ],
)
def test_those_that_make_sense_are_taken(call, label):
    assert resolve("attack", call).label == label


@pytest.mark.parametrize(
    ("call", "queries", "params"),
    [
        ("loss[preset=matsumoto]", 1, {"t": 350}),
        ("loss[preset=pia]", 1, {"t": 500}),
        ("secmi[preset=ldm_code]", 16, {"t": 140, "k": 10}),
        ("secmi[preset=ddpm_code]", 11, {"t": 90, "k": 10}),
        ("pfami[preset=paper]", 20, {"mode": "ratio", "first": 0, "reference": "base"}),
        ("pfami[preset=paper_uncalibrated]", 20, {"mode": "ratio", "reference": "none"}),
        ("pfami[preset=paper,crop=0.9]", 20, {"mode": "ratio", "crop": 0.9, "first": 0}),
    ],
)
def test_presets_are_the_settings_of_papers_and_codes(attack, call, queries, params):
    made = attack(call)
    assert made.queries == queries
    assert {name: getattr(made, name) for name in params} == params


def test_an_unknown_preset_is_a_usage_error():
    with pytest.raises(UsageError, match="matsumoto"):
        resolve("attack", "loss[preset=matsumuto]")
