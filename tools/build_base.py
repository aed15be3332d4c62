"""Build the embedded base model: tokenizer, mini CLIP, autoencoder, U-Net, one after another.

    python tools/build_base.py --public public.npz --wordnet share/wordnet --out DIR --seed 0

Each step writes its part into DIR and may be run again alone (`--steps vae,unet`). Weights are
kept as half-precision safetensors. A `clip2` step trains an independent second CLIP (other seed
and width) into `--judge DIR`, which only the check uses.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from mini_clip import train_clip
from mini_data import Public, load_public, on_blackboard
from mini_tokenizer import write_tokenizer
from mini_unet import make_scheduler, train_unet
from mini_vae import refine_decoder, train_vae
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer
from wordnet_glosses import all_glosses

from bench.data.sources import open_source
from bench.data.splits import make_split

STEPS = "tokenizer,clip,vae,unet,decoder,unet2,style,board"
DEFAULT_NUMBER = {
    "clip": 1905,
    "vae": 5000,
    "unet": 4000,
    "clip2": 900,
    "decoder": 3000,
    "unet2": 2400,
    "style": 4000,
    "board": 6000,
}
INDEX = {
    "_class_name": "StableDiffusionPipeline",
    "feature_extractor": [None, None],
    "image_encoder": [None, None],
    "requires_safety_checker": False,
    "safety_checker": [None, None],
    "scheduler": ["diffusers", "DDIMScheduler"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
}


def note(folder: Path, step: str, facts: dict[str, Any]) -> None:
    """Add a step's measured facts to DIR/build.json."""
    path = folder / "build.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(known | {step: facts}, indent=2) + "\n")
    print(step, json.dumps(facts), flush=True)


def save(model: torch.nn.Module, folder: Path) -> None:
    """Half-precision safetensors, and a configuration that names no folder of this machine."""
    model.half().save_pretrained(folder)
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config.pop("_name_or_path", None)
    path.write_text(json.dumps(config, indent=2) + "\n")
    for weights in folder.glob("*.safetensors"):
        weights.chmod(0o644)


def build_tokenizer(public: Public, args: argparse.Namespace) -> None:
    """Captions count four times beside WordNet's definitions."""
    lines = public.captions * 4 + all_glosses(args.wordnet)
    tokenizer = write_tokenizer(lines, args.out / "tokenizer")
    note(args.out, "tokenizer", {"vocabulary": len(tokenizer), "lines": len(lines)})


def build_clip(public: Public, args: argparse.Namespace) -> None:
    """Keep the whole CLIP, and its text tower as the pipeline's text encoder."""
    tokenizer = CLIPTokenizer.from_pretrained(args.out / "tokenizer")
    model, facts = train_clip(
        public,
        all_glosses(args.wordnet),
        tokenizer,
        args.seed,
        args.number["clip"],
        width=128,
        patch=8,
    )
    save(model, args.out / "clip")
    tower = CLIPTextModel(model.config.text_config)
    weights = model.text_model.state_dict()
    prefix = "text_model." if any("text_model." in k for k in tower.state_dict()) else ""
    tower.load_state_dict({prefix + key: value for key, value in weights.items()})
    save(tower, args.out / "text_encoder")
    note(args.out, "clip", facts)


def build_judge(public: Public, args: argparse.Namespace) -> None:
    """The second, independent CLIP of the retrieval check: it sees what the last U-Net saw."""
    tokenizer = CLIPTokenizer.from_pretrained(args.out / "tokenizer")
    model, facts = train_clip(
        on_blackboard(public),
        [],
        tokenizer,
        args.seed + 1000,
        args.number["clip2"],
        width=96,
        patch=8,
    )
    save(model, args.judge)
    note(args.judge, "clip2", facts)


def build_vae(public: Public, args: argparse.Namespace) -> None:
    """Train and keep the autoencoder with its scale."""
    model, facts = train_vae(public, args.seed, args.number["vae"], (16, 32, 64))
    save(model, args.out / "vae")
    note(args.out, "vae", facts)


def build_decoder(public: Public, args: argparse.Namespace) -> None:
    """Improve the autoencoder's decoder alone: may run after the U-Net."""
    model = AutoencoderKL.from_pretrained(args.out / "vae", torch_dtype=torch.float32)
    model, facts = refine_decoder(model, public.images, args.seed + 1, args.number["decoder"])
    save(model, args.out / "vae")
    note(args.out, "decoder", facts)


