"""One picture that shows samples beside the real pictures, with their captions."""

import textwrap
from pathlib import Path

import numpy as np
from mini_data import Public
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

COLUMNS, ROWS, ZOOM = 6, 4, 2
CELL = (2 * 32 * ZOOM + 12, 32 * ZOOM + 34)


def draw_sheet(parts: list[tuple[str, Public, Tensor]], path: Path) -> None:
    """A block of cells for each part: real picture left, sample right, caption under them."""
    height = sum(ROWS * CELL[1] + 16 for _ in parts)
    sheet = Image.new("RGB", (COLUMNS * CELL[0], height), "#dddddd")
    pen, font, top = ImageDraw.Draw(sheet), ImageFont.load_default(9), 0
    for name, public, made in parts:
        title = f"{name.replace('_', '-')} captions: real picture left, sample right"
        pen.text((4, top + 2), title, fill="black", font=font)
        top += 16
        for index in range(min(COLUMNS * ROWS, len(public.rows))):
            x, y = index % COLUMNS * CELL[0], top + index // COLUMNS * CELL[1]
            real = public.images[index].permute(1, 2, 0).numpy()
            new = ((made[index].permute(1, 2, 0).numpy() + 1) * 127.5).clip(0, 255)
            for place, pixels in enumerate((real, new.astype(np.uint8))):
                picture = Image.fromarray(pixels).resize((32 * ZOOM,) * 2, Image.Resampling.NEAREST)
                sheet.paste(picture, (x + 4 + place * (32 * ZOOM + 4), y))
            lines = textwrap.wrap(public.rows[index]["caption"], 28)[:3]
            pen.text((x + 4, y + 32 * ZOOM), "\n".join(lines), fill="black", font=font, spacing=0)
        top += ROWS * CELL[1]
    sheet.quantize(128).save(path, optimize=True)
