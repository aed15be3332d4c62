"""Every `bench` command of README and docs is executed, or names the test that does it.

`bench run` becomes `bench plan` with the same words: names, files and parameters are resolved, and
nothing is trained. What a reader must fill in is filled in here.
"""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from clips import write_clip
from conftest import ROOT
from folders import write_pairs
from pictured import photos, write_coco

from bench.data import tiles

PAGES = ["README.md", "CONTRIBUTING.md", "examples/plugin-package/README.md"]
PAGES += [f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md"))]
ELSEWHERE = {
    r"bench audit --target .*": "audits/test_audit.py",
    r"bench test \./my_\w+\.py": "contract/test_beginning.py::test_its_test_passes_at_once",
    r"bench test late_loss|bench run --defense first_words .*": "test_wheel.py",
    r"bench submit .*": "entries/test_commands.py",
    r"bench compare \w+:.*": "boards/test_comparison.py",
    r"bench leaderboard --from-store": "boards/test_leaderboard.py",
    r"bench status --watch": "cli/test_living.py",
    r"bench fetch --(base|for) (\S+/\S+@\S+|hub:\S+)": "test_hub.py",
    r"bench reproduce .*": "cli/test_reproduce.py",
    r"bench import .*": "archives/test_moving.py",
    r"bench .*s3://.*": "buckets/test_bucket.py",
}
"""Commands that take minutes or another machine, and where they are tested."""


def commands(page: str) -> Iterator[str]:
    """What stands indented in a page, one command each, without remarks."""
    text = (ROOT / page).read_text(encoding="utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        if found := re.match(r" {4,}(?:\w+=\S+ )*(bench [a-z].*)$", line):
            words = re.split(r"\s+#\s", found[1])[0]
            yield from (re.sub(r"\s+", " ", one) for one in re.split(r"\s{2,}(?=bench )", words))


ALL = list(dict.fromkeys(one.strip() for page in PAGES for one in commands(page)))


@pytest.fixture(scope="module")
def place(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the docs' commands speak of."""
    folder = tmp_path_factory.mktemp("reader")
    shutil.copytree(ROOT / "leaderboards", folder / "leaderboards")
    pairs = tiles.pairs()
    write_pairs(folder / "PATH", pairs.select(pairs.ids[:120]))
    shutil.copytree(tiny_base, folder / "base")
    write_clip(folder / "clip")
    write_coco(folder / "coco", photos(120), "mine")
    return folder


@pytest.fixture
def reader(place: Path, cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Path:
    """There, with a plugin of his own."""
    monkeypatch.chdir(place)
    for kind, name in (("defense", "my_defense"), ("defense", "my_own")):
        if not (place / f"{name}.py").exists():
            assert cli("new", kind, name).code == 0
    return place


def filled(command: str, store: Path) -> list[str]:
    """The command as a reader would type it here."""
    run = next(path.stem for path in (store / "runs").glob("*.json"))
    key, other = sorted(path.name for path in (store / "stages" / "metrics").iterdir())[:2]
    for said, meant in (
        (r"^((?!.*--attack).*) …$", r"\1 --defense none --attack loss"),
        (r" …$", ""),
        (r"--base (\.\.\.|\S+@REVISION|\./my-fine-tune)", "--base base"),
        (r"--variant fp16", ""),
        (r"--inception \S+", ""),
        (r"\S*annotations/captions_train2017\.json", "coco:coco/annotations/captions_mine.json"),
        (r"--clip PATH", "--clip clip"),
        (r"--recipe paper-realworld", "--recipe modern"),
        (r"\bRUN( RUN)?\b", run),
        (r"\bKEY OTHER\b", f"{key} {other}"),
    ):
        command = re.sub(said, meant, command)
    return shlex.split(command)[1:]


@pytest.mark.parametrize("command", [one for one in ALL if not any(
    re.fullmatch(pattern, one) for pattern in ELSEWHERE
)])  # fmt: skip
def test_a_command_of_the_docs_runs(
    command: str, reader: Path, copied: Path, cli: Callable[..., Any], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setenv("BENCH_STORE", str(copied))
    verb, *words = filled(command, copied)
    if verb == "run":
        verb = "plan"
    if verb == "new":
        words += ["--out", str(tmp_path)]
    told = cli(verb, *words)
    nothing_to_resume = verb == "resume" and "nothing to resume" in told.err
    assert told.code == 0 or nothing_to_resume, told.err
    assert told.out or nothing_to_resume


@pytest.mark.parametrize("pattern", ELSEWHERE)
def test_what_is_tested_elsewhere_is(pattern: str) -> None:
    file, _, name = ELSEWHERE[pattern].partition("::")
    text = (ROOT / "tests" / file).read_text(encoding="utf-8")
    assert f"def {name or 'test_'}" in text
    if pattern != r"bench reproduce .*":
        assert any(re.fullmatch(pattern, one) for one in ALL), "no page says this any more"
