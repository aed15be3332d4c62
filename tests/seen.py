"""What a worker process sees; here, since a started process finds no function of a test file."""

from __future__ import annotations

import os
import time


def visible(seconds: float) -> str:
    """The devices of the process that is asked, which is busy for so long."""
    time.sleep(seconds)
    return os.environ["CUDA_VISIBLE_DEVICES"]
