"""How things look on a screen: problems, plans, sizes, times."""

import re
import sys
from collections.abc import Iterable, Sequence

import typer

from kohya_wrap.errors import KohyaWrapError, Problem
from kohya_wrap.planning import EXAMPLE_RUN, Plan

_LABEL = 10
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")
"""Control characters, which a terminal obeys, half characters, which it cannot show, and changes of direction."""


def print_error(error: KohyaWrapError) -> None:
    """Print an error: its problems, one paragraph each, to stderr."""
    errors = [problem for problem in error.problems if problem.severity == "error"] or list(error.problems)
    head = error.what if len(errors) > 1 else "Error"
    _styled(f"{head}:", typer.colors.RED)
    for problem in errors:
        _print_problem(problem)


def print_warnings(warnings: Iterable[Problem]) -> None:
    """Print warnings to stderr."""
    for problem in warnings:
        _styled("Warning:", typer.colors.YELLOW, newline=False)
        _print_problem(problem)


def _print_problem(problem: Problem) -> None:
    head = f"{problem.where}: {problem.what}" if problem.where else problem.what
    accept = f" [{problem.code}]" if problem.code else ""
    typer.echo(f"  {head}{accept}", err=True)
    if problem.todo:
        typer.echo(f"    → {problem.todo}", err=True)


def _styled(text: str, color: str, *, newline: bool = True) -> None:
    typer.secho(text, fg=color if sys.stderr.isatty() else None, bold=sys.stderr.isatty(), err=True, nl=newline)


def print_rows(rows: Sequence[tuple[str, str]]) -> None:
    """Print label and text in two columns; an empty label goes on with the one above."""
    for label, text in rows:
        typer.echo(f"{label:<{_LABEL}}  {text}".rstrip())


def printable(text: str) -> str:
    """Give a stranger's text as a terminal may show it; line breaks stay."""
    return _UNPRINTABLE.sub("\ufffd", text)


def plan_rows(plan: Plan) -> list[tuple[str, str]]:
    """Describe a plan for a person, most wanted first."""
    config, steps, data = plan.config, plan.steps, plan.dataset
    reg = f", {data.reg_images} regularization" if data.reg_images else ""
    return [
        ("preset", f"{plan.preset.name} ({plan.preset.path})"),
        ("trains", f"{config.structure.lora_type}, rank {config.structure.network_dim}, on {_base_text(plan)}"),
        ("engine", f"{plan.engine.name}, {_engine_state(plan)}"),
        ("pictures", f"{len(data.pictures)}, {data.train_images} with repeats{reg}, from {plan.project.dataset}"),
        *(_training_rows(plan) if steps.total_steps else ()),
        *[("choices" if index == 0 else "", text) for index, (_, text) in enumerate(plan.choices.reasons)],
    ]


def _training_rows(plan: Plan) -> list[tuple[str, str]]:
    """Describe what only a plan with pictures has."""
    config, steps, names = plan.config, plan.steps, plan.lora_names
    buckets = [bucket for group in plan.dataset.groups for bucket in group.buckets]
    return [
        ("buckets", ", ".join(f"{b.width}x{b.height}: {b.count}" for b in buckets)),
        ("length", _length(plan)),
        ("warm-up", f"{steps.warmup_steps} steps, then {config.learning.lr_scheduler}"),
        ("LoRAs", f"{plan.project.output}/"),
        ("", names[0] if len(names) == 1 else f"{names[0]} … {names[-1]} ({len(names)} files)"),
        ("record", str(plan.project.run(EXAMPLE_RUN).folder)),
    ]


def _base_text(plan: Plan) -> str:
    located, family = plan.located, plan.family.title
    if located.file is not None:
        return f"{located.file.path} ({family})"
    if located.download is not None:
        size = f", {size_text(located.download.size)}" if located.download.size else ""
        return f"{located.download.name}, to be fetched from {located.download.link}{size} ({family})"
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


def size_text(size: int) -> str:
    """Give a size in bytes for a person, in binary units."""
    amount = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024 or unit == "GiB":
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    raise AssertionError


def time_text(seconds: float) -> str:
    """Give a time for a person: 0:07, 12:34, 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
