"""Pages of the documentation site that are made of the code: run by mkdocs, never by hand.

README, boards, licences of data and weights, a page for each attack and defense, the command line
and the Python interface, and the contents of the site.
"""

from __future__ import annotations

import html
import re
import subprocess
import sys
from inspect import cleandoc
from pathlib import Path
from typing import Any

import mkdocs_gen_files

from bench.plugins import discover

ROOT = Path(__file__).resolve().parent.parent
COPIED = (
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "LICENSES.md",
    "leaderboards/tiles-defenses.md",
    "leaderboards/tiles-attacks.md",
    "bench/zoo/mini-sd/README.md",
    "bench/zoo/tiles/README.md",
)
CONTENTS = {
    "Start": ("index.md", "writing-a-plugin.md", "design.md", "configuration.md", "daily.md",
              "scale.md", "report.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md",
              "LICENSES.md"),
    "Boards": ("leaderboards/tiles-defenses.md", "leaderboards/tiles-attacks.md", "entries.md"),
    "Measured": ("attacks.md", "defenses.md", "tables.md", "reproduction.md", "trajectory.md",
                 "secmi.md", "pseudo-captions.md"),
    "Method": ("threat-model.md", "statistics.md", "recipes.md", "extraction.md"),
    "Your models and data": ("stable-diffusion.md", "data.md", "audit.md"),
    "Data and weights": ("bench/zoo/tiles/README.md", "bench/zoo/mini-sd/README.md"),
}  # fmt: skip
"""Section by section; a page that is missing is an error of the strict build."""
API = """# Python interface

::: bench.run
::: bench.api
    options:
      show_root_heading: false
      members: [Attack, ReferenceAttack, Target, Defense, Context, Training, Batch, Pairs, Pair]
"""


def main() -> None:
    _write("index.md", _flat((ROOT / "README.md").read_text("utf-8"), "docs/"), "README.md")
    for name in COPIED:
        _write(name, _flat((ROOT / name).read_text("utf-8"), "docs/"), name)
    for page in (ROOT / "docs").glob("*.md"):
        _write(page.name, _flat(page.read_text("utf-8"), "../"), f"docs/{page.name}")
    said = [f"* {title}\n" + _listed(pages) for title, pages in CONTENTS.items()]
    for kind in ("attack", "defense"):
        found = [plugin for plugin in discover(kind) if plugin.shipped]
        for plugin in found:
            _write(f"{kind}s/{plugin.name}.md", _card(plugin), f"{kind}s/{plugin.path.name}")
        pages = [f"    * [{p.name}]({kind}s/{p.name}.md)\n" for p in found]
        said.append(f"* {kind.title()}s\n{''.join(pages)}")
    _write("cli.md", _command_line(), "bench/cli/app.py")
    _write("python.md", (ROOT / "docs" / "python.md").read_text("utf-8"), "docs/python.md")
    _write("api.md", API, "bench/api.py")
    said.append("* Reference\n" + _listed(("cli.md", "python.md", "api.md")))
    with mkdocs_gen_files.open("SUMMARY.md", "w") as file:
        file.write("".join(said))


def _write(name: str, text: str, source: str) -> None:
    with mkdocs_gen_files.open(name, "w") as file:
        file.write(text)
    mkdocs_gen_files.set_edit_path(name, f"../{source}")


def _flat(text: str, folder: str) -> str:
    """Links as they are from the site's root, where all these pages lie."""
    return text.replace(f"]({folder}", "](").replace('src="' + folder, 'src="')


def _listed(pages: tuple[str, ...]) -> str:
    return "".join(f"    * [{_title(page)}]({page})\n" for page in pages)


def _title(page: str) -> str:
    """Its heading; StopIteration for a page that does not exist."""
    named = {"index.md": "First run", "cli.md": "Command line", "api.md": "Plugin interface"}
    if page in named:
        return named[page]
    text = next(p for p in (ROOT / "docs" / page, ROOT / page) if p.is_file()).read_text("utf-8")
    heading = re.search(r"^# (.+)$", text, re.MULTILINE)
    return heading[1].replace("`", "") if heading else page


def _card(plugin: Any) -> str:
    """The docstring and the card of a plugin, with its parameters as a table."""
    made = plugin.cls()
    summary, _, more = cleandoc(plugin.cls.__doc__ or "").partition("\n")
    facts = [f"* paper: {plugin.cls.paper}"] if getattr(plugin.cls, "paper", "") else []
    if plugin.kind == "attack":
        needs = ", ".join(sorted(made.needs)) or "nothing more"
        facts.append(f"* access: {made.access}; needs {needs}; {made.queries} queries a pair")
    else:
        facts.append(f"* acts on: {made.level}")
        facts += [f"* not with `{name}`: {why}" for name, why in made.excludes.items()]
    rows = [
        f"| `{name}` | {html.escape(hint).replace('|', chr(92) + '|')} | `{value!r}` |"
        for name, hint, value in plugin.params()
    ]
    table = ["| parameter | type | default |", "|---|---|---|", *rows] if rows else []
    presets = [
        f"* preset `{name}`: " + ", ".join(f"`{k}={v!r}`" for k, v in meant.items())
        for name, meant in getattr(plugin.cls, "presets", {}).items()
    ]
    called = f"    bench run --{plugin.kind} {plugin.name} " + (
        "--defense none" if plugin.kind == "attack" else "--attack clid_th"
    )
    parts = [f"# {plugin.name}", summary, more.strip("\n"), "\n".join(facts), "\n".join(table)]
    return "\n\n".join([part for part in (*parts, "\n".join(presets), called) if part]) + "\n"


def _command_line() -> str:
    """What typer's own tool says of the command."""
    words = [sys.executable, "-m", "typer", "bench.cli.app", "utils", "docs", "--name", "bench"]
    return subprocess.run(words, capture_output=True, text=True, check=True, cwd=ROOT).stdout


main()
