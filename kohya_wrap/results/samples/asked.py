"""What a preset asks to be drawn, when its training is done or while it goes on, and what of it will not be."""

from kohya_wrap.config import TrainConfig
from kohya_wrap.errors import Problem
from kohya_wrap.paths import ProjectPaths
from kohya_wrap.results.samples import places
from kohya_wrap.results.samples.embeddings import find_embeddings
from kohya_wrap.results.samples.loras import lora_problems
from kohya_wrap.results.samples.prompts import Prompt, prompt_problems, read_prompts
from kohya_wrap.sd_scripts import SamplePrompt
from kohya_wrap.sd_scripts.job import StepPlan
from kohya_wrap.sd_scripts.steps import kept_epochs


def prompts_of(config: TrainConfig) -> tuple[Prompt, ...]:
    """Read the prompts of [samples]."""
    tag = config.dataset.activation_tag
    return read_prompts(config.samples, config.setup.project_name, activation_tag=tag)


def sample_problems(
    config: TrainConfig, project: ProjectPaths, steps: StepPlan, prompts: tuple[Prompt, ...]
) -> tuple[Problem, ...]:
    """Say what of [samples] will not be drawn."""
    found = list(prompt_problems(prompts))
    found += lora_problems(prompts, places.lora_folders(project, config.samples))
    found += find_embeddings(prompts, places.embedding_folders(project, config.samples))[1]
    if config.samples.while_training and not prompts:
        todo = "write samples.prompts, or leave it out"
        found.append(Problem("samples.while_training", "there is no prompt to draw", todo, severity="warning"))
    if prompts and steps.epochs and not isinstance(config.samples.epochs, str):
        absent = sorted(set(config.samples.epochs) - set(kept_epochs(config, steps)))
        if absent:
            what = f"the run leaves no LoRA of {', '.join(f'epoch {epoch}' for epoch in absent)}"
            todo = "name others, or see steps.save_every_n_epochs and keep_only_last_n_epochs"
            found.append(Problem("samples.epochs", what, todo, severity="warning"))
    return tuple(found)


def sample_count(config: TrainConfig, steps: StepPlan, prompts: tuple[Prompt, ...]) -> int:
    """Count the test pictures that will be drawn after the training."""
    chosen = config.samples.epochs
    kept = kept_epochs(config, steps)
    rows = len(kept) if chosen == "all" else 1 if chosen == "last" else len(set(chosen) & set(kept))
    weights = set(config.samples.weights)
    each = rows * len(weights - {0}) + len(weights & {0})
    return each * sum(not prompt.problems for prompt in prompts)


def engine_prompt(prompt: Prompt) -> SamplePrompt:
    """Give a prompt as sd-scripts draws it while it trains: with the LoRA as it is then, at weight 1."""
    return SamplePrompt(
        prompt=prompt.text.strip(),
        negative_prompt=prompt.negative_prompt,
        seed=prompt.seed,
        steps=prompt.steps,
        cfg_scale=prompt.cfg_scale,
        sampler=prompt.sampler,
        width=prompt.width,
        height=prompt.height,
    )
