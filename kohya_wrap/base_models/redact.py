"""Keep tokens out of sight: addresses lose what could let someone in before they are shown, logged or recorded."""

import re
from collections.abc import Iterable
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

SHOWN_PARAMETERS = frozenset({"modelversionid", "fileid", "type", "format", "size", "fp", "download"})
"""Query parameters that may be shown, in lower case; every other one may be a token or a signature."""

_URL = re.compile(r"https?://[^\s'\"<>]+", re.IGNORECASE)
_BEARER = re.compile(r"(?i)\bbearer\s+\S+")
_HF_TOKEN = re.compile(r"\bhf_[A-Za-z0-9]{8,}\b")


def public_url(url: str) -> str:
    """Give `url` without user name, password, fragment, and without every query parameter that may be a secret.

    Nothing is shown of what only begins like an address.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return "[hidden]"
    host = parts.netloc.rpartition("@")[2]
    shown = [(k, v) for k, v in parse_qsl(parts.query, keep_blank_values=True) if k.lower() in SHOWN_PARAMETERS]
    return urlunsplit((parts.scheme, host, parts.path, urlencode(shown), ""))


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Give `text` with its addresses made public and with every one of `secrets` and every bearer token replaced."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "[hidden]")
    text = _URL.sub(lambda match: public_url(match[0]), text)
    return _HF_TOKEN.sub("[hidden]", _BEARER.sub("Bearer [hidden]", text))
