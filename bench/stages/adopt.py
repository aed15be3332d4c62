"""A model that somebody else trained, taken over as the weights of a training of ours would be."""

from __future__ import annotations

from typing import Any

from bench.errors import UsageError, ValidationError
from bench.models.adopted import adopted, weights_of
from bench.specs import Adopted
from bench.stages.job import Job


def run(job: Job) -> dict[str, Any]:
    """`unet.safetensors`, adapters merged; `text_encoder.safetensors` where that was trained too.

    Counts the weights that are not the base's.
    """
    from importlib.metadata import version

    from safetensors.torch import save_file

    job.provenance["peft"] = version("peft")
    model = Adopted(**job.hints["model"])
    if adopted(model.path, variant=job.hints.get("variant")).identity != job.params["model"]:
        raise ValidationError(f"{model.path} changed while the audit was going on; run again")
    base = job.model()
    before = {
        part: {name: value.clone() for name, value in getattr(base, part).state_dict().items()}
        for part in ("unet", "text_encoder")
    }
    changed, of = 0, 0
    # An adapter of the text encoder alone leaves the U-Net as it is.
    for part, weights in ({"unet": base.unet.state_dict()} | weights_of(model, base)).items():
        for name, value in weights.items():
            if not value.isfinite().all():
                raise UsageError(f"{model.path}: {part} weight {name} is not finite")
            changed += not value.equal(before[part][name])
        of += len(weights)
        plain = {name: value.cpu().contiguous().clone() for name, value in weights.items()}
        save_file(plain, job.out / f"{part}.safetensors")
    return {"form": model.form, "tensors": of, "changed": changed}
