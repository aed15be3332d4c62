"""Do the intervals hold what they say, and what would the usual shortcuts have said?

Simulated scores with a known truth: members N(d, 1), hold-outs N(0, 1), AUC = Phi(d / sqrt 2). Only
`bench.stats` is used, the same functions as for real rows. Prints the Markdown tables of
docs/statistics.md.

    OMP_NUM_THREADS=1 python tools/simulate_statistics.py [--runs 1000]

About 4 minutes of one core.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.special import ndtr  # type: ignore[import-untyped,unused-ignore]
from simulated_scores import SIZES, Scores, attacked, correlated, lift, true_tpr

from bench import stats
from bench.boards.standing import SHARED_COST
from bench.stats.ranks import frontier_gains, lower_frontier, shared_ranks
from bench.stats.worst import Resamples, SeedScores, null_band, worst_case

FPR = 0.01
LIFTS = (1.8, 1.7, 1.0, 0.8, 0.1, 0.1, 0.1, 0.1)
"""Eight attacks of which four find something, by how far they lift members; AUC .90 at most."""
PATH = ((0.124, 30.0), (0.130, 29.0), (0.133, 22.0), (0.141, 16.0), (0.146, 10.0), (0.148, 12.0),
        (0.149, 9.0), (0.151, 8.0), (0.155, 6.0), (0.164, 5.0), (0.167, 2.0))  # fmt: skip
"""KID and leak (points) of undefended models in truth, about as on the board of `tiles`."""
COST_ERROR, COST_TOLD, COST_CORRELATION = 0.0041, 0.0047, 0.85
"""SD of KID's error over three seeds, what a board takes it for, and the correlation between two
models trained alike, as tools/correlate_kid.py finds them."""


class Line(NamedTuple):
    """One row of the second table."""

    what: str
    nominal: str
    measured: str
    beside: str = ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=1000, help="simulated sets a case")
    runs = parser.parse_args().runs
    covered = [coverage(n, auc, runs) for n in (500, 2500) for auc in (0.55, 0.65, 0.75)]
    print(table(covered))
    lines = [
        *chance(runs), *comparisons(runs), *worst_cases(runs // 2), *equal_models(runs // 10),
        *gains(runs // 2), *canaries(runs // 2), *bounds(runs // 2),
    ]  # fmt: skip
    print(table([line._asdict() for line in lines]))


def coverage(n: int, auc: float, runs: int) -> dict[str, str]:
    """How often 95 % intervals hold the truth, for one training and for the mean of three."""
    rng, truth = np.random.default_rng([n, round(100 * auc)]), true_tpr(lift(auc))
    held: dict[str, list[bool]] = {}

    def note(name: str, found: stats.Estimate, of: float) -> None:
        held.setdefault(name, []).append(found.low <= of <= found.high)

    for run in range(runs):
        seeds = [(rng.normal(lift(auc), 1, n), rng.normal(size=n)) for _ in range(3)]
        areas = [stats.auc_interval(*one) for one in seeds]
        rates = [stats.tpr_interval(*one, FPR, rng=run) for one in seeds]
        note("AUC: DeLong", areas[0], auc)
        note("TPR: bootstrap", rates[0], truth)
        note("TPR: rectangle", stats.tpr_claim(*seeds[0], FPR), truth)
        note("TPR: exact binomial", stats.clopper_pearson(round(rates[0].value * n), n), truth)
        note("AUC, three seeds", stats.mean_over_seeds(areas).estimate, auc)
        note("TPR, three seeds", stats.mean_over_seeds(rates).estimate, truth)
    shares = {name: percent(np.mean(some)) for name, some in held.items()}
    return {"n a class": f"{n:,}", "AUC": f"{auc:.2f}", "TPR@1%FPR": percent(truth), **shares}


def chance(runs: int) -> Iterator[Line]:
    """What attacks that know nothing reach: TPR@1%FPR, a fresh hold-out's risk, ASR."""
    rng = np.random.default_rng(1)
    for n in (100, 500, 2500):
        rates, usual, safe = [], [], []
        for _ in range(4 * runs):
            x, y = rng.normal(size=(2, n))
            rates.append(stats.tpr_at_fpr(x, y, FPR))
            k = math.floor(FPR * n)
            usual.append(ndtr(-np.partition(y, n - 1 - k)[n - 1 - k]))
            safe.append(ndtr(-stats.conformal_threshold(y, FPR)))
        yield Line(
            f"TPR@1%FPR of an attack that knows nothing, n = {n:,}: mean",
            percent(stats.null_tpr(n, FPR), 2),
            percent(np.mean(rates), 2),
            f"fresh hold-outs accused by its threshold {percent(np.mean(usual), 2)}, by the "
            f"conformal one {percent(np.mean(safe), 2)}",
        )
    for n in (500, 2500):
        fair, best = [], []
        for _ in range(4 * runs):
            (x, y), shadow = rng.normal(size=(2, n)), rng.normal(size=(2, n))
            fair.append(stats.accuracy(x, y, stats.best_threshold(*shadow)))
            best.append(stats.accuracy(x, y, stats.best_threshold(x, y)))
        yield Line(
            f"ASR of the same, threshold from the shadow, n = {n:,}: mean (95th percentile)",
            f"50 (at most {percent(stats.null_asr(n, n))})",
            with_tail(fair),
            f"best threshold on the target's own labels: {with_tail(best)}",
        )


