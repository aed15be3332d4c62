"""Training throughput and memory, against a loop in the style of diffusers' example.

The figures to read are the `ratio`s in extra_info: both loops ran in turns in this process, and
are timed by the processor's own time too, which other work on the machine does not stretch.
Absolute pictures a second belong to the machine.
"""

from __future__ import annotations

import json
import multiprocessing
import time

import numpy as np
import pytest
from script_style import CASES, base_of, ours, peak_of, theirs

ROUNDS = 3


@pytest.mark.parametrize("case", CASES)
def test_pictures_a_second_against_the_published_script(benchmark, case, tmp_path):
    spent, cpu = [], {"ours": [], "theirs": []}

    def before():
        """The other loop runs in turns with ours, each round once, on a fresh base."""
        base = base_of(case, tmp_path)
        began, cpu_began = time.perf_counter(), time.process_time()
        theirs(case, base)
        spent.append(time.perf_counter() - began)
        cpu["theirs"].append(time.process_time() - cpu_began)
        return (base_of(case, tmp_path), tmp_path / f"out-{len(spent)}"), {}

    def run(base, folder):
        began = time.process_time()
        ours(case, base, folder)
        cpu["ours"].append(time.process_time() - began)

    benchmark.pedantic(run, setup=before, rounds=ROUNDS)
    pictures = CASES[case].ours.epochs * CASES[case].pairs
    rates = pictures / benchmark.stats["median"], pictures / float(np.median(spent))
    benchmark.extra_info |= {
        "pictures": pictures,
        "pictures_per_second": round(rates[0], 1),
        "script_style_pictures_per_second": round(rates[1], 1),
        "ratio": round(rates[0] / rates[1], 2),
        "ratio_of_cpu_time": round(float(np.median(cpu["theirs"]) / np.median(cpu["ours"])), 2),
    }
    print(case, benchmark.extra_info)


@pytest.mark.parametrize("case", CASES)
def test_peak_memory_is_no_higher(case, tmp_path):
    """Of a whole process each, libraries and base included."""
    base_of(case, tmp_path)  # written once
    peaks = {}
    for which in ("ours", "theirs"):
        process = multiprocessing.get_context("spawn").Process(
            target=peak_of, args=(which, case, tmp_path)
        )
        process.start()
        process.join()
        assert process.exitcode == 0
        peaks[which] = json.loads((tmp_path / f"{which}.json").read_text())
    print(case, {which: f"{peak / 2**20:.0f} MiB" for which, peak in peaks.items()})
    assert peaks["ours"] <= 1.02 * peaks["theirs"]
