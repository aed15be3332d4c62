"""A plugin that fails in the middle of a run costs its own rows and no others."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HEAD = """
import os, sys
from dataclasses import dataclass
from typing import ClassVar
import numpy as np
from bench import Attack, Defense


class Strange(Exception):
    def __init__(self, what, where):
        super().__init__(f"{what} at {where}")


"""
ATTACK = """
@dataclass
class {title}(Attack):
    name: ClassVar[str] = "{name}"
    queries = 0

    def features(self, target, pairs):
        features = np.zeros((len(pairs), 1))
        {features}
        return features

    def score(self, features):
        scores = features[:, 0]
        {score}
        return scores
"""
FEATURES = {
    "raises": ("raise RuntimeError('no luck\\nat all')", "RuntimeError: no luck"),
    "odd": ("raise Strange('broken', 'sea')", "Strange: broken at sea"),
    "leaves": ("sys.exit(0)", "SystemExit"),
    "nan": ("features[3] = np.nan", "not finite"),
    "flat": ("features = features[:, 0]", ", F)"),
    "short": ("features = features[1:]", ", F)"),
    "words": ("features = ['a'] * len(pairs)", "ValueError"),
    "nothing": ("features = None", ", F)"),
}
SCORES = {
    "nan_scores": ("scores = scores * np.nan", "finite"),
    "short_scores": ("scores = scores[1:]", "one finite score a pair"),
    "square_scores": ("scores = features", "one finite score a pair"),
    "raising_score": ("raise KeyError('k')", "KeyError"),
}


@pytest.fixture
def plugins(tmp_path: Path) -> Path:
    folder = tmp_path / "plugins"
    folder.mkdir()
    attacks = [(name, line, "pass") for name, (line, _) in FEATURES.items()]
    attacks += [(name, "pass", line) for name, (line, _) in SCORES.items()]
    text = HEAD + "".join(
        ATTACK.format(title=name.title().replace("_", ""), name=name, features=first, score=then)
        for name, first, then in attacks
    )
    (folder / "failing.py").write_text(text)
    return folder


def asked(names: list[str]) -> list[str]:
    return [word for name in names for word in ("--attack", name)]


def test_failing_attacks_are_told_one_line_each_and_spare_the_others(
    ran: Any, cli: Callable[..., Any], copied: Path, plugins: Path
) -> None:
    wrong = {name: told for name, (_, told) in (FEATURES | SCORES).items()}
    words = asked(["loss", *wrong])
    ended = cli("run", *ran.words, *words, "--plugins", plugins, "--workers", 1, "--store", copied)
    assert ended.code == 1, ended.err
    assert "Traceback" not in ended.err
    assert [line.split()[1] for line in ended.out.splitlines()[1:2]] == ["loss"]
    errors = [line for line in ended.err.splitlines() if line.startswith("error:")]
    for name, told in wrong.items():
        assert any(f"{name}" in line and told in line for line in errors), (name, errors)
    logs = re.findall(r"details: (\S+)\)", "\n".join(errors))
    assert len(logs) == len(errors)
    for log in logs:
        assert "Traceback" in Path(log).read_text()
    assert any("failing.py" in Path(log).read_text() for log in logs)
    again = cli("run", *ran.words, "--attack", "loss", "--store", copied)
    assert (again.code, "[1/" in again.err) == (0, False)


def test_failures_in_worker_processes_are_told_the_same_way(
    ran: Any, cli: Callable[..., Any], copied: Path, plugins: Path
) -> None:
    names = ["odd", "leaves", "raises"]
    words = ("--plugins", plugins, "--workers", 2, "--store", copied)
    ended = cli("run", *ran.words, *asked([*names, "loss[t=9]"]), *words)
    assert ended.code == 1, ended.err
    assert "Traceback" not in ended.err
    assert "loss[t=9]" in ended.out
    for name in names:
        assert FEATURES[name][1] in ended.err


def test_an_attack_that_ends_its_process_costs_no_other_its_row(
    ran: Any, cli: Callable[..., Any], copied: Path, plugins: Path
) -> None:
    text = ATTACK.format(title="Dies", name="dies", features="os._exit(9)", score="pass")
    (plugins / "dying.py").write_text(HEAD + text)
    words = ("--plugins", plugins, "--workers", 2, "--store", copied)
    ended = cli("run", *ran.words, *asked(["dies", "raises", "loss[t=9]"]), *words)
    assert ended.code == 1, ended.err
    assert "Traceback" not in ended.err
    [told] = [line for line in ended.err.splitlines() if line.startswith("error: dies")]
    assert "it ended its process (exit code 9) though nothing ran beside it" in told
    assert "RuntimeError: no luck" in ended.err
    assert ended.out.splitlines()[1].split()[:2] == ["none", "loss[t=9]"]


DEFENSES = {
    "hides": "return pairs.with_captions([''] * len(pairs)).__class__("
    "pairs.ids, pairs.captions, pairs.captions[::-1], pairs.open_image)",
    "adds": "return pairs.__class__((*pairs.ids[1:], 'new'), pairs.captions, pairs.originals, "
    "pairs.open_image)",
    "drops": "return None",
    "fails": "raise RuntimeError('no luck')",
    "empties": "return pairs.select([])",
}


def test_a_defense_that_breaks_the_rules_fails_and_spares_the_others(
    ran: Any, cli: Callable[..., Any], copied: Path, tmp_path: Path
) -> None:
    text = HEAD + "".join(
        f"@dataclass\nclass {name.title()}(Defense):\n    name: ClassVar[str] = '{name}'\n\n"
        f"    def prepare(self, pairs, context):\n        {line}\n\n\n"
        for name, line in DEFENSES.items()
    )
    (tmp_path / "rules.py").write_text(text)
    words = [word for name in DEFENSES for word in ("--defense", f"{tmp_path}/rules.py:{name}")]
    ended = cli("run", *ran.words, *words, "--attack", "loss", "--workers", 1, "--store", copied)
    assert ended.code == 1, ended.err
    assert "Traceback" not in ended.err
    assert ended.out.splitlines()[1].split()[:2] == ["none", "loss"]
    errors = [line for line in ended.err.splitlines() if line.startswith("error: train target")]
    assert len(errors) == len(DEFENSES)
    assert "overwrote its original caption" in ended.err


def test_features_are_kept_when_scores_fail(
    ran: Any, cli: Callable[..., Any], copied: Path, plugins: Path
) -> None:
    words = ("--plugins", plugins, "--workers", 1, "--store", copied, "--attack", "nan_scores")
    assert cli("run", *ran.words, *words).code == 1
    planned = cli("plan", *ran.words, *words, "--format", "json")
    states = {(row["stage"], row["state"]) for row in json.loads(planned.out)["rows"]}
    assert ("features", "cached") in states
    assert ("features", "todo") not in states
    assert ("scores", "todo") in states
