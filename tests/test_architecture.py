"""Who may import whom: the arrows of docs/design.md, read from the source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

GROUND = {"errors", "files", "hub", "records", "rng", "specs", "store", "digests", "api", "paths"}
GROUND |= {"__version__"}
NUMBERS = {"stats", "specs"}
SHIPPED = {"api", "data.duplicates", "errors", "learning", "models.diffusion", "stats", "text"}
SHIPPED |= {"training.recipe"}
MAY: dict[str, set[str]] = {
    "__init__": {"api", "errors", "interface"},
    "interface": {
        "asking",
        "boards",
        "cli.answering",
        "cli.computing",
        "cli.executing",
        "errors",
        "executors",
        "logs",
    }
    | {"specs", "store"},
    "logs": {"files"},
    "remote": {"errors", "files"},
    "mirror": GROUND | {"logs", "remote"},
    "sending": GROUND | {"logs", "mirror"},
    "archives": GROUND | {"garbage", "plugins", "request", "runs"},
    "__main__": {"cli"},
    "errors": set(),
    "rng": set(),
    "paths": set(),
    "specs": {"errors"},
    "files": {"errors"},
    "records": {"files", "specs"},
    "claims": {"errors", "files"},
    "store": {"claims", "errors", "files", "paths", "records", "specs"},
    "digests": {"files"},
    "hub": {"digests", "errors", "paths"},
    "api": {"attacking", "data.pairs", "defending"},
    "attacking": {"data.pairs"},
    "defending": {"data.pairs", "rng", "training.recipe"},
    "composition": {"data.pairs", "defending", "errors", "training.recipe"},
    "parameters": {"errors"},
    "sweeps": {"errors", "parameters"},
    "data": GROUND,
    "text": GROUND,
    "stats": set(),
    "learning": set(),
    "boards": NUMBERS
    | {
        "entries.entry",
        "entries.labels",
        "entries.schema",
        "entries.sealing",
        "errors",
        "trust.control",
        "trust.gate",
    },
    "models": GROUND | {"data"},
    "training": GROUND | {"composition", "data", "defending", "models"},
    "utility": GROUND | {"data", "models", "stats"},
    "trust": GROUND | {"data", "stats"},
    "plugins": GROUND | {"composition", "defending", "parameters", "sweeps"},
    "contract": GROUND
    | {"composition", "data", "models", "parameters", "plugins", "stats", "training"},
    "stages": GROUND
    | {"composition", "data", "models", "plugins", "stats", "text", "training", "trust"}
    | {"utility"},
    "executors": GROUND | {"claims", "logs", "stages"},
    "plan": GROUND,
    "once": {"specs"},
    "pipeline": GROUND | {"once", "plugins", "shards"},
    "shards": set(),
    "naming": {"shards", "specs"},
    "estimates": GROUND | {"naming", "pipeline"},
    "places": {"hub", "models.base", "paths", "utility.inception"},
    "instruments": GROUND | {"data", "models", "places", "utility"},
    "request": GROUND
    | {"data", "instruments", "models", "places", "plugins", "sweeps", "training"},
    "asking": {"errors", "request"},
    "runs": GROUND | {"logs", "request"},
    "activity": GROUND | {"estimates", "naming", "pipeline", "runs"},
    "explaining": GROUND,
    "garbage": GROUND | {"runs"},
    "schemas": set(),
    "entries": GROUND
    | {"data", "models.base", "parameters", "plugins", "runs", "stages.metrics", "stats", "trust"}
    | {"sweeps", "training.recipe"},
    "reports": NUMBERS | {"boards", "data", "errors", "request", "runs", "store", "__version__"},
    "audits": GROUND
    | {"boards", "data", "models", "pipeline", "plugins", "stats", "training.recipe"}
    | {"trust.duplicates"},
    "reproduction": GROUND
    | {"boards", "data.sources", "models.base", "pipeline", "plugins", "request"}
    | {"training.recipe"},
    "cli": GROUND
    | {
        "activity",
        "archives",
        "asking",
        "audits",
        "contract",
        "explaining",
        "garbage",
        "schemas",
        "naming",
        "boards",
        "data",
        "entries",
        "estimates",
        "executors",
        "logs",
        "mirror",
        "models",
        "pipeline",
        "plan",
        "plugins",
    }
    | {"remote", "reports", "reproduction", "request", "runs", "sending", "training"},
}
"""What each part of `bench` may import of `bench`; a part may always import itself."""

HEAVY = {"torch", "diffusers", "transformers", "accelerate", "torchmetrics", "safetensors"}


def sources(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """Full names of imported modules, those inside functions and type checks too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            module = node.module or ""
            yield from (
                [f"{module}.{alias.name}" for alias in node.names]
                if module in ("bench", "bench.data", "bench.models", "bench.cli")
                else [module]
            )


