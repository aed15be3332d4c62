"""A report of 50 runs: under 5 s and 10 MB."""

from __future__ import annotations

import pytest
from made_runs import made_run, request

from bench.reports.page import page
from bench.reports.report import report
from bench.store import Store

RATES = [f"del1+lora[rank={rank}]" for rank in range(1, 50)]


@pytest.mark.benchmark(group="report")
def test_a_page_of_50_runs(benchmark, tmp_path) -> None:
    """Each a defense under an attack at three seeds, 500 + 500 pairs, with pictures."""
    store = Store(tmp_path)
    runs = [made_run(store, request([name], ["clid_th"], seeds=[0, 1, 2]))
            for name in ["none", *RATES]]  # fmt: skip

    def written() -> str:
        return page(report(store, runs))

    text = benchmark.pedantic(written, rounds=3)
    benchmark.extra_info["megabytes"] = len(text.encode()) / 1e6
    assert text.count("<tr>") > 500
    assert len(text.encode()) < 10e6
    assert benchmark.stats.stats.median < 5
