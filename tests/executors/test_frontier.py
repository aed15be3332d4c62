"""The order in which stages start: inputs first, trainings first, and one model once."""

from __future__ import annotations

from bench.executors.frontier import Frontier
from bench.specs import Stage


def free(group):
    return False


def train(name):
    return Stage("train", {"name": name})


def ask(model, attack, part="target"):
    params = {"attack": attack, "base": "b", "seed": 0, "at": None, "part": part}
    return Stage("features", params, {"model": model, "split": Stage("split", {})})


def names(groups):
    return [[stage.params.get("attack") or stage.params.get("name") for stage in g] for g in groups]


def test_trainings_start_first_and_what_reads_them_after():
    split, one = Stage("split", {}), train("one")
    loss = ask(one, "loss")
    frontier = Frontier([split, one, loss])
    assert [[s.kind for s in g] for g in frontier.groups(9, free, idle=True)] == [
        ["train"], ["split"]]  # fmt: skip
    assert [g[0].kind for g in frontier.groups(1, free, idle=True)] == ["train"]
    frontier.take([one])
    assert [g[0].kind for g in frontier.groups(9, free, idle=False)] == ["split"]
    frontier.stored(one)
    frontier.stored(split)  # as another run may have computed it
    assert names(frontier.groups(9, free, idle=False)) == [["loss"]]


def test_a_group_waits_for_what_will_share_its_model_unless_nothing_goes_on():
    base, other = train("base"), train("other")
    late = ask(base, "late")
    late = Stage(late.kind, late.params, {**late.inputs, "reference": other})
    frontier = Frontier([base, other, ask(base, "loss"), late])
    for stage in (base, other):
        frontier.take([stage])
    frontier.stored(base)
    assert frontier.groups(9, free, idle=False) == []
    assert names(frontier.groups(9, free, idle=True)) == [["loss"]]
    frontier.stored(other)
    # What compares predictions comes first: the losses of the others follow from these.
    assert names(frontier.groups(9, free, idle=False)) == [["late", "loss"]]


def test_what_stands_on_a_failure_is_dropped_and_the_rest_goes_on():
    bad, good = train("bad"), train("good")
    metrics = Stage("metrics", {}, {"a": ask(bad, "loss"), "b": ask(good, "loss")})
    stages = [bad, good, *metrics.inputs.values(), metrics]
    frontier = Frontier(stages)
    frontier.take([bad, good])
    frontier.drop(bad)
    frontier.stored(good)
    (group,) = frontier.groups(9, free, idle=False)
    assert group[0].inputs["model"] is good
    frontier.take(group)
    frontier.stored(group[0])
    assert not frontier


def test_what_is_given_back_is_ready_again():
    one = train("one")
    frontier = Frontier([one])
    frontier.take([one])
    assert not frontier
    frontier.give_back(one)
    assert names(frontier.groups(9, free, idle=False)) == [["one"]]


def test_a_refused_group_does_not_hide_the_others():
    one, other = train("one"), train("other")
    frontier = Frontier([one, other])
    assert names(frontier.groups(1, lambda group: group[0] is one, idle=True)) == [["other"]]
