"""FID proper only with the published weights."""

from __future__ import annotations

import pytest

from bench.errors import OfflineError, UsageError
from bench.utility.inception import weights_digest


def test_missing_weights_are_said_so(tmp_path):
    with pytest.raises(OfflineError, match=r"no Inception weights at .*gone\.pth"):
        weights_digest(tmp_path / "gone.pth")


def test_other_weights_are_refused_before_anything_reads_them(tmp_path):
    (tmp_path / "weights.pth").write_bytes(b"not a network")
    with pytest.raises(UsageError, match="not the published Inception-2015 file"):
        weights_digest(tmp_path / "weights.pth")
