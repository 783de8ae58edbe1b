"""From Civitai's download address to the signed address of its storage, and every refusal on the way.

The token goes to Civitai only: the signed address needs none, and storage refuses a request that carries one.
"""

from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from kohya_wrap.base_models.access import Access, Secret
from kohya_wrap.base_models.errors import (
    AccessDeniedError,
    ArchivedError,
    DownloadsDisabledError,
    EarlyAccessError,
    LoginNeededError,
    NotFoundError,
    ServerError,
    TokenRefusedError,
)
from kohya_wrap.base_models.redact import public_url
from kohya_wrap.base_models.web import bad_redirect, body_json, clean_words, get
from kohya_wrap.errors import BaseModelError

if TYPE_CHECKING:
    from requests import Response

WHERE_TOKENS_ARE_MADE = "make an API key at civitai.com/user/account and set CIVITAI_API_TOKEN to it"
_MOVED = frozenset({301, 302, 303, 307, 308})


def download_address(site: str, version: str, file: str) -> str:
    """Give the address that leads to one file; fileId is exact where the other parameters only prefer."""
    return f"{site}/api/download/models/{version}?fileId={file}"


def signed_address(address: str, *, token: Secret, access: Access) -> str:
    """Ask Civitai for the storage address of `address`, valid for a while; or give `address` if it serves itself.

    Raises LoginNeededError, TokenRefusedError, EarlyAccessError, DownloadsDisabledError, ArchivedError, NotFoundError,
    AccessDeniedError, or what web.get raises.
    """
    with get(address, token=token, access=access, follow=False) as answer:
        if answer.status_code in _MOVED:
            return _storage(answer, address, token)
        if answer.status_code == 200 and "text/html" not in answer.headers.get("Content-Type", ""):
            return address
        if answer.status_code == 200:
            raise login_needed(address, token)
        words = body_json(answer)
        said = {key: clean_words(str(text), answer) for key, text in words.items()} if isinstance(words, dict) else {}
        raise _refusal(answer.status_code, said, address, token, access)


def login_needed(address: str, token: Secret) -> BaseModelError:
    """Build the error for a version that wants a login."""
    where = public_url(address)
    if token:
        todo = f"{WHERE_TOKENS_ARE_MADE} (the one that is set has expired, or was revoked)"
        return TokenRefusedError("Civitai does not accept the token that was sent", where=where, todo=todo)
    return LoginNeededError("its creator wants a login before a download", where=where, todo=WHERE_TOKENS_ARE_MADE)


def downloads_disabled(where: str) -> DownloadsDisabledError:
    """Build the error for a version that can only be used on the site."""
    what = "its creator has disabled downloads: it can only be used on Civitai itself"
    return DownloadsDisabledError(what, where=where, todo="give another model")


def early_access(where: str, until: str) -> EarlyAccessError:
    """Build the error for a version that is for sale; `until` is a date or empty."""
    when = f" until {until}" if until else ""
    todo = "wait, buy it on its page (then set CIVITAI_API_TOKEN), or give an older version's link"
    return EarlyAccessError(f"this version is in early access{when}", where=where, todo=todo)


def _storage(answer: "Response", address: str, token: Secret) -> str:
    try:
        target = urljoin(address, answer.headers.get("Location", ""))
        urlsplit(target).port  # noqa: B018 - asking for it is what tells whether it is a number
    except ValueError:
        raise bad_redirect(address) from None
    if urlsplit(target).netloc == urlsplit(address).netloc:
        page = urlsplit(target).path
        if page.startswith("/login"):
            raise login_needed(address, token)
        if page.startswith(("/model-versions/", "/models/")):  # the page where it is sold
            raise early_access(public_url(address), "")
    if urlsplit(target).scheme not in {"https", urlsplit(address).scheme}:
        raise ServerError(
            "Civitai leads to an address that is not safe", where=public_url(address), todo="try again later"
        )
    return target


def _refusal(status: int, words: dict[str, str], address: str, token: Secret, access: Access) -> BaseModelError:
    where = public_url(address)
    said = words.get("message") or words.get("error") or f"status {status}"
    if status == 401 and "disabled downloads" in said:
        return downloads_disabled(where)
    if status == 401:
        return _not_logged_in(address, token, access)
    if status == 403 and words.get("error") == "Early Access":
        return early_access(where, words.get("deadline", "")[:10])
    if status == 403:
        return AccessDeniedError(
            f"Civitai refuses the download: {said}", where=where, todo="open its page in a browser"
        )
    return _gone(status, where) or ServerError(f"Civitai answers {status}: {said}", where=where, todo="try again later")


def _gone(status: int, where: str) -> BaseModelError | None:
    if status == 404:
        todo = "open its page: it may be unpublished; if it is there, try again in some minutes"
        return NotFoundError("Civitai does not find the file", where=where, todo=todo)
    if status == 410:
        return ArchivedError("this model was archived: its files are gone", where=where, todo="give another model")
    return None


def _not_logged_in(address: str, token: Secret, access: Access) -> BaseModelError:
    """A bad key is treated as none, with the same answer; /api/v1/me tells the two apart."""
    if not token:
        return login_needed(address, token)
    site = "{0.scheme}://{0.netloc}".format(urlsplit(address))
    with get(f"{site}/api/v1/me", token=token, access=access) as answer:
        if answer.status_code == 200:
            what = "Civitai accepts the token, but not for this file"
            return AccessDeniedError(what, where=public_url(address), todo="check the key's permissions on Civitai")
    return login_needed(address, token)
