"""With what the hosts are asked: addresses and tokens from the environment, and nothing else from there.

CIVITAI_API_TOKEN          Civitai's key (civitai.com/user/account)
HF_TOKEN                   Hugging Face's token; else the token file of `hf auth login`
KOHYA_WRAP_CIVITAI_URL     instead of https://civitai.com
KOHYA_WRAP_CIVITAI_RED_URL instead of https://civitai.red
HF_ENDPOINT                instead of https://huggingface.co (a mirror)
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kohya_wrap._version import __version__
from kohya_wrap.paths import CachePaths

USER_AGENT = f"kohya-wrap/{__version__}"
"""Never a browser's: to one of those Civitai answers with a login page and status 200."""


class Secret:
    """A text that does not show itself; `reveal()` gives it, for a header and nothing else. Empty is false."""

    __slots__ = ("_text",)

    def __init__(self, text: str = "") -> None:
        self._text = text

    def reveal(self) -> str:
        """Give the text."""
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __repr__(self) -> str:
        return "Secret([hidden])" if self._text else "Secret()"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


NO_SECRET = Secret()


@dataclass(frozen=True, slots=True)
class Access:
    """Addresses without a slash at the end, and tokens. `patience` stretches the pauses between tries; 0 for tests."""

    cache: CachePaths
    civitai: str = "https://civitai.com"
    civitai_red: str = "https://civitai.red"
    hugging_face: str = "https://huggingface.co"
    civitai_token: Secret = NO_SECRET
    hugging_face_token: Secret = NO_SECRET
    patience: float = 1.0

    @classmethod
    def from_environment(cls, cache: CachePaths, env: Mapping[str, str] | None = None) -> "Access":
        """Read the variables above; the token file of huggingface_hub is read where HF_TOKEN is not set."""
        variables = os.environ if env is None else env
        return cls(
            cache,
            civitai=_address(variables, "KOHYA_WRAP_CIVITAI_URL", "https://civitai.com"),
            civitai_red=_address(variables, "KOHYA_WRAP_CIVITAI_RED_URL", "https://civitai.red"),
            hugging_face=_address(variables, "HF_ENDPOINT", "https://huggingface.co"),
            civitai_token=Secret(variables.get("CIVITAI_API_TOKEN", "").strip()),
            hugging_face_token=Secret(_hugging_face_token(variables)),
        )


def _address(variables: Mapping[str, str], name: str, default: str) -> str:
    return (variables.get(name, "").strip() or default).rstrip("/")


def _hugging_face_token(variables: Mapping[str, str]) -> str:
    """Find the token as huggingface_hub does: HF_TOKEN, then the file HF_TOKEN_PATH, then HF_HOME/token."""
    if token := (variables.get("HF_TOKEN") or variables.get("HUGGING_FACE_HUB_TOKEN") or "").strip():
        return token
    cache_home = variables.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    home = variables.get("HF_HOME") or str(Path(cache_home) / "huggingface")
    path = Path(variables.get("HF_TOKEN_PATH") or Path(home) / "token").expanduser()
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""
