"""No token is seen anywhere: not in what is printed, recorded, raised, or listed by ps."""

import os
import subprocess
import sys
import traceback
from pathlib import Path

import pytest
from api_server import Answer
from civitai_routes import KEY, CivitaiFile
from model_files import SD15, safetensors_bytes
from world import World

from kohya_wrap.base_models import public_source
from kohya_wrap.base_models.access import Access, Secret
from kohya_wrap.base_models.redact import public_url, redact
from kohya_wrap.errors import KohyaWrapError
from kohya_wrap.paths import CachePaths

HF = "hf_" + "0123456789abcdefghij"
LINKS = (
    f"https://civitai.com/api/download/models/101?token={KEY}",
    f"https://user:{KEY}@127.0.0.1:1/m.safetensors?signature={KEY}&X-Amz-Signature={KEY}",
    f"civitai.com/models/11?modelVersionId=101&token={KEY}",
    f"ftp://user:{KEY}@example.org/m.safetensors?key={KEY}",
)


def everything_written(folder: Path) -> str:
    return "".join(path.read_bytes().decode("latin-1") for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("verb", ["resolve", "get"])
def test_no_token_is_printed_or_written(verb: str, link: str, world: World) -> None:
    """Whatever comes of a link with a token, output, errors and the whole cache are free of it."""
    world.put(CivitaiFile(1, "m.safetensors", safetensors_bytes(SD15)), login=True)
    env = {**os.environ, "KOHYA_WRAP_HOME": str(world.cache.home), "HF_TOKEN": HF}
    argv = (str(Path(sys.executable).with_name("kohya-wrap")), "model", verb, link)
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    seen = done.stdout + done.stderr + everything_written(world.cache.home)
    assert KEY not in seen
    assert HF not in seen
    assert "signed-for-a-while" not in seen


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 429, 451, 500, 200])
def test_no_token_is_in_any_exception(status: int, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that sends the token back in its error, and every class of failure: the whole traceback is clean."""
    echo = Answer(status, f'{{"error":"bad {KEY}","message":"no {KEY}"}}'.encode(), {"Content-Type": "text/html"})
    world.site.routes.append(lambda _: echo)
    world.hub.routes.append(lambda _: echo)
    monkeypatch.setenv("CIVITAI_API_TOKEN", KEY)
    monkeypatch.setenv("HF_TOKEN", KEY)
    monkeypatch.setattr("kohya_wrap.base_models.web.PAUSES", ())
    monkeypatch.setattr("kohya_wrap.base_models.download.tries.FIRST_PAUSE", 0.0)
    for link in (LINKS[0], LINKS[1], "u/r", "https://huggingface.co/u/r/blob/main/m.safetensors"):
        with pytest.raises(KohyaWrapError) as caught:
            world.get(link)
        assert KEY not in "".join(traceback.format_exception(caught.value))
        assert KEY not in str(caught.value.problems)


def test_a_located_model_shows_no_token(world: World) -> None:
    """What a plan or a record may print of it is clean."""
    for link in LINKS:
        located = world.find(link)
        assert KEY not in f"{located!r} {located.source} {located.problems}"


def test_what_is_recorded_of_a_link_is_clean(tmp_path: Path) -> None:
    """public_source gives what a run record may hold, and leaves local paths as they are."""
    assert all(KEY not in public_source(link) for link in LINKS)
    assert public_source(str(tmp_path)) == str(tmp_path)
    assert public_source("models/base.safetensors") == "models/base.safetensors"


def test_the_access_shows_no_token(tmp_path: Path) -> None:
    """Tokens from the environment do not show in a repr."""
    access = Access.from_environment(CachePaths(tmp_path), {"CIVITAI_API_TOKEN": KEY, "HF_TOKEN": HF})
    assert access.civitai_token == Secret(KEY)
    assert KEY not in repr(access)
    assert HF not in repr(access)


def test_the_token_file_of_huggingface_hub_is_read(tmp_path: Path) -> None:
    """`hf auth login` is enough; HF_TOKEN wins over it."""
    (tmp_path / "token").write_text("hf_from_file_012345\n")
    env = {"HF_HOME": str(tmp_path)}
    assert Access.from_environment(CachePaths(tmp_path), env).hugging_face_token == Secret("hf_from_file_012345")
    assert Access.from_environment(CachePaths(tmp_path), {**env, "HF_TOKEN": HF}).hugging_face_token == Secret(HF)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://h.org/a?token=x&fileId=5#f", "https://h.org/a?fileId=5"),
        ("https://me:x@h.org:8443/a%20b", "https://h.org:8443/a%20b"),
        ("http://h.org/a", "http://h.org/a"),
        ("https://me:x@[h.org/a?token=x", "[hidden]"),
    ],
)
def test_an_address_is_shown_without_what_may_be_a_token(text: str, shown: str) -> None:
    """Only parameters that are known to be harmless are shown."""
    assert public_url(text) == shown


def test_a_text_is_cleaned_of_addresses_tokens_and_headers() -> None:
    """Foreign text, a traceback's last line for example, is cleaned before it is shown."""
    text = f"GET https://h.org/a?token={KEY} failed, Authorization: Bearer {KEY}, {HF}, mine"
    cleaned = redact(text, ["mine"])
    assert KEY not in cleaned
    assert HF not in cleaned
    assert "mine" not in cleaned
    assert "https://h.org/a" in cleaned
