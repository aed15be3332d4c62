"""Inception-2015 features, the only ones on which a Frechet distance may be called FID.

The weights are the published `weights-inception-2015-12-05-6726825d.pth`, which torch-fidelity made
of TensorFlow's: given by path, or downloaded where that is asked for by name.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bench.errors import OfflineError, UsageError
from bench.files import file_digest, make_folder
from bench.utility.generated import Pictures

if TYPE_CHECKING:
    from bench.utility.inception_network import Resizing

BATCH = 32
DIGEST_PREFIX = "6726825d"
"""Start of the sha256 of the published weights; part of their file name."""
DIMENSIONS = 2048
RESIZINGS: tuple[Resizing, ...] = ("tf1", "aa")
"""How pictures are brought to 299 pixels: as FID was defined in 2017, and with antialiasing."""
DOWNLOAD = "download"
"""In place of a path: fetch them, once."""
URL = (
    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/"
    "weights-inception-2015-12-05-6726825d.pth"
)


def weights_digest(path: Path) -> str:
    """sha256 of the weights, checked against the published one before anything reads them."""
    if not path.is_file():
        raise OfflineError(
            f"no Inception weights at {path}; leave --inception out to do without, or get them "
            f"from {URL}"
        )
    digest = file_digest(path)
    if not digest.startswith(DIGEST_PREFIX):
        raise UsageError(
            f"{path} is not the published Inception-2015 file: its sha256 begins with "
            f"{digest[:8]}, not {DIGEST_PREFIX}"
        )
    return digest


def downloaded(say: Callable[[str], None], url: str = URL, folder: Path | None = None) -> Path:
    """Where the weights lie after they were fetched, unless they are there; checked by their hash.

    OfflineError if they cannot be fetched, UsageError for a file that is another.
    """
    from urllib.error import URLError
    from urllib.request import urlopen

    from platformdirs import user_cache_path

    place = (folder or user_cache_path("t2i-defense-bench") / "weights") / url.rpartition("/")[2]
    if not place.is_file():
        make_folder(place.parent, "--inception")
        say(f"fetching Inception weights (91 MB) from {url}")
        beside = place.with_suffix(".part")
        try:
            with urlopen(url, timeout=60) as answer, beside.open("wb") as handle:  # noqa: S310
                shutil.copyfileobj(answer, handle)
        except (URLError, OSError) as error:
            beside.unlink(missing_ok=True)
            raise OfflineError(
                f"cannot fetch {url} ({error}); get it on another machine and give its path: "
                "--inception PATH"
            ) from None
        try:
            weights_digest(beside)
        except UsageError:
            beside.unlink()
            raise
        beside.replace(place)
    return place


@cache
def _network(weights: Path) -> Any:
    import torch

    from bench.utility.inception_network import Inception

    network = Inception()
    network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    return network.to("cuda" if torch.cuda.is_available() else "cpu").eval()


def inception(
    pictures: Pictures,
    weights: Path,
    resizing: Resizing,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> NDArray[np.float64]:
    """Pooled features of uint8 pictures (n, h, w, 3), shape (n, 2048)."""
    import torch

    network = _network(weights)
    device, found = next(network.parameters()).device, []
    for start in range(0, len(pictures), BATCH):
        some = torch.from_numpy(pictures[start : start + BATCH]).to(device)
        with torch.inference_mode():
            features = network(some.permute(0, 3, 1, 2).float(), resizing)
        found.append(features.double().cpu().numpy())
        progress(min(start + BATCH, len(pictures)), len(pictures))
    return np.concatenate(found)
