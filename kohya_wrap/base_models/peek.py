"""Say what a file on a host is before it is fetched, by its .safetensors header: a range of some hundred kilobytes."""

import dataclasses
from pathlib import Path

from kohya_wrap.base_models.access import Access
from kohya_wrap.base_models.download.answers import read_length, read_range
from kohya_wrap.base_models.download.chunks import chunks
from kohya_wrap.base_models.download.link import Link as Address
from kohya_wrap.base_models.download.request import DownloadRequest
from kohya_wrap.base_models.download.spans import Span
from kohya_wrap.base_models.download.tries import BrokenError
from kohya_wrap.base_models.errors import NotAModelError
from kohya_wrap.base_models.header import MAX_HEADER_BYTES, parse_header
from kohya_wrap.base_models.hosts.host import HubSource, Link, Resolved, WebSource
from kohya_wrap.base_models.identify import Identity, identify_header

_FIRST = 1 << 18


def with_first_bytes(link: Link, resolved: Resolved, access: Access) -> Resolved:
    """Add size, family and numeric type where the host does not say them. Raises a BaseModelError."""
    if resolved.blocked is not None or resolved.chosen.format == "diffusers":
        return resolved
    source = link.source(resolved, access)
    web = source.web if isinstance(source, HubSource) else source
    if web is None:
        return resolved
    size, identity = _peek(web, access.patience)
    chosen = dataclasses.replace(
        resolved.chosen,
        size=resolved.chosen.size or size,
        precision=resolved.chosen.precision or (identity.precision.lower() if identity else ""),
    )
    files = tuple(chosen if file is resolved.chosen else file for file in resolved.files)
    found = dataclasses.replace(resolved, chosen=chosen, files=files)
    if identity is None:
        return found
    return dataclasses.replace(found, base=resolved.base or str(identity), family=identity.family)


def _peek(source: WebSource, patience: float) -> tuple[int, Identity | None]:
    """Give the size in bytes, 0 when unknown, and what a .safetensors file is; None for anything else."""
    address = Address(DownloadRequest(source.address(), headers=source.headers), connections=1)
    try:
        size, first = _read(address, (0, _FIRST), patience)
        end = 8 + int.from_bytes(first[:8], "little")
        if len(first) < 8 or end > MAX_HEADER_BYTES:
            return size, None
        if end > len(first):
            first += _read(address, (len(first), end), patience)[1]
    except BrokenError as broken:
        raise broken.error from None
    finally:
        address.close()
    try:
        return size, identify_header(parse_header(first[8:end], Path("header")))
    except NotAModelError:
        return size, None


def _read(address: Address, span: Span, patience: float) -> tuple[int, bytes]:
    answer = address.open_patiently(span, patience)
    version = read_range(answer, span)
    got = bytearray()
    for chunk in chunks(answer):
        got += chunk
        if len(got) >= span[1] - span[0]:
            break
    return (version.size if version else read_length(answer)), bytes(got[: span[1] - span[0]])
