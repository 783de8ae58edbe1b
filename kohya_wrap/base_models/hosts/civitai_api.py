"""Civitai's answers as types: lenient about what may be missing, strict about what is used.

Source: developer.civitai.com/site and the site's own code, as of August 2026; undocumented fields are optional.
"""

from datetime import datetime
from typing import Annotated, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from kohya_wrap.base_models.errors import ServerError
from kohya_wrap.base_models.hosts.host import RemoteFile

Text = Annotated[str, BeforeValidator(lambda value: "" if value is None else str(value))]
"""A text that the host may leave out or give as null."""

_FORMATS = {"safetensor": "safetensors", "pickletensor": "pickle", "diffusers": "diffusers"}


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)


class _FileDetails(_Answer):
    format: Text = ""
    size: Text = ""
    fp: Text = ""


class File(_Answer):
    """One file of a version."""

    id: int
    name: Text = ""
    type: Text = ""
    size_kb: float = Field(default=0, alias="sizeKB")
    metadata: _FileDetails = Field(default_factory=_FileDetails)
    hashes: dict[str, str | None] = Field(default_factory=dict)
    pickle_scan_result: Text = ""
    virus_scan_result: Text = ""

    def as_remote(self) -> RemoteFile:
        """Give it in the words of all hosts; the size is rounded to what sizeKB says."""
        hashes = {name: value.lower() for name, value in self.hashes.items() if value}
        details = self.metadata
        return RemoteFile(
            name=self.name,
            size=round(self.size_kb * 1024),
            size_is_exact=False,
            sha256=hashes.get("SHA256", ""),
            format=_FORMATS.get(details.format.lower(), details.format) or _by_ending(self.name),
            precision=details.fp.lower(),
            pruned={"pruned": True, "full": False}.get(details.size.lower()),
            id=str(self.id),
            kind=self.type,
            hashes=hashes,
        )


class Named(_Answer):
    """The part of a model that its versions repeat."""

    name: Text = ""
    type: Text = ""
    mode: Text = ""


class Version(_Answer):
    """One version of a model."""

    id: int
    model_id: int = 0
    name: Text = ""
    base_model: Text = ""
    availability: Text = ""
    usage_control: Text = ""
    status: Text = ""
    published_at: datetime | None = None
    early_access_ends_at: datetime | None = None
    air: Text = ""
    model: Named = Field(default_factory=Named)
    files: tuple[File, ...] = ()


class Model(_Answer):
    """A model with its published versions, newest first as the site shows them."""

    id: int
    name: Text = ""
    type: Text = ""
    mode: Text = ""
    allow_no_credit: bool | None = None
    allow_commercial_use: tuple[str, ...] | str | bool | None = None
    allow_derivatives: bool | None = None
    allow_different_license: bool | None = None
    model_versions: tuple[Version, ...] = ()

    def permissions(self) -> tuple[str, ...]:
        """Say what its creator permits, one sentence each."""
        sentences = []
        if self.allow_no_credit is not None:
            sentences.append("credit is not required" if self.allow_no_credit else "credit to the creator is required")
        uses = self.allow_commercial_use
        if uses is not None:
            listed = ", ".join(uses) if isinstance(uses, tuple) else str(uses)
            sentences.append(f"commercial use: {listed or 'none'}")
        if self.allow_derivatives is not None:
            sentences.append("merges may be shared" if self.allow_derivatives else "merges may not be shared")
        if self.allow_different_license is False:
            sentences.append("merges must keep the same permissions")
        return tuple(sentences)


class Mini(_Answer):
    """What one may ask before a download."""

    require_auth: bool | None = None


A = TypeVar("A", bound=_Answer)


def read(kind: type[A], answer: object, *, where: str) -> A:
    """Turn JSON into `kind`. Raises ServerError when it has another shape."""
    try:
        return kind.model_validate(answer)
    except ValidationError as error:
        fields = ", ".join(".".join(str(part) for part in problem["loc"]) for problem in error.errors()[:3])
        what = f"Civitai's answer has another shape than expected ({fields or 'no object'})"
        raise ServerError(what, where=where, todo="try again later, or update kohya-wrap") from error


def _by_ending(name: str) -> str:
    ending = name.lower().rpartition(".")[2]
    return {"safetensors": "safetensors", "ckpt": "pickle", "pt": "pickle", "bin": "pickle"}.get(ending, ending)
