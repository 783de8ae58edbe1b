"""The places that models come from, one module each; the first that understands a link has it."""

from kohya_wrap.base_models.errors import LinkError
from kohya_wrap.base_models.hosts.civitai import Civitai
from kohya_wrap.base_models.hosts.direct import Direct
from kohya_wrap.base_models.hosts.host import Host, Link
from kohya_wrap.base_models.hosts.hugging_face import HuggingFace
from kohya_wrap.base_models.redact import redact

HOSTS: tuple[Host, ...] = (Civitai(), HuggingFace(), Direct())


def read_link(text: str) -> Link:
    """Understand a link without the network. Raises LinkError when no host does."""
    for host in HOSTS:
        if link := host.read(text):
            return link
    raise LinkError(
        f"this is no link, path, hash or name that is understood: {redact(text[:200])}",
        todo="give a link to a page of Civitai or Hugging Face, an https link, an AIR name, a hash, or a local file",
    )
