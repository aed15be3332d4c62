"""What the requests of another site's run name and this machine has not.

Nothing is loaded for it: a note of somebody else's must not choose a file that is run here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from bench.plugins import Kind, discover, joined
from bench.request import Request
from bench.runs import Run

FILE = re.compile(r"[^,:\[]*\.py")
PLACE = re.compile(r"(?:\w+:)?(?P<path>/[^,]*)")


def absent(run: Run) -> list[str]:
    """Plugins, data and bases in the words of the requests, each once."""
    return list(dict.fromkeys(one for request in run.requests for one in _of(request)))


def _of(request: Request) -> Iterator[str]:
    yield from (str(folder) for folder in request.plugins if not folder.is_dir())
    for kind, names in (("attack", request.attacks), ("defense", request.defenses)):
        for text in names:
            for part in joined(text) if kind == "defense" else [text]:
                yield from _plugin(cast(Kind, kind), part, searched=bool(request.plugins))
    for word in (request.data, request.base, request.clip, request.inception):
        place = PLACE.match(word or "")
        if place and not Path(place["path"]).exists():
            yield place["path"]


def _plugin(kind: Kind, text: str, *, searched: bool) -> Iterator[str]:
    """The file, or the name that neither comes with bench nor with an installed package."""
    if file := FILE.match(text):
        if not Path(file[0]).is_file():
            yield file[0]
        return
    name = text.partition("[")[0].strip()
    known = {plugin.name for plugin in discover(kind, load=False)}
    if name not in {"all", *known} and not searched:
        yield f"{kind} {name}"
