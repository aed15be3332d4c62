"""Write the parts of a split as folders, as somebody has them who audits a model.

    python tools/split_to_folders.py --data tiles --seed 0 OUT

makes OUT/members, OUT/holdouts, OUT/shadow_members and OUT/shadow_holdouts, each with its pictures
and a `metadata.jsonl`, for `folder:OUT/members` and so on; OUT/auxiliary is the last two together.
"""

import argparse
import json
from pathlib import Path

from bench.data.pairs import Pairs
from bench.data.sources import open_source
from bench.data.splits import make_split


def write(folder: Path, pairs: Pairs) -> None:
    """Pictures as PNG, numbered, and a line for each."""
    folder.mkdir(parents=True)
    with (folder / "metadata.jsonl").open("w", encoding="utf-8") as lines:
        for number, pair in enumerate(pairs):
            name = f"{number:05}.png"
            pair.image.save(folder / name)
            lines.write(json.dumps({"file_name": name, "text": pair.original}) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", default="tiles")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    source = open_source(given.data)
    pairs = source.pairs()
    split = make_split(pairs, source.identity, given.seed)
    parts = {
        "members": split.members,
        "holdouts": split.holdouts,
        "shadow_members": split.shadow_members,
        "shadow_holdouts": split.shadow_holdouts,
        "auxiliary": (*split.shadow_members, *split.shadow_holdouts),
    }
    for part, ids in parts.items():
        write(given.out / part, pairs.select(ids))
        print(f"{given.out / part}: {len(ids)} pairs")


if __name__ == "__main__":
    main()
