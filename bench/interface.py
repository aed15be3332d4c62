"""`bench.run`: the main job from Python, in the words of the command line.

found = bench.run(defense=["none", "reph"], attack="clid_th", seeds=[0, 1, 2])
found.to_pandas(); found.plot()
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack, get_type_hints

from bench import asking, logs
from bench.cli.answering import answer
from bench.cli.computing import open_store
from bench.errors import BenchError, UsageError, unknown

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from bench.specs import Stage
    from bench.store import Store


class Words(TypedDict, total=False):
    """Flags of `bench run`, with the same defaults; `set` is called `sets`."""

    sets: Sequence[str]
    data: str
    base: str
    variant: str | None
    recipe: str
    preset: str | None
    augment: str
    view: str
    replays: int
    pool: str
    shadow: str
    shadow_defense: str
    captioner: str | None
    canaries: int
    precision: str
    sampler: str
    steps: int
    guidance: float
    samples: int | None
    inception: str | None
    clip: str | None
    offline: bool


@dataclass(frozen=True, repr=False)
class Result:
    """The rows of a run, with everything that `bench run` prints."""

    id: str
    """Of the run, as in `bench list runs`."""
    rows: list[dict[str, Any]]
    """A row a (defense, attack, checkpoint): shares, intervals, circumstances; as --format json."""
    notes: list[str]
    """What an honest reader needs beside the rows."""
    store: Path
    text: str
    """What `bench run` prints."""
    _ends: Sequence[Stage]
    _place: Store

    def __repr__(self) -> str:
        return f"bench run {self.id} in {self.store}\n{self.text}"

    def to_pandas(self) -> pd.DataFrame:
        """A line a row, a column a figure."""
        import pandas as pd

        return pd.DataFrame(self.rows)

    def plot(self, axes: Axes | None = None) -> Axes:
        """ROC curves, both axes logarithmic, a colour a row and a line a seed; returns the axes.

        Needs matplotlib (`pip install 't2i-defense-bench[plot]'`).
        """
        from bench.boards.curves import draw

        return draw(self._sides(), axes)

    def _sides(self) -> dict[str, list[tuple[Any, Any]]]:
        """Scores of members and hold-outs by row, a pair of arrays a seed; canaries left out."""
        import numpy as np

        store = self._place
        found: dict[str, list[tuple[Any, Any]]] = {}
        for end in self._ends:
            cell = end.params["cell"]
            at = "" if cell["at"] is None else f", epoch {cell['at']}"
            split = store.record(end.inputs["split"])["result"]
            apart = [*split.get("canary_members", []), *split.get("canary_holdouts", [])]
            key = end.inputs["scores"].key
            store.bring("scores", key)
            folder = store.folder("scores", key)
            with np.load(folder / "scores.npz", allow_pickle=False) as stored:
                usual = ~np.isin(stored["ids"], apart)
                scores, is_member = stored["scores"][usual], stored["is_member"][usual]
            name = f"{cell['defense']['label']}, {cell['attack']['label']}{at}"
            found.setdefault(name, []).append((scores[is_member], scores[~is_member]))
        return found


def run(
    defense: str | Sequence[str],
    attack: str | Sequence[str],
    *,
    seeds: int | Sequence[int] = (0,),
    at: int | Sequence[int] = (),
    plugins: str | Path | Sequence[str | Path] = (),
    store: str | Path | None = None,
    workers: int | None = None,
    executor: str = "local",
    address: str | None = None,
    slurm: Sequence[str] = (),
    max_time: str | None = None,
    max_memory: str | None = None,
    progress: bool = True,
    **words: Unpack[Words],
) -> Result:
    """Fine-tune defended targets, attack and measure them: `bench run` with these flags.

    What the store holds is not computed again. Reads no configuration file and no environment but
    BENCH_STORE. Raises BenchError, of the class that gives the command line its exit code; stages
    that were finished are kept. With `progress` it says on stderr what goes on.

    More than one worker starts processes: a script needs `if __name__ == "__main__":` around this.
    """
    from bench.boards.summary import figures
    from bench.cli.executing import executor_of

    _check_words(words)
    given: dict[str, Any] = {
        "defense": _several(defense),
        "attack": _several(attack),
        "seeds": _several(seeds),
        "at": _several(at),
        "plugins": [Path(folder) for folder in _several(plugins)],
        **words,
    }
    _check_types(given)
    where = executor_of(executor, workers, address, slurm, max_time, max_memory)
    request = asking.request(**given)
    place = open_store(store, made=False)
    with logs.on_stderr() if progress else nullcontext():
        found = answer(place, [request], request.cells, where)
    if found.errors:
        raise _together(place, found.errors)
    return Result(
        found.id, figures(found.rows), found.notes, place.root, found.text(), found.ends, place
    )


def _several(value: Any) -> list[Any]:
    """One or several as a list."""
    several = isinstance(value, Iterable) and not isinstance(value, str)
    return list(value) if several else [value]


def _check_words(words: Any) -> None:
    for word in words:
        if word not in Words.__annotations__:
            raise unknown("option of bench.run", word, Words.__annotations__)


def _check_types(given: Mapping[str, Any]) -> None:
    """UsageError for a value that the command line would not take either."""
    from pydantic import TypeAdapter, ValidationError

    hints = get_type_hints(asking.request, localns={"Request": Any})
    for name, value in given.items():
        try:
            TypeAdapter(hints[name]).validate_python(value, strict=True)
        except ValidationError as error:
            wrong = error.errors()[0]
            raise UsageError(f"{name}={wrong['input']!r}: {wrong['msg'].lower()}") from None


def _together(place: Store, errors: Sequence[tuple[str, BenchError]]) -> BenchError:
    """All errors as one, of the class of the first."""
    told = "; ".join(f"{what}: {error}" for what, error in errors)
    return type(errors[0][1])(f"{told}; finished stages are kept in {place.root}")
