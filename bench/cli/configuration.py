"""The configuration file: `bench.toml` of the current folder, or the one of `--config`.

    plugins = ["./my_plugins"]          # a flag of any verb, for every verb that has it
    [run]                               # flags of `bench run`; `bench plan` reads them too
    data = "scenes:n=800"
    seeds = [0, 1, 2]
    set.del.rate = 0.2                  # --set del.rate=0.2

What it says takes the place of defaults: the command line and the environment come before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import UsageError, unknown
from bench.paths import expanded
from bench.remote import is_url

if TYPE_CHECKING:
    from typer.core import TyperOption

NAME = "bench.toml"
READS_TOO = {"plan": "run"}
"""A verb that reads the section and the variables of another beside its own."""
NOT_IN_A_FILE = frozenset({"config", "help"})
HERE = re.compile(r"(?:^|(?<=[:=,|+]))(?P<path>\.{1,2}/[^,|\[\]]*)")
"""A path that begins with ./ or ../, alone or as in folder:./PATH and reference=./PATH."""

Options = Mapping[str, "TyperOption"]
"""Options by flag, without the two dashes."""


@dataclass(frozen=True)
class File:
    """A configuration file, read; nothing in it is checked yet."""

    path: Path
    text: str
    tables: Mapping[str, Any]

    def place(self, key: str, section: str = "") -> str:
        """`bench.toml:3`, the line of a key; where it is written inline, that of its table."""
        lines = list(self._lines())
        for wanted in ((section, key), ("", section)):
            for number, at, found in lines:
                if (at, found) == wanted or f"{at}.{found}".strip(".") == ".".join(wanted):
                    return f"{self.path}:{number}"
        return str(self.path)

    def _lines(self) -> Iterator[tuple[int, str, str]]:
        """(number, section, key) of every line that seems to begin a key or a table."""
        section = ""
        for number, line in enumerate(self.text.splitlines(), 1):
            if header := re.match(r"\s*\[+\s*([^\]]+?)\s*\]", line):
                section = header[1]
                head, _, rest = section.partition(".")
                yield number, head if rest else "", rest.partition(".")[0] or head
            elif found := re.match(r"\s*[\"']?([\w-]+)[\"']?\s*[.=]", line):
                yield number, section, found[1]


def find(named: Path | None) -> File | None:
    """The file named, or that of the current folder if there is one."""
    import tomllib

    path = expanded(named or Path(NAME))
    if named is None and not path.is_file():
        return None
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--config {path} cannot be read: {error}; name a TOML file") from None
    try:
        return File(path, text, tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        what, _, at = str(error).removesuffix(")").rpartition(" (at ")
        line = re.match(r"line (\d+)", at)
        where = f"{path}:{line[1] if line else len(text.splitlines())}"
        raise UsageError(
            f"{where}: no TOML: {what}; docs/configuration.md has an example"
        ) from None


def defaults(file: File, verb: str, verbs: Mapping[str, Options]) -> dict[str, tuple[Any, str]]:
    """What the file says of the flags of a verb: (value, place) by the option's own name.

    All of the file is checked, other verbs' sections too: UsageError names the line.
    """
    every = {flag for options in verbs.values() for flag in options}
    sections = [name for name, value in file.tables.items() if _is_section(name, value, verbs)]
    for key in file.tables:
        if key not in sections and _flag(key) not in every:
            raise _unknown(file, "key or section", key, [*every, *verbs])
    found: dict[str, tuple[Any, str]] = {}
    _take(file, "", {k: v for k, v in file.tables.items() if k not in sections}, verbs[verb], found)
    for section in sorted(sections, key=lambda name: name == verb):
        for key in file.tables[section]:
            if _flag(key) not in verbs[section]:
                raise _unknown(file, f"key in [{section}]", key, verbs[section], section)
        if section in (verb, READS_TOO.get(verb)):
            _take(file, section, file.tables[section], verbs[verb], found)
    return found


def _is_section(name: str, value: Any, verbs: Mapping[str, Options]) -> bool:
    return isinstance(value, dict) and name in verbs


def _flag(key: str) -> str:
    return key.replace("_", "-")


def _unknown(file: File, kind: str, key: str, known: Any, section: str = "") -> UsageError:
    said = unknown(kind, _flag(key), known, "(docs/configuration.md)")
    return UsageError(f"{file.place(key, section)}: {said}")


def _take(
    file: File,
    section: str,
    table: Mapping[str, Any],
    options: Options,
    found: dict[str, tuple[Any, str]],
) -> None:
    for key, value in table.items():
        if (option := options.get(_flag(key))) is not None and option.name:
            place = file.place(key, section)
            found[option.name] = (_words(option, value, file.path.resolve().parent, place), place)


def _words(option: TyperOption, value: Any, folder: Path, place: str) -> Any:
    """A value of TOML as what the command line would have: text, switches, lists of texts."""
    if option.name == "set_" and isinstance(value, dict):
        value = [f"{name}.{param}={_text(given)}" for name, params in value.items()
                 for param, given in _table(params, name, place).items()]  # fmt: skip
    if isinstance(value, dict):
        raise UsageError(f"{place}: {option.opts[0]} takes no table; write a value or a list")
    if isinstance(value, bool) and option.is_flag:
        return value
    texts = [_text(one) for one in (value if isinstance(value, list) else [value])]
    if option.type_descriptor.annotation in (Path, list[Path]) or option.name == "store":
        texts = [one if is_url(one) else str(folder / expanded(one)) for one in texts]
    else:
        texts = [HERE.sub(lambda at: str((folder / at["path"]).resolve()), one) for one in texts]
    return texts if option.multiple else ",".join(texts)


def _table(params: Any, name: str, place: str) -> Mapping[str, Any]:
    if not isinstance(params, dict):
        raise UsageError(f"{place}: write set.{name}.PARAM = VALUE, the name of a parameter too")
    return params


def _text(value: Any) -> str:
    """As it would be typed: true, 0.1, (2,3)."""
    if isinstance(value, list):
        return f"({','.join(map(_text, value))})"
    return str(value).lower() if isinstance(value, bool) else str(value)
