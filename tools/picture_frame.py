"""Put a drawing on the canvas of the suite: 32x32 RGB, white ground, scaled into 30 pixels."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

SIZE = 32
INNER = 30


def frame(picture: Image.Image) -> np.ndarray | None:
    """Crop to the drawing, scale it into 30x30, centre it on white; None for an empty drawing."""
    rgba = picture.convert("RGBA")
    if max(rgba.size) > 8 * SIZE:
        rgba.thumbnail((8 * SIZE, 8 * SIZE), Image.Resampling.BOX)
    white = Image.new("RGBA", rgba.size, "white")
    flat = np.asarray(Image.alpha_composite(white, rgba).convert("RGB"))
    ink = (flat < 250).any(axis=2)
    if ink.sum() < 20:
        return None
    rows, cols = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    drawing = Image.fromarray(flat[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1])
    scale = INNER / max(drawing.size)
    size = (max(1, round(drawing.width * scale)), max(1, round(drawing.height * scale)))
    drawing = drawing.resize(size, Image.Resampling.LANCZOS)
    canvas = Image.new("RGB", (SIZE, SIZE), "white")
    canvas.paste(drawing, ((SIZE - size[0]) // 2, (SIZE - size[1]) // 2))
    return np.asarray(canvas)


def frame_svg(path: Path) -> np.ndarray | None:
    """Render an SVG file at 240 pixels and frame it."""
    import resvg_py

    png = bytes(resvg_py.svg_to_bytes(svg_path=str(path), width=240, dpi=96))
    return frame(Image.open(io.BytesIO(png)))


def distinct(images: np.ndarray, rmse: float) -> np.ndarray:
    """Indices of pictures that are farther than `rmse` (of 1.0) from every earlier kept one."""
    flat = images.reshape(len(images), -1).astype(np.float32) / 255
    squares = (flat**2).sum(axis=1)
    limit = rmse**2 * flat.shape[1]
    kept: list[int] = []
    for start in range(0, len(flat), 512):
        block = flat[start : start + 512]
        gaps = squares[start : start + 512, None] + squares[None] - 2 * block @ flat.T
        for index, row in enumerate(gaps, start):
            if not kept or row[kept].min() >= limit:
                kept.append(index)
    return np.asarray(kept)
