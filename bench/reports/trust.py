"""Whether the figures mean what they say, where they come from, and how to have them again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bench import __version__
from bench.boards.gates import told
from bench.reports.command import command
from bench.reports.gather import Findings, Setting
from bench.reports.section import Section, Table


def gates(setting: Setting) -> Section:
    """Every verdict once, with the rows that it is about."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for row in setting.rows:
        name = f"{setting.model(row)}/{row.attack}"
        for seed, result in sorted(row.results.items()):
            for gate in result.get("gates", []):
                said = told(gate["name"], gate["figures"]).removeprefix(f"{gate['name']}: ")
                key = (gate["name"], f"seed {seed}: {said}", "yes" if gate["passed"] else "NO")
                found.setdefault(key, []).append(name)
        if control := row.control:
            said = told(control.name, control.figures).removeprefix(f"{control.name}: ")
            key = (control.name, said, "yes" if control.passed else "NO")
            found.setdefault(key, []).append(name)
    if not found:
        return Section("gates", "Gates", ["These rows were made before there were gates."])
    failed = sum(key[2] == "NO" for key in found)
    lead = [
        f"{len(found)} verdict{'s' * (len(found) > 1)}, {failed or 'none'} failed. They ask "
        "whether members and hold-outs can be told apart without any model (by captions, pictures, "
        "near-duplicates), whether the base, which saw neither, tells them apart, and whether "
        "permuted labels give one half. A row that fails one is not ranked: its figures may show "
        "the split and not the model."
    ]
    if unchecked := [setting.model(row) for row in setting.rows if not _checked(row.results)]:
        lead.append(f"Without gates of the split, made before these existed: {_few(unchecked)}.")
    records = [
        {"passed": passed, "gate": gate, "what it saw": said, "rows": _few(dict.fromkeys(names))}
        for (gate, said, passed), names in sorted(found.items(), key=lambda one: one[0][2] != "NO")
    ]
    return Section("gates", "Gates", lead, tables=[Table("Gates", records)])


def _checked(results: Any) -> bool:
    return all("gates" in result for result in results.values())


def _few(names: Iterable[str], most: int = 4) -> str:
    several = list(dict.fromkeys(names))
    more = len(several) - most
    return ", ".join(several[:most]) + (f" and {more} more" if more > 0 else "")


def provenance(found: Findings) -> Section:
    """What was attacked, with hashes, and what computed it."""
    facts: list[tuple[str, str]] = [("report made with", f"bench {__version__}")]
    for setting in found.settings:
        card = setting.card
        facts += [
            ("data", f"{card['data_label']}, sha256 {card['data_identity']}"),
            ("base", f"{card['base_label']}, sha256 {card['base_identity']}"),
            ("recipe", _recipe(card["recipe"])),
        ]
        for row in setting.rows:
            for kind in ("defense", "attack"):
                facts += [(kind, line) for line in _plugins(row.card[kind])]
        splits = {seed: result["split"] for row in setting.rows
                  for seed, result in row.results.items()}  # fmt: skip
        facts += [
            (f"split of seed {seed}", f"sha256 {one}") for seed, one in sorted(splits.items())
        ]
    facts += [("computed with", line) for line in dict.fromkeys(map(_software, found.made))]
    facts += [("machine", line) for line in dict.fromkeys(map(_machine, found.made))]
    ends = [str(made["finished"]) for made in found.made if made.get("finished")]
    if ends:
        facts.append(("rows finished", f"{min(ends)} to {max(ends)}"))
    records = [{"what": what, "which": which} for what, which in dict.fromkeys(facts)]
    return Section("provenance", "Provenance", tables=[Table("Provenance", records)])


def again(found: Findings) -> Section:
    """The commands that ask for these runs, and for this page."""
    lines = []
    for run in found.runs:
        lines += [f"# run {run.id}, asked {run.asked}", *map(command, run.requests)]
    ids = " ".join(run.id for run in found.runs)
    return Section(
        "commands",
        "The exact commands",
        [
            "The same words give the same numbers on the same machine; what the store still holds "
            "is not computed again. Runs of several lines were asked as one, by --requests FILE "
            "with a line each (without `bench run`).",
        ],
        code=[*lines, "# this page", f"bench report {ids} --html"],
    )


def _plugins(card: Any) -> list[str]:
    return [
        f"{part['name']} {_params(part['params'])}, source sha256 {part['source']}"
        for part in card.get("parts", [card])
    ]


def _params(params: Any) -> str:
    return "(" + ", ".join(f"{name}={value}" for name, value in sorted(params.items())) + ")"


def _recipe(recipe: Any) -> str:
    named = ("epochs", "batch", "lr", "ema_decay", "precision")
    told_ = ", ".join(f"{name} {recipe[name]}" for name in named if name in recipe)
    return f"{recipe['name']} ({told_})"


def _software(made: Any) -> str:
    packages = ", ".join(f"{name} {version}" for name, version in made.get("packages", {}).items())
    return f"bench {made.get('bench', '?')}, Python {made.get('python', '?')}, {packages}"


def _machine(made: Any) -> str:
    return f"{made.get('machine', '?')}" + (f", {made['device']}" if made.get("device") else "")
