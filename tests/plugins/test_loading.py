"""Plugins: every origin has the same rank, and a broken one harms no other."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from bench.errors import UsageError
from bench.plugins import components, discover, instantiate, load_file, resolve, shipped_folder

GOOD = '''
from dataclasses import dataclass
from typing import ClassVar, Literal

from bench import Attack


@dataclass
class Mine(Attack):
    """Counts letters."""

    name: ClassVar[str] = "mine"
    t: int = 3
    share: float = 0.5
    loud: bool = False
    how: Literal["a", "b"] = "a"
    steps: tuple[int, ...] = (1, 2)

    def features(self, target, pairs):
        return target.losses(pairs, [self.t])


@dataclass
class Other(Attack):
    """Another."""

    name: ClassVar[str] = "other"
'''

BROKEN = {
    "syntax": ("def (", "SyntaxError"),
    "raising": ("raise RuntimeError('no luck\\nsecond line')", "RuntimeError: no luck"),
    "leaving": ("raise SystemExit(3)", "SystemExit"),
    "lacking": ("import a_package_nobody_has", "a_package_nobody_has"),
    "binary": ("\0", "null bytes"),
    "plain": (
        "from bench import Attack\nclass Plain(Attack):\n    def __init__(self, t): ...",
        "Plain",
    ),
    "undecorated": ("from bench import Attack\nclass U(Attack):\n    t: int = 3", "@dataclass"),
    "untyped": (
        "from dataclasses import dataclass\nfrom bench import Attack\n"
        "@dataclass\nclass Untyped(Attack):\n    t: int",
        "missing 1 required",
    ),
    "leaving_late": (
        "from dataclasses import dataclass\nfrom bench import Attack\n"
        "@dataclass\nclass Late(Attack):\n    def __post_init__(self): raise SystemExit(3)",
        "Late",
    ),
    "numbered": (
        "from dataclasses import dataclass\nfrom bench import Attack\n"
        "@dataclass\nclass Numbered(Attack):\n    name = 5",
        "name",
    ),
    "unnameable": (
        "from dataclasses import dataclass\nfrom bench import Attack\n"
        "@dataclass\nclass Unnameable(Attack):\n    name = 'a[b'",
        "name",
    ),
}


def write(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.py"
    path.write_text(text)
    return path


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    return write(tmp_path / "plugins", "mine", GOOD)


def test_the_shipped_ones_are_found_and_whole() -> None:
    for kind in ("attack", "defense"):
        found = discover(kind)
        assert found
        assert [p for p in found if p.error] == []
        assert all(p.shipped for p in found)
        assert len({p.name for p in found}) == len(found)


def test_the_issue_s_components_are_shipped() -> None:
    assert {"loss", "clid_th"} <= {p.name for p in discover("attack")}
    assert {"none", "reph"} <= {p.name for p in discover("defense")}


def test_a_file_with_one_class_needs_no_name(tmp_path: Path) -> None:
    path = write(tmp_path, "alone", GOOD[: GOOD.rindex("@dataclass")])
    assert resolve("attack", str(path)).name == "mine"


def test_a_class_of_a_file_is_named_by_class_or_by_name(mine: Path) -> None:
    assert resolve("attack", f"{mine}:Other").name == "other"
    assert resolve("attack", f"{mine}:other").name == "other"
    assert resolve("attack", f"{mine}:Mine[t=5]").params["t"] == 5


def test_a_file_with_two_classes_asks_which(mine: Path) -> None:
    with pytest.raises(UsageError, match=r"name one: .*mine.py:NAME \(mine, other\)"):
        resolve("attack", str(mine))
    with pytest.raises(UsageError, match="did you mean mine"):
        resolve("attack", f"{mine}:Mime")


def test_a_file_of_the_other_kind_says_so(mine: Path) -> None:
    with pytest.raises(UsageError, match=r"0 defenses; derive a class from bench\.Defense"):
        resolve("defense", str(mine))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no attack file"):
        resolve("attack", str(tmp_path / "absent.py"))


def test_a_folder_adds_to_the_shipped_ones(mine: Path) -> None:
    found = {p.name: p for p in discover("attack", [mine.parent])}
    assert {"mine", "other", "loss"} <= set(found)
    assert not found["mine"].shipped
    assert found["mine"].summary == "Counts letters."
    assert resolve("attack", "mine", [mine.parent]).path == str(mine.resolve())


def test_a_folder_named_twice_is_no_collision(mine: Path) -> None:
    assert resolve("attack", "mine", [mine.parent, mine.parent]).name == "mine"


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--plugins"):
        discover("attack", [tmp_path / "absent"])


def test_helpers_and_tests_are_no_plugins(tmp_path: Path) -> None:
    write(tmp_path, "_helper", "raise RuntimeError")
    write(tmp_path, "test_mine", "raise RuntimeError")
    assert [p.name for p in discover("attack", [tmp_path]) if not p.shipped] == []


def test_a_relative_path_is_resolved_once(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(mine.parent)
    component = resolve("attack", "./mine.py:Mine")
    monkeypatch.chdir("/")
    assert instantiate("attack", component).t == 3


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_plugin_is_listed_and_harms_no_other(mine: Path, what: str) -> None:
    text, told = BROKEN[what]
    path = write(mine.parent, what, text)
    found = discover("attack", [mine.parent])
    broken = [p for p in found if p.path == path]
    assert len(broken) == 1
    assert told in (broken[0].error or "")
    assert "\n" not in broken[0].summary
    assert {"mine", "loss"} <= {p.name for p in found if p.cls}
    assert resolve("attack", "mine", [mine.parent]).name == "mine"
    with pytest.raises(UsageError, match=path.name):
        resolve("attack", str(path))


def test_importing_a_broken_file_leaves_no_module_behind(tmp_path: Path) -> None:
    before = set(sys.modules)
    load_file("attack", write(tmp_path, "half", "import json\nraise RuntimeError"))
    assert [name for name in set(sys.modules) - before if "half" in name] == []


def test_what_a_plugin_prints_does_not_mix_with_the_data(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    load_file("attack", write(tmp_path, "chatty", f"print('hello')\n{GOOD}"))
    assert capsys.readouterr().out == ""


def test_a_name_that_two_files_claim_names_both(mine: Path, tmp_path: Path) -> None:
    twin = write(tmp_path / "more", "twin", GOOD)
    with pytest.raises(UsageError) as told:
        resolve("attack", "mine", [mine.parent, twin.parent])
    assert str(mine.resolve()) in str(told.value)
    assert str(twin.resolve()) in str(told.value)
    assert resolve("attack", "loss", [mine.parent, twin.parent]).name == "loss"


def test_a_shadowed_shipped_name_is_a_collision(tmp_path: Path) -> None:
    path = write(tmp_path, "theirs", GOOD.replace('"mine"', '"loss"'))
    with pytest.raises(UsageError) as told:
        resolve("attack", "loss", [tmp_path])
    assert str(path) in str(told.value)
    assert str(shipped_folder("attack")) in str(told.value)
    assert resolve("attack", f"{path}:Mine").path == str(path)


def test_two_classes_of_one_file_may_not_share_a_name(tmp_path: Path) -> None:
    path = write(tmp_path, "twins", GOOD.replace('"other"', '"mine"'))
    for asked in ("mine", f"{path}:Other", f"{path}:Mine"):
        with pytest.raises(UsageError, match="mine"):
            resolve("attack", asked, [tmp_path])


def test_equal_file_names_in_two_folders_do_not_mix(tmp_path: Path) -> None:
    for number in (1, 2):
        text = GOOD.replace('"mine"', f'"mine{number}"').replace('"other"', f'"other{number}"')
        write(tmp_path / str(number), "same", text.replace("t: int = 3", f"t: int = {number}"))
    folders = [tmp_path / "1", tmp_path / "2"]
    made = [instantiate("attack", resolve("attack", f"mine{n}", folders)) for n in (1, 2)]
    assert [m.t for m in made] == [1, 2]


def test_an_unknown_name_suggests() -> None:
    with pytest.raises(UsageError, match="did you mean clid_th"):
        resolve("attack", "clid")
    with pytest.raises(UsageError, match="bench list defenses"):
        resolve("defense", "zzzz")


def test_an_unknown_parameter_suggests(mine: Path) -> None:
    with pytest.raises(UsageError, match="no parameter of mine named 'shape'; did you mean share"):
        resolve("attack", f"{mine}:Mine[shape=1]")


@pytest.mark.parametrize("given", ["t=x", "t=1.5", "share=much", "loud=maybe", "how=c", "steps=x"])
def test_a_wrong_type_is_one_line_that_names_the_parameter(mine: Path, given: str) -> None:
    with pytest.raises(UsageError) as told:
        resolve("attack", f"{mine}:Mine[{given}]")
    assert f"'{given.partition('=')[0]}" in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("text", ["loss[t=1,t=2]", "loss[t]", "loss[=1]", "loss[t=1", "loss]", ""])
def test_what_cannot_be_read_is_told(text: str) -> None:
    with pytest.raises(UsageError):
        resolve("attack", text)


def test_parameters_are_typed_and_defaults_filled_in(mine: Path) -> None:
    component = resolve("attack", f"{mine}:Mine[ share = 0.25 , loud=true, how=b]")
    assert component.params == {
        "t": 3,
        "share": 0.25,
        "loud": True,
        "how": "b",
        "steps": (1, 2),
    }
    assert component.label == "mine[share=0.25,loud=True,how=b]"
    assert instantiate("attack", component).share == 0.25


def test_parameters_survive_json(mine: Path) -> None:
    component = resolve("attack", f"{mine}:Mine")
    again = type(component)(**json.loads(component.model_dump_json()))
    assert instantiate("attack", again).steps == (1, 2)


def test_saying_a_default_is_the_same_component() -> None:
    assert resolve("attack", "loss[t=450]") == resolve("attack", "loss")


def test_an_edited_file_is_another_component(mine: Path) -> None:
    before = resolve("attack", f"{mine}:Mine")
    mine.write_text(GOOD + "\n# one more thought\n")
    after = resolve("attack", f"{mine}:Mine")
    assert before.identity() != after.identity()
    with pytest.raises(UsageError, match="changed while the run was going on"):
        instantiate("attack", before)


def test_where_a_file_lies_is_not_its_identity(mine: Path, tmp_path: Path) -> None:
    copy = write(tmp_path / "copy", "renamed", GOOD)
    one, two = (resolve("attack", f"{path}:Mine") for path in (mine, copy))
    assert one.identity() == two.identity()


def test_a_name_that_is_gone_is_told(mine: Path) -> None:
    component = resolve("attack", f"{mine}:Mine").model_copy(update={"name": "gone"})
    with pytest.raises(UsageError, match="no longer defines"):
        instantiate("attack", component)


def test_two_files_of_one_label_are_named(tmp_path: Path) -> None:
    path = write(tmp_path, "theirs", GOOD.replace('"mine"', '"loss"'))
    with pytest.raises(UsageError, match=r"loss is asked for twice \(.*\.py and .*\.py: rename"):
        components("attack", ["loss", f"{path}:Mine"])
