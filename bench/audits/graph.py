"""From an audit's cell to its stages: a run's graph with what was given in place of what is made.

split (as given) --+-- adopt(target) ----- features ----- scores ----+-- metrics
                   +-- train or adopt(shadow) -- features -/         |
                   +-- (base) ------------ features ----- scores ----+  control
                   +-- blind, duplicates (gates) --------------------+
"""

from __future__ import annotations

from typing import Any

from bench.pipeline import Graph
from bench.specs import Adopted, Audited, Cell, Shadow, Stage


def audit_stage(cell: Cell) -> Stage:
    """The metrics stage of one attack of an audit, with everything it stands on."""
    return _AuditGraph(cell).metrics()


class _AuditGraph(Graph):
    """The target is adopted; there may be no shadow; nothing is generated."""

    @property
    def given(self) -> Audited:
        if self.cell.audited is None:
            raise ValueError("a cell of a run, not of an audit")
        return self.cell.audited

    def split_of(self, seed: int, shadow: Shadow = "disjoint", canaries: int = 0) -> Stage:
        return Stage("split", {"data": self.cell.data_identity, "seed": seed}, hints=self.common)

    def target(self) -> dict[str, Stage]:
        return {"model": self.adopt(self.given.target)}

    def shadow(self) -> dict[str, Stage]:
        if self.given.shadow is not None:
            return {"model": self.adopt(self.given.shadow)}
        return super().shadow()

    def adopt(self, model: Adopted) -> Stage:
        params = {"model": model.identity, "base": self.cell.base_identity}
        hints: dict[str, Any] = {"model": model.model_dump(mode="json"), "label": model.label}
        return Stage("adopt", params, {}, {**self.common, **hints})

    def learnt_from(self) -> dict[str, Stage]:
        return super().learnt_from() if self.given.has_shadow else {}

    def metrics(self) -> Stage:
        """Figures and gates; pictures are not generated, and who defended the target is unknown."""
        features = self.features("target", self.target())
        scores = self.scores(features)
        inputs = {"split": self.split, "features": features, "scores": scores, **self.gates()}
        # Against the base as its reference, the base scores 0 throughout and controls nothing.
        if self.given.knows_base and self.cell.attack.reference != "base":
            inputs["control"] = self.control()
        return Stage("metrics", {"cell": self.cell.card()}, inputs)
