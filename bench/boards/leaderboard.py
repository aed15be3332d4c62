"""Pages of a board: from entries to Markdown that can be read without the docs.

One board for each (data, base, recipe, augmentation, canaries), since only those models compare. No
figure is typed by hand: the same entries give the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from typing import Any

from bench.boards import attacks, defenses
from bench.boards.gates import told
from bench.boards.standing import SEEDS_OF_A_BOARD, Standing, sizes, standing
from bench.boards.tables import Format, markdown, render
from bench.entries.entry import Entry
from bench.stats.worst import Resamples

USUAL = {"base_label": "mini-sd", "recipe": "mini", "augment": "default"}
"""What a board's name leaves out."""
Record = dict[str, Any]


@dataclass(frozen=True)
class Page:
    """One file of a board: a title, what was measured, and tables under headings."""

    name: str
    title: str
    notes: Sequence[str]
    tables: Mapping[str, Sequence[Record]]

    def markdown(self) -> str:
        """The page; what entries say is escaped."""
        parts = [f"# {_safe(self.title)}", *map(_safe, self.notes)]
        for heading, records in self.tables.items():
            parts += [f"## {_safe(heading)}", _table(records)]
        return "\n\n".join(parts) + "\n"


def pages(entries: Iterable[Entry]) -> list[Page]:
    """Two pages for every board that these entries give, in the order of first appearance."""
    groups: dict[tuple[str, ...], list[Entry]] = {}
    for entry in entries:
        groups.setdefault(_key(entry), []).append(entry)
    names = [_name(group[0]) for group in groups.values()]
    made = []
    for name, group in zip(names, groups.values(), strict=True):
        target = group[0].about.target
        other = f"-{target.data_identity[:8]}-{target.base_identity[:8]}-{target.canaries}"
        made += _pages(name + (other if names.count(name) > 1 else ""), group)
    return made


def render_pages(made: Sequence[Page], form: Format) -> str:
    """All tables as one, for programs."""
    records = [
        {"page": page.name, "table": heading, **record}
        for page in made
        for heading, some in page.tables.items()
        for record in some
    ]
    columns = list(dict.fromkeys(column for record in records for column in record))
    notes = [f"{page.name}: {note}" for page in made for note in page.notes]
    return render([{c: r.get(c) for c in columns} for r in records], form, notes)


def _key(entry: Entry) -> tuple[str, ...]:
    target = entry.about.target
    identities = (target.data_identity, target.base_identity)
    recipe = str(sorted(target.recipe.items()))
    return (*identities, recipe, target.augment, str(target.canaries), str(target.sampling))


def _name(entry: Entry) -> str:
    target = entry.about.target
    told = {"base_label": target.base_label, "recipe": str(target.recipe["name"]),
            "augment": target.augment}  # fmt: skip
    parts = [target.data_label, *(told[k] for k, usual in USUAL.items() if told[k] != usual)]
    return "-".join(map(_slug, parts))


def _slug(text: str) -> str:
    return "".join(c if c.isalnum() or c in "._" else "-" for c in text).strip("-.").lower() or "x"


def _pages(name: str, entries: Sequence[Entry]) -> list[Page]:
    draws = cache(Resamples.of)
    standings = [standing(entry, draws(tuple(sizes(entry)))) for entry in entries]
    standings.sort(key=lambda one: one.entry.name)
    widest = max((sizes(entry) for entry in entries), key=len)
    target = entries[0].about.target
    what = f"{target.data_label} (base {target.base_label}, recipe {target.recipe['name']}, "
    what += f"augmentation {target.augment})"
    measured = _measured(standings, widest)
    ranked = defenses.ranked(standings)
    tables = {
        "Defenses": ranked,
        "The undefended frontier": defenses.frontier_points(standings),
        "Gates of the splits": _gates(standings),
    }
    board = Page(
        f"{name}-defenses",
        f"Defenses against membership inference on {what}",
        [*measured, *_defense_notes()],
        {heading: records for heading, records in tables.items() if records},
    )
    found = attacks.ranked(standings)
    if not found:
        return [board]
    notes = [*measured, *_attack_notes(standings)]
    title = f"Membership inference attacks on {what}"
    return [board, Page(f"{name}-attacks", title, notes, {"Attacks": found})]