def build_style(public: Public, args: argparse.Namespace) -> None:
    """Teach the decoder, and nothing else, the style of the tiles on their auxiliary pictures.

    Those belong to no split of any seed. Without them fine pixel work was decoded so blurred that
    the distance of samples to real tiles measured the decoder and not the model.
    """
    tiles = auxiliary_tiles()
    images = torch.cat([public.images, tiles.repeat(len(public.images) // len(tiles), 1, 1, 1)])
    model = AutoencoderKL.from_pretrained(args.out / "vae", torch_dtype=torch.float32)
    model, facts = refine_decoder(model, images, args.seed + 3, args.number["style"])
    save(model, args.out / "vae")
    note(args.out, "style", facts | {"auxiliary_tiles": len(tiles)})


def auxiliary_tiles() -> Tensor:
    """The fixed auxiliary pictures of `tiles`, uint8 [N, 3, 32, 32]."""
    source = open_source("tiles")
    pairs = source.pairs()
    auxiliary = pairs.select(make_split(pairs, source.identity, seed=0).auxiliary)
    images = np.stack([np.asarray(pair.image) for pair in auxiliary])
    return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()


def build_unet(public: Public, args: argparse.Namespace) -> None:
    """Pre-train the U-Net on the saved half-precision parts, as its users will load them."""
    pretrain(public, args, "unet", args.seed, None)
    make_scheduler().save_pretrained(args.out / "scheduler")
    (args.out / "model_index.json").write_text(json.dumps(INDEX, indent=2) + "\n")


def build_unet_again(public: Public, args: argparse.Namespace) -> None:
    """Train the saved U-Net on, with fresh draws and wordings and a second cosine."""
    old = UNet2DConditionModel.from_pretrained(args.out / "unet", torch_dtype=torch.float32)
    pretrain(public, args, "unet2", args.seed + 2, old)


def build_unet_on_board(public: Public, args: argparse.Namespace) -> None:
    """Train the saved U-Net on, longest of all, with every picture on a blackboard.

    Tiles stand on white, as the public pictures do: a base that has learnt their ground already
    has nothing of a new domain to learn but shapes. After this one it has to learn the ground too.
    """
    old = UNet2DConditionModel.from_pretrained(args.out / "unet", torch_dtype=torch.float32)
    pretrain(on_blackboard(public), args, "board", args.seed + 4, old, batch=64)


def pretrain(
    public: Public,
    args: argparse.Namespace,
    step: str,
    seed: int,
    start_from: UNet2DConditionModel | None,
    batch: int = 32,
) -> None:
    """One run of U-Net training, saved."""
    vae = AutoencoderKL.from_pretrained(args.out / "vae", torch_dtype=torch.float32).eval()
    text = CLIPTextModel.from_pretrained(args.out / "text_encoder", dtype=torch.float32).eval()
    tokenizer = CLIPTokenizer.from_pretrained(args.out / "tokenizer")
    number = args.number[step]
    model, facts = train_unet(public, vae, text, tokenizer, seed, number, start_from, batch)
    save(model, args.out / "unet")
    note(args.out, step, facts)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--public", type=Path, required=True, help="npz of public_pictures.py")
    parser.add_argument("--wordnet", type=Path, help="share/wordnet, for the tokenizer step")
    parser.add_argument("--out", type=Path, required=True, help="the pipeline's folder")
    parser.add_argument("--judge", type=Path, help="folder of the second CLIP, outside the tree")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", default=STEPS, help=f"comma list of {STEPS},clip2")
    parser.add_argument("--threads", type=int, default=1, help="of the processor; 2 for board")
    parser.add_argument("--number", default="", help=f"training steps, if not {DEFAULT_NUMBER}")
    args = parser.parse_args()
    pairs = (pair.split("=") for pair in args.number.split(",") if pair)
    args.number = DEFAULT_NUMBER | {name: int(count) for name, count in pairs}
    torch.set_num_threads(args.threads)
    args.out.mkdir(parents=True, exist_ok=True)
    public = load_public(args.public).part(held_out=False)
    builders = {
        "tokenizer": build_tokenizer,
        "clip": build_clip,
        "clip2": build_judge,
        "vae": build_vae,
        "decoder": build_decoder,
        "unet": build_unet,
        "unet2": build_unet_again,
        "style": build_style,
        "board": build_unet_on_board,
    }
    for step in args.steps.split(","):
        builders[step](public, args)


if __name__ == "__main__":
    main()
