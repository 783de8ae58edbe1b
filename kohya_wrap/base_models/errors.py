"""What can go wrong between a link and a verified file, drawn; each class has its own exit code, 40 to 59.

    BaseModelError                    12   (kohya_wrap/errors.py) the base model cannot be found, fetched or trained on
    ├── LoginNeededError              40   the host wants a login, and no token was given
    ├── TokenRefusedError             41   a token was given, and the host does not accept it
    ├── EarlyAccessError              42   the version is for sale until a date
    ├── DownloadsDisabledError        43   its creator has switched downloads off
    ├── ArchivedError                 44   the model was archived or taken down; its files are gone
    ├── NotFoundError                 45   no host that was asked knows it, or the file is not on this machine
    ├── RegionBlockedError            46   the host does not serve this country (HTTP 451)
    ├── TooManyRequestsError          47   the host asks to come back later (HTTP 429)
    ├── GatedRepositoryError          48   a Hugging Face repository whose terms must be accepted in a browser first
    ├── NoNetworkError                49   the host cannot be reached
    ├── TlsError                      50   the host's certificate is not accepted, or the TLS connection breaks
    ├── StoreDiskFullError            51   the store's disk has no room for the file
    ├── HashMismatchError             52   the file is not the one that was asked for
    ├── NotAModelError                53   HTML, JSON, a stump, or a file that is no base model
    ├── UnsupportedFamilyError        54   a base model, but of a family that the preset does not train
    ├── PickleRefusedError            55   a .ckpt, which is not permitted or cannot be converted
    ├── OfflineError                  56   it would have to be fetched, and --offline forbids that
    ├── ServerError                   57   the host fails (5xx), answers nonsense, or keeps breaking the connection
    ├── LinkError                     58   the text is no link, path, name or hash that anything here understands
    └── AccessDeniedError             59   the host knows who asks, and says no

No message may hold a token: addresses are shown through `redact.public_url`.
"""

from kohya_wrap.errors import BaseModelError


class LoginNeededError(BaseModelError):
    """The host wants a login, and no token was given."""

    exit_code = 40


class TokenRefusedError(BaseModelError):
    """A token was given, and the host does not accept it."""

    exit_code = 41


class EarlyAccessError(BaseModelError):
    """The version is for sale until a date."""

    exit_code = 42


class DownloadsDisabledError(BaseModelError):
    """Its creator has switched downloads off."""

    exit_code = 43


class ArchivedError(BaseModelError):
    """The model was archived or taken down; its files are gone."""

    exit_code = 44


class NotFoundError(BaseModelError):
    """No host that was asked knows it, or the file is not on this machine."""

    exit_code = 45


class RegionBlockedError(BaseModelError):
    """The host does not serve this country (HTTP 451)."""

    exit_code = 46


class TooManyRequestsError(BaseModelError):
    """The host asks to come back later (HTTP 429)."""

    exit_code = 47


class GatedRepositoryError(BaseModelError):
    """A Hugging Face repository whose terms must be accepted in a browser first."""

    exit_code = 48


class NoNetworkError(BaseModelError):
    """The host cannot be reached."""

    exit_code = 49


class TlsError(BaseModelError):
    """The host's certificate is not accepted, or the TLS connection breaks."""

    exit_code = 50


class StoreDiskFullError(BaseModelError):
    """The store's disk has no room for the file."""

    exit_code = 51


class HashMismatchError(BaseModelError):
    """The file is not the one that was asked for."""

    exit_code = 52


class NotAModelError(BaseModelError):
    """HTML, JSON, a stump, or a file that is no base model."""

    exit_code = 53


class UnsupportedFamilyError(BaseModelError):
    """A base model, but of a family that the preset does not train."""

    exit_code = 54


class PickleRefusedError(BaseModelError):
    """A .ckpt, which is not permitted or cannot be converted."""

    exit_code = 55


class OfflineError(BaseModelError):
    """It would have to be fetched, and --offline forbids that."""

    exit_code = 56


class ServerError(BaseModelError):
    """The host fails (5xx), answers nonsense, or keeps breaking the connection."""

    exit_code = 57


class LinkError(BaseModelError):
    """The text is no link, path, name or hash that anything here understands."""

    exit_code = 58


class AccessDeniedError(BaseModelError):
    """The host knows who asks, and says no."""

    exit_code = 59
