"""What people paste, and what it is taken for."""

import pytest

from kohya_wrap.base_models.errors import LinkError
from kohya_wrap.base_models.hosts import read_link
from kohya_wrap.base_models.hosts.civitai_link import CivitaiName, read_civitai
from kohya_wrap.base_models.hosts.hugging_face_link import HuggingFaceName, read_hugging_face

SHA = "167e5bcb375b6d9464105fdd035af34359c01b0484acb6bb44837999ab6e4192"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("https://civitai.com/models/11888", CivitaiName("11888")),
        ("civitai.com/models/11888", CivitaiName("11888")),
        ("www.civitai.com/models/11888/crosskemono-furry-model", CivitaiName("11888")),
        ("https://civitai.com/models/11888?modelVersionId=47368", CivitaiName("11888", "47368")),
        ("https://civitai.com/models/11888/slug?modelVersionId=47368#files", CivitaiName("11888", "47368")),
        ("https://civitai.red/models/11888?modelVersionId=47368", CivitaiName("11888", "47368", red=True)),
        ("https://civitai.green/models/11888", CivitaiName("11888")),
        ("https://civitai.blue/models/11888", CivitaiName("11888", red=True)),
        ("https://api.civitai.com/api/v1/models/11888", CivitaiName("11888")),
        ("https://civitai.com/model-versions/47368", CivitaiName("", "47368")),
        ("https://civitai.com/api/v1/model-versions/47368", CivitaiName("", "47368")),
        ("https://civitai.com/api/download/models/47368", CivitaiName("", "47368")),
        ("https://civitai.com/api/download/models/47368?fileId=99", CivitaiName("", "47368", "99")),
        (f"https://civitai.com/api/v1/model-versions/by-hash/{SHA.upper()}", CivitaiName(hash=SHA)),
        ("urn:air:sd1:checkpoint:civitai:11888@47368", CivitaiName("11888", "47368")),
        ("air:sd1:checkpoint:civitai:11888@47368+99.safetensor", CivitaiName("11888", "47368", "99")),
        ("sd1:checkpoint:civitai:11888", CivitaiName("11888")),
        ("civitai:11888@47368", CivitaiName("11888", "47368")),
        ("167E5BCB37", CivitaiName(hash="167e5bcb37")),
        ("4748a7f6", CivitaiName(hash="4748a7f6")),
        ("22d8cb95b807", CivitaiName(hash="22d8cb95b807")),
        (SHA, CivitaiName(hash=SHA)),
        (f"sha256:{SHA}", CivitaiName(hash=SHA)),
    ],
)
def test_links_of_civitai_are_understood(text: str, name: CivitaiName) -> None:
    """Every form that the site, its API and its users write names the same things."""
    assert read_civitai(text) == name


def test_the_wishes_of_a_download_link_are_kept() -> None:
    """type, format, size and fp of a download link choose the file."""
    name = read_civitai("https://civitai.com/api/download/models/47368?type=Model&format=SafeTensor&size=full&fp=fp16")
    assert name is not None
    assert dict(name.wishes) == {"type": "Model", "format": "SafeTensor", "size": "full", "fp": "fp16"}


def test_a_token_in_a_link_is_taken_out_of_sight() -> None:
    """A pasted token is kept for the header, and shows up in no text of the link."""
    link = read_link("https://civitai.com/api/download/models/47368?token=sekrit-0123456789&fp=fp16")
    assert "sekrit" not in f"{link!r} {link.shown} {link.name}"
    name = read_civitai("https://civitai.com/api/download/models/47368?token=sekrit-0123456789")
    assert name is not None
    assert name.token.reveal() == "sekrit-0123456789"


@pytest.mark.parametrize("text", ["https://civitai.com/images/1234", "https://civitai.com/user/someone", "civitai.com"])
def test_a_page_that_is_no_models_is_refused(text: str) -> None:
    """Other pages of the site are refused with what to paste instead."""
    with pytest.raises(LinkError, match="models/NUMBER"):
        read_link(text)