def of_bench(path: Path) -> set[str]:
    return {name.removeprefix("bench.") for name in imported(path) if name.startswith("bench.")}


def part(path: Path) -> str:
    return path.relative_to(ROOT / "bench").with_suffix("").parts[0]


def within(name: str, allowed: set[str]) -> bool:
    return any(name == one or name.startswith(f"{one}.") for one in allowed)


def test_every_part_has_its_arrows() -> None:
    assert {part(path) for path in sources("bench")} - {"_shipped"} == set(MAY)


@pytest.mark.parametrize("name", MAY)
def test_imports_follow_the_arrows(name: str) -> None:
    wrong = {
        f"{path.relative_to(ROOT)} imports bench.{target}"
        for path in sources("bench")
        if part(path) == name
        for target in of_bench(path)
        if not within(target, MAY[name] | {name})
    }
    assert wrong == set()


@pytest.mark.parametrize("folder", ["attacks", "defenses"])
def test_shipped_plugins_use_what_a_user_s_may(folder: str) -> None:
    wrong = {
        f"{path.relative_to(ROOT)} imports bench.{target}"
        for path in sources(folder)
        for target in of_bench(path)
        if not within(target, SHIPPED)
    }
    assert wrong == set()
    assert not any(name.split(".")[0] in ("attacks", "defenses")
                   for path in sources(folder) for name in imported(path))  # fmt: skip


@pytest.mark.parametrize("name", ["stats", "boards"])
def test_statistics_and_boards_know_numbers_only(name: str) -> None:
    wrong = {
        f"{path.name} imports {target}"
        for path in sources(f"bench/{name}")
        for target in imported(path)
        if target.split(".")[0] in HEAVY
    }
    assert wrong == set()


def test_nothing_unpickles_and_nothing_trusts_remote_code() -> None:
    wrong = []
    for path in [*sources("bench"), *sources("attacks"), *sources("defenses")]:
        text = path.read_text(encoding="utf-8")
        wrong += [f"{path.name}: pickle" for name in imported(path) if "pickle" in name]
        for call in (n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Call)):
            said = ast.unparse(call)
            if said.startswith("torch.load(") and "weights_only=True" not in said:
                wrong.append(f"{path.name}: {said}")
            if said.startswith("np.load(") and "allow_pickle=False" not in said:
                wrong.append(f"{path.name}: {said}")
            if "trust_remote_code=True" in said:
                wrong.append(f"{path.name}: {said}")
    assert wrong == []


def test_files_stay_short() -> None:
    long = {
        str(path.relative_to(ROOT))
        for path in [*sources("bench"), *sources("attacks"), *sources("defenses")]
        if len(path.read_text(encoding="utf-8").splitlines()) > 400
    }
    assert long == set()


def test_the_wheel_lists_every_package() -> None:
    import tomllib

    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    found = {
        ".".join(path.parent.relative_to(ROOT).parts) for path in sources("bench")
        if "zoo" not in path.parts
    }  # fmt: skip
    assert found <= set(listed)
    assert {name for name in listed if "_shipped" not in name} <= found