def comparisons(runs: int) -> Iterator[Line]:
    """Differences of two runs on the same 500 + 500 pairs, whose scores correlate by 0.8."""
    rng = np.random.default_rng(2)
    by: dict[str, tuple[Callable[..., stats.Difference], Callable[[float], float]]] = {
        "AUC": (stats.auc_difference, lambda d: float(ndtr(d / math.sqrt(2)))),
        "TPR@1%FPR": (stats.tpr_difference, true_tpr),
    }
    for high, low in ((0.75, 0.65), (0.70, 0.70)):
        held: dict[str, list[bool]] = {name: [] for name in by}
        ratio: dict[str, list[float]] = {name: [] for name in by}
        for _ in range(runs // 2):
            first, second = correlated(rng, lift(high), lift(low), 500)
            for name, (compare, truth) in by.items():
                found, due = compare(first, second), truth(lift(high)) - truth(lift(low))
                held[name].append(found.low <= due <= found.high)
                alone = stats.auc_interval if name == "AUC" else stats.tpr_interval
                apart = math.hypot(*(np.ptp(alone(*one)[1:3]) for one in (first, second)))
                ratio[name].append((found.high - found.low) / apart)
        for name, some in held.items():
            yield Line(
                f"paired difference of {name}, AUC {high:.2f} against {low:.2f}: covered",
                "95",
                percent(np.mean(some)),
                f"width beside an unpaired difference: {percent(np.mean(ratio[name]), 0)} %",
            )


def worst_cases(runs: int) -> Iterator[Line]:
    """The worst of eight attacks over three seeds of 500 + 500, and the plain maximum beside."""
    resamples, band = Resamples.of(SIZES), null_band(tuple(SIZES), attacks=8)
    rng, nothing = np.random.default_rng(3), (0.0,) * 8
    values, inside, shown, naive, caught = [], [], 0, [], []
    for _ in range(runs):
        scores = attacked(rng, nothing)
        found = worst_case(scores, resamples).tpr.estimate()
        values.append(found.value)
        inside.append(found.low <= band.value <= found.high)
        shown += found.value > band.high
        most = plain_maximum(scores)
        naive.append(most.value)
        caught.append(most.low <= band.value <= most.high)
    yield Line(
        "worst of 8 attacks that know nothing: chance covered",
        "95",
        percent(np.mean(inside)),
        f"interval of the plain maximum: {percent(np.mean(caught))}",
    )
    yield Line(
        "the same: mean",
        percent(band.value, 2),
        percent(np.mean(values), 2),
        f"plain maximum: {percent(np.mean(naive), 2)}",
    )
    yield Line("the same: shown as a digit, not as `≤ chance`", "2.5", percent(shown / runs))
    for spread in (0.0, 0.2, 0.4):
        yield seeds_that_differ(rng, resamples, spread, runs * 3 // 5)


def seeds_that_differ(
    rng: np.random.Generator, resamples: Resamples, spread: float, runs: int
) -> Line:
    """Coverage where another training moves all attacks by N(0, spread).

    Truth: what the attack that is worst in truth gives at these sizes, on average over trainings.
    """
    least = Resamples.of(SIZES, 2)
    lone = [worst_case(attacked(rng, LIFTS[:1], spread), least).tpr.value for _ in range(4 * runs)]
    truth, inside = float(np.mean(lone)), []
    for _ in range(runs):
        found = worst_case(attacked(rng, LIFTS, spread), resamples).tpr.estimate()
        inside.append(found.low <= truth <= found.high)
    one = [stats.tpr_at_fpr(rng.normal(LIFTS[0], 1, 500), rng.normal(size=500)) for _ in lone]
    between = np.std(true_tpr(LIFTS[0] + spread * rng.standard_normal(20_000)))
    return Line(
        f"worst of 8, four of which find something ({percent(truth)} in truth): covered",
        "95",
        percent(np.mean(inside)),
        f"SD of TPR@1%FPR between seeds {percent(between)}, within {percent(np.std(one))}",
    )


def equal_models(boards: int) -> Iterator[Line]:
    """Boards of ten models that leak alike: who is told apart."""
    resamples, rng = Resamples.of(SIZES), np.random.default_rng(4)
    apart, any_apart = 0, 0
    for _ in range(boards):
        draws = np.stack(
            [worst_case(attacked(rng, LIFTS[:1]), resamples).tpr.draws for _ in range(10)]
        )
        beaten = sum(rank - 1 for rank in shared_ranks(-draws))
        apart, any_apart = apart + beaten, any_apart + (beaten > 0)
    yield Line(
        "ranks, ten models that leak alike: pairs told apart",
        "1",
        percent(apart / (45 * boards)),
        f"boards with any such pair: {percent(any_apart / boards, 0)} %",
    )


def gains(runs: int) -> Iterator[Line]:
    """Frontier gains of models all along the undefended path, each 5 points below it in truth."""
    rng, costs = np.random.default_rng(6), np.linspace(0.120, 0.160, 9)
    path = Points(*(np.array(some)[:, None] for some in zip(*PATH, strict=True)))
    kept = lower_frontier(path.costs[:, 0], path.leaks[:, 0])
    below = np.interp(costs, path.costs[kept, 0], path.leaks[kept, 0]) - 5.0
    models = Points(costs[:, None], below[:, None])
    for spread in (1.0, 5.0):
        once, anew = [], []
        for _ in range(runs):
            seen = shaken(rng, (path, models), COST_ERROR, COST_CORRELATION, spread, 1)
            draws = shaken(rng, seen, COST_TOLD, SHARED_COST, spread, 500)
            kept = lower_frontier(seen[0].costs[:, 0], seen[0].leaks[:, 0])
            value = gain(seen, kept)
            once.append(covers(5.0, value, gain(draws, kept)))
            anew.append(covers(5.0, value, chosen_anew(draws)))
        yield Line(
            f"frontier gain of 5 points, leaks known to {spread:.0f} (SD): covered",
            "95",
            percent(np.mean(once)),
            f"frontier chosen anew in each replicate: {percent(np.mean(anew))}",
        )


class Points(NamedTuple):
    """KIDs and leaks of models, (models, replicates)."""

    costs: Any
    leaks: Any


def shaken(
    rng: np.random.Generator,
    sides: Sequence[Points],
    error: float,
    correlation: float,
    spread: float,
    draws: int,
) -> list[Points]:
    """Undefended and defended models with errors; of those of KID a part is every model's."""
    common = math.sqrt(correlation) * rng.normal(size=draws)
    found = []
    for costs, leaks in sides:
        size = (len(costs), draws)
        own = math.sqrt(1 - correlation) * rng.normal(size=size)
        moved = leaks + spread * rng.normal(size=size)
        found.append(Points(costs + error * (common + own), moved))
    return found


def gain(sides: Sequence[Points], kept: Any, one: slice = slice(None)) -> Any:
    path, models = sides
    return frontier_gains(
        path.costs[kept, one], path.leaks[kept, one], models.costs[:, one], models.leaks[:, one]
    )


def chosen_anew(sides: Sequence[Points]) -> Any:
    """Replicates of gains as they would be with another frontier in each."""
    path = sides[0]
    fronts = [
        lower_frontier(path.costs[:, b], path.leaks[:, b]) for b in range(path.costs.shape[1])
    ]
    return np.concatenate([gain(sides, k, slice(b, b + 1)) for b, k in enumerate(fronts)], axis=1)


def covers(truth: float, value: Any, draws: Any) -> float:
    """Share of models whose interval, as a board prints it, holds the truth."""
    low, high = np.quantile(draws, [0.025, 0.975], axis=1)
    low, high = np.minimum(low, value[:, 0]), np.maximum(high, value[:, 0])
    return float(np.mean((low <= truth) & (truth <= high)))


def canaries(runs: int) -> Iterator[Line]:
    """TPR above all of 32 hold-outs at three seeds: why boards print it without an interval."""
    rng = np.random.default_rng(7)

    def drawn(move: float) -> list[tuple[Scores, Scores]]:
        return [(rng.normal(move, 1, 32), rng.normal(size=32)) for _ in range(3)]

    for move in (1.0, 2.0, 3.0):
        truth = np.mean(
            [stats.tpr_at_fpr(*one, FPR) for _ in range(4 * runs) for one in drawn(move)]
        )
        found = [
            stats.mean_over_seeds([stats.tpr_interval(*one, FPR, rng=run) for one in drawn(move)])
            for run in range(runs)
        ]
        inside = [one.estimate.low <= truth <= one.estimate.high for one in found]
        yield Line(
            f"canary TPR, 32 + 32 at three seeds ({percent(truth)} in truth): bootstrap covered",
            "95, so no board prints it",
            percent(np.mean(inside)),
        )


def bounds(runs: int) -> Iterator[Line]:
    """How often epsilon is bounded above 0 where it is 0."""
    rng = np.random.default_rng(5)
    for n in (500, 1000):
        drawn = [rng.normal(size=(2, n)) for _ in range(runs)]
        fair = [stats.epsilon_lower_bound(*one, rng=i).value > 0 for i, one in enumerate(drawn)]
        naive = [best_looking(*one) for one in drawn[: runs // 4]]
        yield Line(
            f"epsilon bound above 0 where epsilon is 0, n = {n:,}",
            "at most 5",
            percent(np.mean(fair)),
            f"threshold chosen on the same pairs: {percent(np.mean(naive))}",
        )


def best_looking(members: Scores, holdouts: Scores, alpha: float = 0.05) -> bool:
    """Whether any threshold gives a bound above 0, without paying for having looked at all."""
    curve = stats.roc(members, holdouts)
    return any(
        stats.clopper_pearson(int(t), curve.n_members, alpha).low
        > stats.clopper_pearson(int(f), curve.n_holdouts, alpha).high
        for t, f in zip(curve.true_positives, curve.false_positives, strict=True)
        if t > f
    )


def plain_maximum(scores: Sequence[SeedScores]) -> stats.Estimate:
    """The highest mean over seeds of any attack, with the interval as if it were the only one."""
    attacks = range(len(scores[0].members))
    rates = [
        np.mean([stats.tpr_at_fpr(one.members[a], one.holdouts[a], FPR) for one in scores])
        for a in attacks
    ]
    best = int(np.argmax(rates))
    found = [stats.tpr_interval(one.members[best], one.holdouts[best], FPR) for one in scores]
    return stats.mean_over_seeds(found).estimate


def with_tail(shares: Sequence[float]) -> str:
    return f"{percent(np.mean(shares))} ({percent(np.quantile(shares, 0.95))})"


def percent(share: Any, digits: int = 1) -> str:
    return f"{100 * share:.{digits}f}"


def table(rows: Sequence[dict[str, str]]) -> str:
    columns = list(rows[0])
    lines = [columns, ["---"] * len(columns), *(list(row.values()) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


if __name__ == "__main__":
    main()
