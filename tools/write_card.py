"""Write the model card of the embedded base model from measured figures only.

python tools/write_card.py --base DIR --public public.npz --report report.json --judge JUDGE
"""

import argparse
import json
from pathlib import Path
from string import Template
from typing import Any

CARD = Path(__file__).with_name("card_template.md")


def load(path: Path) -> dict[str, Any]:
    """A JSON object."""
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


def trainings(build: dict[str, Any]) -> str:
    """One table row for each training."""
    names = {
        "clip": "mini CLIP",
        "vae": "autoencoder",
        "unet": "U-Net",
        "decoder": "decoder again",
        "unet2": "U-Net again",
        "style": "decoder, style",
        "board": "U-Net, blackboard",
        "judge": "judge CLIP",
    }
    rows = [
        f"| {label} | {facts['parameters']:,} | {facts['steps']:,} x {facts['batch']} "
        f"| {facts['minutes']} | {facts['seed']} | {facts['loss']} |"
        for key, label in names.items()
        if (facts := build.get(key))
    ]
    return "\n".join(rows)


def checks(report: dict[str, Any]) -> str:
    """One table row for each part of the public pairs."""
    return "\n".join(
        f"| {name.replace('_', '-')} | {part['captions']} | {part['samples']:.1%} "
        f"| {part['real']:.1%} | {part['samples_own_clip']:.1%} | {part['real_own_clip']:.1%} "
        f"| {part['denoising_loss']['caption']:.4f} | {part['denoising_loss']['empty']:.4f} "
        f"| {part['psnr']:.1f} |"
        for name in ("trained", "held_out")
        if (part := report[name])
    )


def sources(facts: dict[str, Any]) -> str:
    """The hashes of the source archives."""
    pairs = facts["archives"].items()
    return "\n".join(f"| `{name.replace('%3a', ':')}` | `{digest}` |" for name, digest in pairs)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--base", type=Path, required=True, help="folder of the pipeline")
    parser.add_argument("--public", type=Path, required=True, help="npz of public_pictures.py")
    parser.add_argument("--report", type=Path, required=True, help="JSON of check_base.py")
    parser.add_argument("--judge", type=Path, required=True, help="folder of the second CLIP")
    args = parser.parse_args()
    build, report = load(args.base / "build.json"), load(args.report)
    facts = load(args.public.with_suffix(".json"))["facts"]
    judge = load(args.judge / "build.json")["clip2"]
    steps = ("clip", "vae", "unet", "decoder", "unet2", "style", "board")
    parts = {name: build[name] for name in steps} | {"clip2": judge}
    values = {
        "openmoji": f"{facts['kept']['openmoji']:,}",
        "clipart": f"{facts['kept']['openclipart']:,}",
        "held_out": facts["held_out"],
        "auxiliary_tiles": build["style"]["auxiliary_tiles"],
        "with_gloss": f"{facts['with_gloss']:,}",
        "pictures": facts["pictures_sha256"],
        "sources": sources(facts),
        "vocabulary": f"{build['tokenizer']['vocabulary']:,}",
        "scaling": build["vae"]["scaling_factor"],
        "epochs": round(sum(build[run]["epochs"] for run in ("unet", "unet2", "board")), 1),
        "trainings": trainings(build | {"judge": judge}),
        "checks": checks(report),
        "guidance": report["guidance"],
        "size": report["weights_mb"],
        "encode": f"{report['speed']['encode']:,}",
        "evaluate": report["speed"]["unet"],
        "number": ",".join(f"{name}={part['steps']}" for name, part in parts.items()),
        "copies": f"{report['trained']['copies']:.0%}",
        "copies_held_out": f"{report['held_out']['copies']:.0%}",
        "n_trained": report["trained"]["captions"],
        "n_held_out": report["held_out"]["captions"],
        "psnr_other": report.get("psnr_other", "not measured"),
    }
    card = Template(CARD.read_text(encoding="utf-8")).substitute(values)
    (args.base / "README.md").write_text(card, encoding="utf-8")


if __name__ == "__main__":
    main()
