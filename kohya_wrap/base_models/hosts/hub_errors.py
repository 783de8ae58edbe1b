"""What huggingface_hub and its HTTP library raise, as errors of our own."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kohya_wrap.base_models.access import Access
from kohya_wrap.base_models.errors import (
    AccessDeniedError,
    GatedRepositoryError,
    LoginNeededError,
    NotFoundError,
    OfflineError,
    ServerError,
    TokenRefusedError,
)
from kohya_wrap.base_models.hosts.hugging_face_link import HuggingFaceName
from kohya_wrap.base_models.web import no_network, shared_error, tls_error
from kohya_wrap.errors import BaseModelError

if TYPE_CHECKING:
    from huggingface_hub.errors import HfHubHTTPError

WHERE_TOKENS_ARE_MADE = "make a token at huggingface.co/settings/tokens and set HF_TOKEN to it"


@contextmanager
def own_errors(name: HuggingFaceName, access: Access) -> Iterator[None]:
    """Turn what huggingface_hub and its HTTP library raise into errors of our own, without their long texts."""
    from huggingface_hub import errors  # noqa: PLC0415 - slow to import, and most commands never ask a host
    from huggingface_hub.utils import httpx  # type: ignore[attr-defined]  # noqa: PLC0415 - as above

    try:
        yield
    except errors.OfflineModeIsEnabled:
        what = "HF_HUB_OFFLINE is set, so Hugging Face may not be asked"
        raise OfflineError(what, where=name.shown, todo="unset it") from None
    except errors.HfHubHTTPError as error:
        raise _refusal(error, name, access) from None
    except (errors.LocalEntryNotFoundError, errors.FileMetadataError) as error:
        cause = error.__cause__
        if isinstance(cause, errors.HfHubHTTPError):
            raise _refusal(cause, name, access) from None
        raise _unreachable(cause or error, access) from None
    except httpx.HTTPError as error:
        raise _unreachable(error, access) from None


def _unreachable(error: BaseException, access: Access) -> BaseModelError:
    from huggingface_hub.errors import FileMetadataError  # noqa: PLC0415 - as above

    if isinstance(error, FileMetadataError):
        return strange(access)
    if "certificate" in str(error).lower() or "ssl" in str(error).lower():
        return tls_error(access.hugging_face, str(error))
    return no_network(access.hugging_face)


def strange(access: Access) -> ServerError:
    """Build the error for an answer of another shape than Hugging Face's."""
    todo = "check HF_ENDPOINT and the proxy, or try again later"
    return ServerError("Hugging Face's answer is not one of its own", where=access.hugging_face, todo=todo)


def _refusal(error: "HfHubHTTPError", name: HuggingFaceName, access: Access) -> BaseModelError:
    from huggingface_hub import errors  # noqa: PLC0415 - as above

    where = name.shown
    if isinstance(error, errors.GatedRepoError):
        todo = f"open huggingface.co/{name.repo} in a browser, accept the terms, {WHERE_TOKENS_ARE_MADE}"
        return GatedRepositoryError(f"{name.repo} is gated: its terms must be accepted first", where=where, todo=todo)
    if isinstance(error, errors.DisabledRepoError):
        return AccessDeniedError(f"{name.repo} was disabled by Hugging Face", where=where, todo="give another model")
    if isinstance(error, errors.RevisionNotFoundError):
        what = f"{name.repo} has no revision {name.revision}"
        return NotFoundError(what, where=where, todo="give a branch, tag or commit that it has")
    if isinstance(error, errors.EntryNotFoundError):
        return NotFoundError(f"{name.repo} has no {name.path}", where=where, todo="look at its list of files")
    return _by_status(error, name, access)


def _by_status(error: "HfHubHTTPError", name: HuggingFaceName, access: Access) -> BaseModelError:
    from huggingface_hub import errors  # noqa: PLC0415 - as above

    status = error.response.status_code
    retry_after = error.response.headers.get("Retry-After", "")
    if shared := shared_error(status, access.hugging_face, retry_after=retry_after):
        return shared
    if status == 401 and error.response.headers.get("X-Error-Message", "").startswith("Invalid credentials"):
        todo = f"{WHERE_TOKENS_ARE_MADE}, or remove the one that is set"
        return TokenRefusedError("Hugging Face does not accept the token that was sent", where=name.shown, todo=todo)
    if isinstance(error, errors.RepositoryNotFoundError) or status == 404:
        private = "the token that is set may not see it" if access.hugging_face_token else WHERE_TOKENS_ARE_MADE
        what = f"Hugging Face knows no {name.repo}, or it is private"
        return NotFoundError(what, where=name.shown, todo=f"check the name; for a private one: {private}")
    if status == 401:
        return LoginNeededError(f"{name.repo} needs a login", where=name.shown, todo=WHERE_TOKENS_ARE_MADE)
    if status == 403:
        return AccessDeniedError(f"Hugging Face refuses {name.repo}", where=name.shown, todo=WHERE_TOKENS_ARE_MADE)
    return ServerError(f"Hugging Face answers {status}", where=name.shown, todo="try again later")
