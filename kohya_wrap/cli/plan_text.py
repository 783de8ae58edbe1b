"""What a plan says on a screen."""

from kohya_wrap.cli.output import size_text
from kohya_wrap.config.learning import LearningConfig
from kohya_wrap.config.structure import StructureConfig
from kohya_wrap.planning import EXAMPLE_RUN, Plan
from kohya_wrap.sampling import MOST_UNASKED


def plan_rows(plan: Plan) -> list[tuple[str, str]]:
    """Describe a plan for a person, most wanted first."""
    config, steps, data = plan.config, plan.steps, plan.dataset
    reg = f", {data.reg_images} regularization" if data.reg_images else ""
    return [
        ("preset", f"{plan.preset.name} ({plan.preset.path})"),
        ("trains", f"{_lora_text(config.structure)}, on {_base_text(plan)}"),
        ("engine", f"{plan.engine.name}, {_engine_state(plan)}"),
        ("pictures", f"{len(data.pictures)}, {data.train_images} with repeats{reg}, from {plan.project.dataset}"),
        *[("first" if index == 0 else "", text) for index, text in enumerate(plan.wanted.lines(config.dataset))],
        *(_training_rows(plan) if steps.total_steps else ()),
        *([("samples", _samples(plan))] if plan.samples else []),
        *_memory_rows(plan),
        *[("choices" if index == 0 else "", text) for index, (_, text) in enumerate(plan.choices.reasons)],
    ]


def _memory_rows(plan: Plan) -> list[tuple[str, str]]:
    """Say how much GPU memory is expected to be used, and for what."""
    needed = plan.memory
    if needed is None:
        return []
    parts = (
        ("base model", needed.weights),
        ("LoRA and optimizer", needed.trained),
        ("pictures", needed.activations),
        ("CUDA", needed.itself),
    )
    said = ", ".join(f"{name} {size_text(int(size))}" for name, size in parts)
    return [("GPU memory", f"about {size_text(int(needed.total))} ({said}), reckoned")]


def _training_rows(plan: Plan) -> list[tuple[str, str]]:
    """Describe what only a plan with pictures has."""
    config, steps, names = plan.config, plan.steps, plan.lora_names
    buckets = [bucket for group in plan.dataset.groups for bucket in group.buckets]
    return [
        ("buckets", ", ".join(f"{b.width}x{b.height}: {b.count}" for b in buckets)),
        ("length", _length(plan)),
        ("rates", _rates(config.learning)),
        ("warm-up", f"{steps.warmup_steps} steps, then {config.learning.lr_scheduler}"),
        ("LoRAs", f"{plan.project.output}/"),
        ("", names[0] if len(names) == 1 else f"{names[0]} … {names[-1]} ({len(names)} files)"),
        ("record", str(plan.project.run(EXAMPLE_RUN).folder)),
    ]


def _lora_text(structure: StructureConfig) -> str:
    """Say kind, rank and alpha, those of the convolutions where they are trained."""
    said = f"{structure.lora_type}, rank {structure.network_dim}, alpha {structure.network_alpha:g}"
    if structure.lora_type == "LoRA":
        return said
    return f"{said}, convolutions {structure.conv_dim}, alpha {structure.conv_alpha:g}"


def _rates(learning: LearningConfig) -> str:
    """Say the learning rates that take effect, an optimizer's own override included."""
    text = f"text encoder {learning.text_encoder_lr:g}" if learning.text_encoder_lr else "the text encoder not trained"
    return f"U-Net {learning.unet_lr:g}, {text}"


def _base_text(plan: Plan) -> str:
    located, family = plan.located, plan.family.title
    if located.file is not None:
        return f"{located.file.path} ({family})"
    if located.download is not None:
        size = f", {size_text(located.download.size)}" if located.download.size else ""
        name, link = located.download.name, located.download.link
        if link.endswith(name):
            return f"{link}, to be fetched{size} ({family})"
        return f"{name}, to be fetched from {link}{size} ({family})"
    return f"{located.source} (cannot be used)"


def _length(plan: Plan) -> str:
    steps, config = plan.steps, plan.config
    return (
        f"{steps.epochs} epochs of {steps.batches_per_epoch} batches of {config.steps.train_batch_size}"
        f" = {steps.total_steps} steps"
    )


def _engine_state(plan: Plan) -> str:
    if plan.status.missing:
        return "not set up yet: `kohya-wrap setup` or the first `train` does it"
    commit = plan.status.commit
    called = f"commit {commit[:12]}" if len(commit) == 40 else f"version {commit}"
    return f"{called}, ready"


def _samples(plan: Plan) -> str:
    """Say how many test pictures will be drawn, of what, and with what."""
    samples, count = plan.config.samples, plan.sample_count
    epochs = samples.epochs if isinstance(samples.epochs, str) else ", ".join(map(str, samples.epochs))
    weights = ", ".join(f"{weight:g}" for weight in samples.weights)
    prompts = "1 prompt" if len(plan.samples) == 1 else f"{len(plan.samples)} prompts"
    pictures = "1 picture" if count == 1 else f"{count} pictures"
    if count > MOST_UNASKED:
        return f"{pictures}, more than {MOST_UNASKED}: none is drawn unasked; `kohya-wrap lora grid` draws them"
    return f"{pictures} afterwards: {prompts}, epochs: {epochs}, weights {weights}, by {samples.draw_with}"
