"""Rules of [learning]: rates, schedules, and what some optimizers make of them."""

from collections.abc import Iterator

from kohya_wrap.config.model import TrainConfig
from kohya_wrap.config.optimizers import check_optimizer, find_optimizer, parse_optimizer_args
from kohya_wrap.config.rules.rule import Rule, Stated, unused, warning
from kohya_wrap.errors import Problem

ARGS = "optimizer.optimizer_args"
SCHEDULER = "learning.lr_scheduler"
_FIXED_ADAFACTOR = "scale_parameter=False, relative_step=False, warmup_init=False"


def _rates(config: TrainConfig, stated: Stated) -> Iterator[Problem]:
    del stated
    unet, text = config.learning.unet_lr, config.learning.text_encoder_lr
    if unet == 0 and text == 0:
        yield Problem("learning.unet_lr", "and text_encoder_lr are both 0: nothing would be trained", "set unet_lr")
    elif unet == 0:
        what = "0 leaves the U-Net out: only the text encoder is trained"
        yield warning("learning.unet_lr", what, "set it to 5e-4 unless that is meant")
    elif text > unet:
        what = f"{text:g} is more than unet_lr ({unet:g}); a half or a fifth of it is usual"
        yield warning("learning.text_encoder_lr", what, f"for example {unet / 5:g}, or 0 for the U-Net alone")


def _schedule(config: TrainConfig, stated: Stated) -> Iterator[Problem]:
    learning = config.learning
    number, where = learning.lr_scheduler_number, "learning.lr_scheduler_number"
    counts = learning.lr_scheduler == "cosine_with_restarts"
    if not counts and learning.lr_scheduler != "polynomial":
        yield from unused(stated, where, f"with lr_scheduler {learning.lr_scheduler}")
    elif counts and int(number) != number:
        yield Problem(where, f"{number} is no number of restarts", "write a whole number")
    elif number == 0:
        yield warning(where, "0 makes the learning rate constant", f'set {SCHEDULER} = "constant" if that is meant')
    if learning.lr_scheduler == "constant" and learning.lr_warmup_ratio > 0:
        yield from unused(stated, "learning.lr_warmup_ratio", "with lr_scheduler constant")


def _optimizer(config: TrainConfig, stated: Stated) -> Iterator[Problem]:
    del stated
    name = config.optimizer.optimizer
    yield from check_optimizer(name)
    values, problems = parse_optimizer_args(name, config.optimizer.optimizer_args)
    yield from problems
    known = find_optimizer(name)
    betas = values.get("betas")
    if known is not None and betas is not None:
        count = len(betas) if isinstance(betas, list | tuple) else 1
        if count != known.betas:
            what = f"betas of {known.name} are {known.betas} numbers, not {betas!r}"
            yield Problem(ARGS, what, '"betas=[0.9,0.999]"' if known.betas == 2 else '"betas=[0.98,0.92,0.99]"')


def _adaptive(config: TrainConfig, stated: Stated) -> Iterator[Problem]:
    del stated
    learning, known = config.learning, find_optimizer(config.optimizer.optimizer)
    if known is None or known.kind != "dadapt":
        return
    unet, text = learning.unet_lr, learning.text_encoder_lr
    fix = "set learning.text_encoder_lr to the same, or to 0 for the U-Net alone"
    if unet == 0:
        yield Problem("learning.unet_lr", f"{known.name} cannot start from 0", "set it to 0.5 or 1")
    elif text not in (0, unet):
        what = f"{known.name} has one learning rate for all, but unet_lr is {unet:g} and text_encoder_lr {text:g}"
        yield Problem("learning.unet_lr", what, fix)
    elif unet < 0.1:
        what = f"{unet:g} is far too low for {known.name}, which finds the rate itself and only scales it by this"
        yield warning("learning.unet_lr", what, "set it to 0.5 or 1")


def _adafactor(config: TrainConfig, stated: Stated) -> Iterator[Problem]:
    known = find_optimizer(config.optimizer.optimizer)
    if known is None or known.kind != "adafactor":
        return
    values, _ = parse_optimizer_args(known.name, config.optimizer.optimizer_args)
    learning = config.learning
    relative = bool(values.get("relative_step", True))
    if not relative and values.get("warmup_init"):
        yield Problem(ARGS, "warmup_init=True switches relative_step back on", f"write {_FIXED_ADAFACTOR}")
    elif not relative:
        if learning.lr_scheduler != "constant_with_warmup":
            what = f"{learning.lr_scheduler} suits AdaFactor less than constant_with_warmup"
            yield warning(SCHEDULER, what, 'set it to "constant_with_warmup"')
    elif learning.lr_scheduler != "constant" and learning.lr_warmup_ratio > 0:
        what = "AdaFactor with relative_step has its own schedule, and the engine refuses a warm-up with it"
        todo = f"set it to 0, or add {_FIXED_ADAFACTOR} to {ARGS} to use the learning rates of the preset"
        yield Problem("learning.lr_warmup_ratio", what, todo)
    else:
        why = f"with AdaFactor's relative_step; {_FIXED_ADAFACTOR} in {ARGS} switches that off"
        for where in ("learning.text_encoder_lr", SCHEDULER):
            yield from unused(stated, where, why)


def _schedule_free(config: TrainConfig, stated: Stated) -> Iterator[Problem]:
    known = find_optimizer(config.optimizer.optimizer)
    if known is not None and known.kind == "schedulefree":
        for where in (SCHEDULER, "learning.lr_warmup_ratio"):
            yield from unused(stated, where, f"with {known.name}, which needs no schedule")


def _min_snr(config: TrainConfig, stated: Stated) -> Iterator[Problem]:
    """Terms of the loss that do not go together. Source: apply_snr_weight and its neighbours in sd-scripts."""
    del stated
    options, where = config.sd_scripts, "learning.min_snr_gamma"
    if not config.learning.min_snr_gamma:
        return
    predicts_v = options.get("v_parameterization", config.setup.predicts_v)
    if options.get("zero_terminal_snr") and not predicts_v:
        what = "divides by the signal-to-noise ratio, which zero_terminal_snr makes 0 where the model predicts noise"
        yield Problem(where, what, "set it to false, or v_parameterization = true if the base model is one")
    if options.get("debiased_estimation_loss"):
        yield warning(where, "and debiased_estimation_loss both weight the loss", "set one of the two to false")
    if predicts_v and options.get("scale_v_pred_loss_like_noise_pred"):
        what = "and scale_v_pred_loss_like_noise_pred both weight the loss of a model with v-prediction"
        yield warning(where, what, "set one of the two to false")


RULES: tuple[Rule, ...] = (_rates, _schedule, _optimizer, _adaptive, _adafactor, _schedule_free, _min_snr)
