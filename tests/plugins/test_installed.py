"""Attacks and defenses of installed packages: known by their entry points, imported when needed."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.errors import UsageError
from bench.plugins import combined_digest, discover, instantiate, resolve, source_digests

ATTACK = '''
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from bench import Attack

from . import numbers


@dataclass
class Brought(Attack):
    """Comes with a package."""

    name: ClassVar[str] = "brought"
    t: int = numbers.T

    def reads(self):
        return (Path(numbers.__file__),)

    def features(self, target, pairs):
        return -target.losses(pairs, [self.t])
'''


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Path]]:
    """Installs packages with these entry points, for one test."""
    before = set(sys.modules)

    def install(name: str, entries: str, **files: str) -> Path:
        site = tmp_path / f"site-{name}"
        about = site / f"{name}-1.0.dist-info"
        about.mkdir(parents=True)
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (about / "entry_points.txt").write_text(entries)
        for stem, text in {"__init__": "", **files}.items():
            (site / name).mkdir(exist_ok=True)
            (site / name / f"{stem}.py").write_text(text)
        monkeypatch.syspath_prepend(str(site))
        return site / name

    yield install
    for name in set(sys.modules) - before:
        if name.partition(".")[0].endswith("_pkg"):
            del sys.modules[name]


@pytest.fixture
def brought(package: Callable[..., Path]) -> Path:
    entries = "[bench.attacks]\nbrought = brought_pkg.own:Brought\n"
    return package("brought_pkg", entries, own=ATTACK, numbers="T = 7\n")


def test_it_is_listed_without_being_imported(brought: Path) -> None:
    [found] = [p for p in discover("attack", load=False) if p.name == "brought"]
    assert (found.cls, found.error, found.origin) == (None, None, "brought_pkg 1.0")
    assert found.summary == "Comes with a package."
    assert found.path == brought / "own.py"
    assert "brought_pkg" not in sys.modules


def test_the_command_lists_it_with_its_package(brought: Path, cli: Callable[..., Any]) -> None:
    rows = json.loads(cli("list", "attacks", "--format", "json").out)["rows"]
    [row] = [row for row in rows if row["name"] == "brought"]
    assert (row["status"], row["origin"]) == ("not loaded", "brought_pkg 1.0")
    assert "param  t: int = 7" in cli("show", "brought").out


def test_another_name_does_not_import_it(brought: Path) -> None:
    resolve("attack", "loss")
    assert "brought_pkg" not in sys.modules


def test_by_name_it_is_a_plugin_like_any_other(brought: Path) -> None:
    component = resolve("attack", "brought[t=9]")
    assert (component.path, component.label) == (str(brought / "own.py"), "brought[t=9]")
    assert instantiate("attack", component).t == 9
    assert "brought" in {p.name for p in discover("attack") if p.cls}


def test_its_source_is_its_file_and_what_it_reads(brought: Path) -> None:
    component = resolve("attack", "brought")
    file, others = source_digests(brought / "own.py", instantiate("attack", component))
    assert [one.partition(":")[0] for one in others] == ["numbers.py"]
    assert component.source == combined_digest(file, others)
    (brought / "numbers.py").write_text("T = 7  # thought over\n")
    assert resolve("attack", "brought").source != component.source


def test_two_of_one_name_are_told_with_their_packages(
    brought: Path, package: Callable[..., Path]
) -> None:
    entries = "[bench.attacks]\nbrought = other_pkg.own:Brought\n"
    package("other_pkg", entries, own=ATTACK, numbers="T = 8\n")
    with pytest.raises(UsageError, match="two plugins are named 'brought'") as told:
        resolve("attack", "brought")
    for name in ("brought_pkg 1.0", "other_pkg 1.0", str(brought / "own.py")):
        assert name in str(told.value)


def test_a_shipped_name_is_a_collision(package: Callable[..., Path]) -> None:
    text = ATTACK.replace('"brought"', '"loss"')
    entries = "[bench.attacks]\nloss = loss_pkg.own:Brought\n"
    package("loss_pkg", entries, own=text, numbers="T = 8\n")
    with pytest.raises(UsageError, match=r"two plugins are named 'loss': .*loss_pkg 1\.0"):
        resolve("attack", "loss")
    assert resolve("attack", "mc").name == "mc"


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("nowhere_pkg.own:Brought", "package nowhere_pkg 1.0 has no module nowhere_pkg.own"),
        ("nowhere_pkg:Brought", "has no attack Brought"),
        ("nowhere_pkg.named:Brought", "its entry point calls it 'nowhere', the class 'brought'"),
        ("nowhere_pkg.raising:Brought", "RuntimeError: no luck"),
    ],
)
def test_an_entry_point_that_leads_nowhere(
    package: Callable[..., Path], target: str, said: str
) -> None:
    files = {"named": ATTACK, "numbers": "T = 1", "raising": "raise RuntimeError('no luck')"}
    package("nowhere_pkg", f"[bench.attacks]\nnowhere = {target}\n", **files)
    with pytest.raises(UsageError, match="attack 'nowhere' cannot be loaded") as told:
        resolve("attack", "nowhere")
    assert said in str(told.value)
    assert resolve("attack", "loss").name == "loss"