def _measured(standings: Sequence[Standing], pairs: Sequence[tuple[int, int]]) -> list[str]:
    first, about = standings[0], standings[0].entry.about
    utility, members = first.entry.utility(first.entry.seeds[0]), about.target.canaries // 2
    band = max((one.chance for one in standings), key=lambda chance: chance.high)
    devices = dict.fromkeys(
        str(seed.made.get("device", "unknown"))
        for one in standings
        for seed in one.entry.about.seeds
    )
    canaries = (
        f" Every target was also trained on {members} mislabelled pairs (canaries); {members} "
        "others were not trained on."
        if members
        else ""
    )
    few = min(len(one.entry.seeds) for one in standings) < SEEDS_OF_A_BOARD
    return [
        f"Measured on {len(pairs)} trainings (seeds) of each model, each with {pairs[0][0]} "
        f"members and {pairs[0][1]} hold-outs of its own split, by version "
        f"{about.provenance.bench} of this suite, trained on {', '.join(devices)}.{canaries} "
        "Percentages with 95 % intervals.",
        "TPR@1%FPR: share of members found while at most 1 % of hold-outs are accused. Chance is "
        f"{100 * band.value:.1f}; as many attackers as here, knowing nothing, stay at or below "
        f"{100 * band.high:.1f} in 39 of 40 rows, then shown as `≤ chance`. AUC: 50 is chance.",
        f"KID and FD64: {utility['n']} samples on EfficientNet-Lite0 features, no FID; real "
        f"pictures against real ones: KID {utility['kid_effnet_floor']['value']:.4f}, FD64 "
        f"{utility['fd_effnet64_floor']:.2f}. Lower is better.",
        *(["Provisional: some models have fewer than three seeds."] if few else []),
    ]


def _defense_notes() -> list[str]:
    return [
        "A defense stands by the worst attack on it (column `worst attack`): chosen on one half of "
        "the pairs, measured on the other, both ways, and chosen anew in every replicate of the "
        "interval (seeds, then pairs).",
        "`frontier gain`: points of TPR@1%FPR that undefended training, stopped earlier or at "
        "another learning rate, leaks more at the same KID. At 0 or below: stop earlier instead. "
        "It orders the board; models that a paired 99 % interval cannot separate share a rank. "
        "`AUC gain`: the same in points of AUC, which 500 pairs tell far better than TPR@1%FPR; it "
        "averages over pairs that are easy and hard to find, and orders nothing. `tier`: A is "
        "beaten by no other in both leak and KID.",
        "`ε ≥`: empirical lower bound on epsilon by that attack, 95 %: attack and threshold chosen "
        "on one half, tested on the other. No guarantee, and few pairs cannot show a large one.",
        "`canary TPR`: share of the mislabelled members above every mislabelled hold-out, under "
        "the attack found worst on the other pairs. `seed SD`: how far trainings differ.",
    ]


def _attack_notes(standings: Sequence[Standing]) -> list[str]:
    known = {one.label for one in standings if one.at_end}
    present = [label for label in attacks.TARGETS if label in known]
    lacking = [label for label in attacks.TARGETS if label not in known]
    return [
        f"Mean over the same targets for every attack: {', '.join(present)}"
        + (f" (not measured: {', '.join(lacking)})" if lacking else "")
        + ". Attacks that a paired 99 % interval cannot separate share a rank. `queries`: U-Net "
        "rows a pair on the target, and on the attacker's own reference. `power-query front`: no "
        "other finds more for as few.",
    ]


def _gates(standings: Sequence[Standing]) -> list[Record]:
    """Verdicts on the splits that all models share."""
    found: dict[str, Record] = {}
    for one in standings:
        for seed in one.entry.about.seeds:
            for gate in seed.gates:
                figures = (gate.model_extra or {}).get("figures", {})
                line = {
                    "seed": seed.seed,
                    "gate": gate.name,
                    "passed": "yes" if gate.passed else "NO",
                    "figure": told(gate.name, figures).partition(": ")[2],
                }
                found.setdefault(str(line), line)
    return sorted(found.values(), key=lambda line: (line["seed"], line["gate"]))


def _safe(text: str) -> str:
    """Quotes as they are: no attribute is ever written."""
    return escape(text, quote=False)


def _table(records: Sequence[Record]) -> str:
    columns = list(records[0])
    cells = [[_safe(str(record.get(column, ""))) for column in columns] for record in records]
    return markdown(columns, cells)
