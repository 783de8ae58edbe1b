"""What the notebook changes by itself for Prodigy and dadapt."""

import pytest
from config_helpers import config_of

from kohya_wrap.config.resolve import resolve

DADAPT = ["Prodigy", "prodigy", "DAdaptation", "DadaptAdam", "DadaptLion", "dadaptation.DAdaptAdam"]
CHANGED = {
    "learning.unet_lr",
    "learning.text_encoder_lr",
    "learning.lr_scheduler",
    "structure.network_alpha",
    "optimizer.optimizer_args",
}


def optimizer(name: str, **more: object) -> dict[str, dict[str, object]]:
    return {"optimizer": {"optimizer": name, **more}}


@pytest.mark.parametrize("name", ["AdamW8bit", "AdamW", "Lion", "AdaFactor"])
def test_other_optimizers_change_nothing(name: str) -> None:
    """The config of any other optimizer is given back as it is."""
    config = config_of(optimizer(name))
    assert resolve(config) == (config, {})


@pytest.mark.parametrize("name", DADAPT)
def test_overrides_are_the_notebooks(name: str) -> None:
    """Both rates 0.5, constant_with_warmup at 0.05, alpha as dim."""
    config, _ = resolve(config_of({**optimizer(name), "structure": {"network_dim": 24}}))
    learning = config.learning
    assert (learning.unet_lr, learning.text_encoder_lr) == (0.5, 0.5)
    assert (learning.lr_scheduler, learning.lr_warmup_ratio) == ("constant_with_warmup", 0.05)
    assert config.structure.network_alpha == 24


def test_every_change_has_its_reason() -> None:
    """Each changed value is listed with why; what was that already is not."""
    _, reasons = resolve(config_of(optimizer("Prodigy")))
    assert set(reasons) == CHANGED
    assert all("Prodigy" in reason for reason in reasons.values())


def test_a_text_encoder_rate_of_0_is_overridden_too() -> None:
    """As in the notebook, the override also switches the text encoder back on."""
    config, _ = resolve(config_of({**optimizer("Prodigy"), "learning": {"text_encoder_lr": 0}}))
    assert config.learning.text_encoder_lr == 0.5


def test_overrides_can_be_switched_off() -> None:
    """Without the override only the empty arguments are filled in."""
    config, reasons = resolve(config_of(optimizer("Prodigy", override_values_for_dadapt_and_prodigy=False)))
    assert config.learning.unet_lr == 5e-4
    assert set(reasons) == {"optimizer.optimizer_args"}


def test_prodigy_gets_the_notebooks_arguments() -> None:
    """Without arguments Prodigy gets the six of the notebook, in its order."""
    config, _ = resolve(config_of(optimizer("Prodigy")))
    assert config.optimizer.optimizer_args == (
        *("decouple=True", "weight_decay=0.01", "betas=[0.9,0.999]"),
        *("d_coef=2", "use_bias_correction=True", "safeguard_warmup=True"),
    )


def test_safeguard_follows_the_warm_up() -> None:
    """Without a warm-up Prodigy's safeguard is off."""
    tables = optimizer("Prodigy", override_values_for_dadapt_and_prodigy=False)
    config, _ = resolve(config_of({**tables, "learning": {"lr_warmup_ratio": 0}}))
    assert config.optimizer.optimizer_args[-1] == "safeguard_warmup=False"


@pytest.mark.parametrize("name", ["DAdaptation", "DadaptAdam", "my.dadapt.Class"])
def test_dadapt_gets_the_notebooks_arguments(name: str) -> None:
    """Every dadapt that takes them gets the three of the notebook."""
    config, _ = resolve(config_of(optimizer(name)))
    assert config.optimizer.optimizer_args == ("decouple=True", "weight_decay=0.01", "betas=[0.9,0.999]")


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("DadaptLion", ("weight_decay=0.01", "betas=[0.9,0.999]")),
        ("DAdaptAdan", ("weight_decay=0.01",)),
        ("DAdaptSGD", ("weight_decay=0.01",)),
    ],
)
def test_arguments_an_optimizer_would_fail_on_are_left_out(name: str, args: tuple[str, ...]) -> None:
    """DAdaptLion takes no decouple: the notebook's default would end in a TypeError."""
    config, _ = resolve(config_of(optimizer(name)))
    assert config.optimizer.optimizer_args == args


def test_fidelity_notebook_keeps_them_all() -> None:
    """Who asks for exactly the notebook gets exactly the notebook."""
    config, _ = resolve(config_of({**optimizer("DadaptLion"), "engine": {"fidelity": "notebook"}}))
    assert config.optimizer.optimizer_args[0] == "decouple=True"


def test_given_arguments_stay() -> None:
    """Arguments of the preset are not added to."""
    config, _ = resolve(config_of(optimizer("Prodigy", optimizer_args=("d_coef=1",))))
    assert config.optimizer.optimizer_args == ("d_coef=1",)


@pytest.mark.parametrize("name", DADAPT)
def test_resolving_twice_is_resolving_once(name: str) -> None:
    """A resolved config is left alone."""
    once, _ = resolve(config_of(optimizer(name)))
    assert resolve(once) == (once, {})