def test_a_number_that_is_too_large_is_refused() -> None:
    """The site's ids end at 2^31 - 1."""
    with pytest.raises(LinkError, match="2147483648"):
        read_link("https://civitai.com/models/2147483648")


@pytest.mark.parametrize(
    ("text", "revision", "path"),
    [
        ("https://huggingface.co/a/b/blob/main/x/y.safetensors", "main", "x/y.safetensors"),
        ("https://huggingface.co/a/b/resolve/main/y.safetensors?download=true", "main", "y.safetensors"),
        ("huggingface.co/a/b/raw/main/y.safetensors", "main", "y.safetensors"),
        ("https://www.huggingface.co/a/b/blob/refs%2Fpr%2F1/y.ckpt", "refs/pr/1", "y.ckpt"),
        ("https://huggingface.co/a/b/blob/refs/pr/1/y.ckpt", "refs/pr/1", "y.ckpt"),
        ("https://hf-mirror.com/a/b/blob/main/y.safetensors", "main", "y.safetensors"),
        ("hf://a/b@v2/sub/y.safetensors", "v2", "sub/y.safetensors"),
        ("hf://models/a/b@refs/pr/1/y.safetensors", "refs/pr/1", "y.safetensors"),
    ],
)
def test_links_to_a_file_on_hugging_face_are_understood(text: str, revision: str, path: str) -> None:
    """Blob, resolve, raw and hf:// links name one file at one revision."""
    assert read_hugging_face(text) == HuggingFaceName("a/b", revision, path, is_file=True)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("https://huggingface.co/a/b/tree/main", HuggingFaceName("a/b")),
        ("https://huggingface.co/a/b/tree/v2/sub/folder", HuggingFaceName("a/b", "v2", "sub/folder")),
        ("https://hf.co/a/b", HuggingFaceName("a/b")),
        ("a/b", HuggingFaceName("a/b")),
        ("runwayml/stable-diffusion-v1-5", HuggingFaceName("runwayml/stable-diffusion-v1-5")),
        ("hf://a/b", HuggingFaceName("a/b")),
        ("hf://datasets/a/b", HuggingFaceName("a/b", repo_type="dataset")),
        ("https://huggingface.co/gpt2/resolve/main/y.bin", HuggingFaceName("gpt2", path="y.bin", is_file=True)),
    ],
)
def test_links_to_a_repository_are_understood(text: str, name: HuggingFaceName) -> None:
    """Tree links, repository ids and hf:// name a repository or a folder of it."""
    assert read_hugging_face(text) == name


@pytest.mark.parametrize("text", ["https://huggingface.co/a", "https://huggingface.co/a/b/discussions/1", "hf://a"])
def test_other_pages_of_hugging_face_are_refused(text: str) -> None:
    """A page without a file or repository is refused with what to paste instead."""
    with pytest.raises(LinkError, match="USER/NAME"):
        read_link(text)


def test_a_shown_link_is_understood_again() -> None:
    """What is recorded of a link leads to the same thing."""
    for text in (
        "https://civitai.red/models/11888?modelVersionId=47368&fileId=5",
        "https://civitai.com/api/download/models/47368?fileId=99&fp=fp16",
        "https://huggingface.co/a/b/blob/refs%2Fpr%2F1/x.safetensors",
        "https://huggingface.co/datasets/a/b",
    ):
        link = read_link(text)
        assert read_link(link.shown) == link


def test_any_https_link_is_a_direct_one() -> None:
    """An address of no known host is fetched as it is, and shown without what may be a signature."""
    link = read_link("https://user:pass@files.example.org/models/my%20model.safetensors?sig=abc&type=Model#x")
    assert (link.host, link.name) == ("direct", "my model.safetensors")
    assert link.shown == "https://files.example.org/models/my%20model.safetensors?type=Model"
    assert "abc" not in repr(link)


@pytest.mark.parametrize(
    "text", ["http://example.org/m.safetensors", "ftp://example.org/m", "magnet:?xt=1", "what", ""]
)
def test_what_is_not_understood_is_said(text: str) -> None:
    """Anything else is a LinkError, never a guess."""
    with pytest.raises(LinkError):
        read_link(text)
