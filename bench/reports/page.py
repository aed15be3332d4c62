"""A report as one page that needs nothing beside itself: no network, no other file."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

from bench.reports.chart import shape
from bench.reports.report import Report
from bench.reports.section import Section, Thumb

FOLDER = Path(__file__).parent / "page"
INTERVAL = re.compile(r"[-+\d.]+ \[[^\]]+\]( %)?")
SEARCHED = 10
"""Lines from which on a table can be filtered."""


def page(made: Report) -> str:
    """The page. Names and captions are escaped; only its own script may run in it."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.tests["picture"] = lambda value: isinstance(value, Thumb)
    environment.tests["interval"] = lambda value: bool(INTERVAL.fullmatch(str(value)))
    environment.filters["drawn"] = Markup  # of `Figure.drawing`, which escapes by itself
    script = (FOLDER / "script.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template("page.html").render(
        report=made,
        anchor=anchor,
        shape=shape,
        searched=SEARCHED,
        heading=_heading(made),
        title=f"{_heading(made)} - t2i-defense-bench",
        subtitle="; ".join(part.title for part in made.parts),
        several=len(made.parts) > 1,
        links=_links(made),
        style=Markup((FOLDER / "style.css").read_text(encoding="utf-8")),  # noqa: S704 - ours
        script=Markup(script),  # noqa: S704 - ours
        script_digest=digest,
    )


def _heading(made: Report) -> str:
    first, *more = made.runs
    return f"Run {first}" if not more else f"Runs {first} and {len(more)} more"


def anchor(part: int, section: Section) -> str:
    """Where a section is found in the page."""
    return f"part-{part + 1}-{section.name}" if part else section.name


def _links(made: Report) -> list[tuple[str, list[tuple[str, str]]]]:
    """By part: where its sections are, and what they are called."""
    found = [
        (part.title, [(anchor(number, section), section.title) for section in part.sections])
        for number, part in enumerate(made.parts)
    ]
    return [*found, ("All runs", [(section.name, section.title) for section in made.ending])]
