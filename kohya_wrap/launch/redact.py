"""What of a command may be shown or recorded: everything but secrets."""

import re
import shlex

from kohya_wrap.launch.types import LaunchPlan

HIDDEN = "***"
_SECRET_NAME = re.compile(r"(^|[_-])(token|api[_-]?key|password|passwd|secret|credentials?)$", re.IGNORECASE)
_USER_IN_URL = re.compile(r"(?<=://)[^/@\s]+(?=@)")


def is_secret_name(name: str) -> bool:
    """Whether a variable or option of this name holds a secret by its looks (HF_TOKEN, --wandb_api_key)."""
    return bool(_SECRET_NAME.search(name.lstrip("-")))


def recorded_env(plan: LaunchPlan) -> dict[str, str]:
    """Give the command's environment, sorted by name, with each secret's value hidden."""
    return {
        name: HIDDEN if name in plan.secrets or is_secret_name(name) else _without_user(value)
        for name, value in sorted(plan.env.items())
    }


def recorded_argv(plan: LaunchPlan) -> tuple[str, ...]:
    """Give the command's arguments with every secret hidden: by the option's name, or by its value."""
    values = [plan.env[name] for name in sorted(plan.secrets) if plan.env.get(name)]
    shown: list[str] = []
    hide_next = False
    for argument in plan.argv:
        name, equals, _ = argument.partition("=")
        is_secret = argument.startswith("--") and is_secret_name(name)
        if hide_next:
            shown.append(HIDDEN)
        elif is_secret and equals:
            shown.append(f"{name}={HIDDEN}")
        else:
            shown.append(_without_values(_without_user(argument), values))
        hide_next = is_secret and not equals
    return tuple(shown)


def shown(plan: LaunchPlan) -> str:
    """Give the command as one line that a shell would take, with secrets hidden."""
    return shlex.join(recorded_argv(plan))


def _without_user(text: str) -> str:
    return _USER_IN_URL.sub(HIDDEN, text)


def _without_values(text: str, values: list[str]) -> str:
    for value in values:
        text = text.replace(value, HIDDEN)
    return text
