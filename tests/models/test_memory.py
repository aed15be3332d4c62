"""Free memory stays with the process."""

from __future__ import annotations

import resource
import sys

import pytest
import torch

from bench.models.memory import keep_freed


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's choice")
def test_a_block_that_was_freed_is_not_fetched_from_the_system_again():
    assert keep_freed()

    def fetched():
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(20):
            torch.ones(6 << 18)  # 6 MiB
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    fetched()
    assert fetched() < 20 * 6 << 5  # of 256 pages a MiB, an eighth
