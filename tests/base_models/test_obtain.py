"""A link in, a verified file out: the whole way, against local hosts."""

import hashlib
import json
import sys
from pathlib import Path

import pytest
from api_server import Answer
from civitai_routes import KEY, CivitaiFile
from hugging_face_routes import HuggingFace
from model_files import LORA, SD15, SDXL, VAE, safetensors_bytes, write_model
from world import LINK, World

from kohya_wrap.base_models import Located, Store, locate_vae, obtain
from kohya_wrap.base_models.errors import (
    HashMismatchError,
    NotAModelError,
    OfflineError,
    PickleRefusedError,
    UnsupportedFamilyError,
)
from kohya_wrap.base_models.manage import verify_kept
from kohya_wrap.config import SetupConfig

MODEL = safetensors_bytes(SD15, fill=b"\7")
SHA = hashlib.sha256(MODEL).hexdigest()


def test_a_civitai_link_becomes_a_verified_file(world: World) -> None:
    """The file has its host's name, its hash, its family, and lies in the store."""
    world.put(CivitaiFile(1, "cross.safetensors", MODEL))
    file = world.get(LINK)
    assert (file.path.name, file.sha256, file.family, file.size) == ("cross.safetensors", SHA, "sd15", len(MODEL))
    assert file.path.read_bytes() == MODEL
    assert file.path.is_relative_to(world.cache.models)


def test_a_pinned_file_in_the_store_costs_no_request(world: World) -> None:
    """The second time nothing is asked, and it is known before anything starts."""
    world.put(CivitaiFile(1, "cross.safetensors", MODEL))
    world.get(LINK, base_model_sha256=SHA)
    before = world.requests
    assert world.find(LINK, base_model_sha256=SHA).file is not None
    assert world.get(LINK, base_model_sha256=SHA).sha256 == SHA
    assert world.requests == before


def test_a_pinned_file_is_found_under_any_link(world: World) -> None:
    """The hash is what counts: another link to the same file costs nothing either."""
    world.put(CivitaiFile(1, "cross.safetensors", MODEL))
    world.get(LINK)
    assert world.find("https://mirror.example.org/x.safetensors", base_model_sha256=SHA).file is not None
    assert world.find(SHA).file is not None


def test_offline_uses_what_was_fetched(world: World) -> None:
    """--offline works with a link that was fetched before, pinned or not."""
    world.put(CivitaiFile(1, "cross.safetensors", MODEL))
    world.get(LINK)
    before = world.requests
    assert world.get(LINK, offline=True).sha256 == SHA
    assert world.requests == before


def test_offline_refuses_what_is_not_here(world: World) -> None:
    """--offline asks nobody, and says how to get the file."""
    with pytest.raises(OfflineError, match="kohya-wrap model get"):
        world.get(LINK, offline=True)
    assert world.requests == 0


def test_a_pinned_hash_that_the_host_does_not_have_is_refused_before_the_download(world: World) -> None:
    """Both hashes are named, and no byte of the file is fetched."""
    world.put(CivitaiFile(1, "cross.safetensors", MODEL))
    with pytest.raises(HashMismatchError, match=f"{SHA}.*{'0' * 64}"):
        world.get(LINK, base_model_sha256="0" * 64)
    assert world.storage.asked == []


def test_a_file_of_another_hash_never_gets_its_name(world: World) -> None:
    """What the storage sends is not what Civitai announced: nothing is kept."""
    world.put(CivitaiFile(1, "cross.safetensors", MODEL, sha256="1" * 64))
    with pytest.raises(HashMismatchError):
        world.get(LINK)
    assert Store(world.cache).entries() == ()


@pytest.mark.parametrize("kind", ["LORA", "TextualInversion", "Upscaler"])
def test_what_the_host_calls_no_checkpoint_is_not_fetched(kind: str, world: World) -> None:
    """A LoRA's link is refused in one sentence, without its bytes."""
    world.put(CivitaiFile(1, "x.safetensors", safetensors_bytes(LORA)), kind=kind)
    with pytest.raises(NotAModelError, match=f"{kind} by its host's word"):
        world.get(LINK)
    assert world.storage.asked == []


def test_a_family_that_the_preset_does_not_train_is_not_fetched(world: World) -> None:
    """Seven gigabytes of SDXL are not fetched to be refused."""
    world.put(CivitaiFile(1, "x.safetensors", safetensors_bytes(SDXL)), base="Illustrious")
    with pytest.raises(UnsupportedFamilyError, match="Illustrious; this preset trains Stable Diffusion"):
        world.get(LINK)
    assert world.storage.asked == []


def test_a_wrong_word_of_the_host_is_noticed_by_the_header(world: World) -> None:
    """The file itself is believed more than its page."""
    world.put(CivitaiFile(1, "x.safetensors", safetensors_bytes(SDXL)))
    with pytest.raises(UnsupportedFamilyError, match="Stable Diffusion XL"):
        world.get(LINK)


def test_a_token_from_the_environment_opens_a_login(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """CIVITAI_API_TOKEN is sent to Civitai and not to its storage."""
    world.put(CivitaiFile(1, "cross.safetensors", MODEL), login=True)
    monkeypatch.setenv("CIVITAI_API_TOKEN", KEY)
    world.get(LINK)
    assert all("authorization" not in asked.headers for asked in world.storage.asked)


def test_a_picture_leads_to_the_model_it_was_made_with(world: World) -> None:
    """The Model hash in a PNG's parameters is enough."""
    from PIL import Image, PngImagePlugin

    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", f"a tiger\nSteps: 24, Size: 512x720, Model hash: {SHA[:10]}, Model: cross")
    Image.new("RGB", (8, 8)).save(world.folder / "picture.png", pnginfo=info)
    world.put(CivitaiFile(1, "cross.safetensors", MODEL))
    assert world.get("picture.png").sha256 == SHA


def test_a_web_uis_model_hash_is_found_in_the_store(world: World) -> None:
    """Ten digits are the beginning of the SHA256, so a file that is here costs no request."""
    world.put(CivitaiFile(1, "cross.safetensors", MODEL))
    world.get(LINK)
    before = world.requests
    assert world.get(SHA[:10], offline=True).sha256 == SHA
    assert world.requests == before


def test_a_file_address_is_a_path(world: World) -> None:
    """file:// names a file on this machine."""
    path = write_model(world.folder / "my model.safetensors", SD15)
    assert world.get(path.as_uri()).path == path


def test_a_hash_pinned_for_a_folder_is_refused_before_it_is_fetched(world: World) -> None:
    """A diffusers folder has no hash, so the preset contradicts itself."""
    files = {"model_index.json": b"{}", "unet/config.json": b"{}", "unet/model.safetensors": b"x"}
    world.hub.routes.append(HuggingFace("u/r", files, storage=world.storage.url))
    with pytest.raises(HashMismatchError, match="has no hash"):
        world.get("u/r", base_model_sha256=SHA)


def test_a_picture_without_a_model_hash_is_refused(world: World) -> None:
    """The message says what a picture must have."""
    from PIL import Image

    Image.new("RGB", (8, 8)).save(world.folder / "picture.png")
    failure = world.find("picture.png").failure
    assert isinstance(failure, NotAModelError)
    assert "does not say which model" in str(failure)


def test_a_hugging_face_file_becomes_a_verified_file(world: World) -> None:
    """The way through huggingface_hub ends in the same store."""
    repo = HuggingFace("u/r", {"base.safetensors": MODEL}, storage=world.storage.url)
    world.hub.routes.append(repo)
    world.storage.routes.append(repo.storage_route)
    file = world.get("https://huggingface.co/u/r/blob/main/base.safetensors")
    assert (file.path.name, file.sha256) == ("base.safetensors", SHA)
    assert world.get("https://huggingface.co/u/r/blob/main/base.safetensors", offline=True).sha256 == SHA


def test_a_diffusers_repository_becomes_a_folder(world: World) -> None:
    """It is fetched once, whole, and found again without the network."""
    weights = safetensors_bytes({"weight": (2, 2)})
    files = {f"{part}/diffusion_pytorch_model.safetensors": weights for part in ("unet", "vae")}
    files |= {"text_encoder/model.safetensors": weights, "model_index.json": b"{}"}
    files |= {f"{part}/config.json": b'{"cross_attention_dim": 768}' for part in ("unet", "vae", "text_encoder")}
    repo = HuggingFace("u/r", files, storage=world.storage.url)
    world.hub.routes.append(repo)
    world.storage.routes.append(repo.storage_route)
    file = world.get("u/r")
    assert (file.format, file.family) == ("diffusers", "sd15")
    before = world.requests
    assert world.get("u/r", offline=True).path == file.path
    assert world.requests == before
    assert verify_kept(world.cache, lambda _: None) == 1
    (file.path / "vae" / "config.json").write_text("{}")
    with pytest.raises(HashMismatchError, match="u--r@"):
        verify_kept(world.cache, lambda _: None)


def direct(world: World, body: bytes, *, kind: str = "application/octet-stream") -> str:
    """Serve `body` behind a direct link."""
    world.site.routes.append(lambda asked: Answer(200, body, {"Content-Type": kind}) if asked.path == "/f" else None)
    return f"{world.site.url}/f"


def test_a_direct_link_is_fetched_and_named_by_what_it_is(world: World) -> None:
    """A link without an ending gets the one that its content has."""
    assert world.get(direct(world, MODEL)).path.name == "f.safetensors"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"<!DOCTYPE html><html>log in</html>", "text/html"),
        (b"<!DOCTYPE html><html>log in</html>", "application/octet-stream"),
        (b'{"error":"Unauthorized"}', "application/json"),
        (MODEL[:-5], "application/octet-stream"),
    ],
)
def test_what_is_no_model_never_gets_a_name(body: bytes, kind: str, world: World) -> None:
    """A login page, an error or a stump is refused and leaves nothing in the store."""
    with pytest.raises(NotAModelError):
        world.get(direct(world, body, kind=kind))
    assert Store(world.cache).entries() == ()
    assert not list(world.cache.models.rglob("*.safetensors"))


def test_a_pickle_behind_a_link_is_not_fetched(world: World) -> None:
    """A version that has only a .ckpt is refused before the download."""
    world.put(CivitaiFile(1, "m.ckpt", b"PK\3\4", format="PickleTensor"))
    with pytest.raises(PickleRefusedError, match="allow_pickle"):
        world.get(LINK)
    assert world.storage.asked == []


def test_a_pickle_under_a_safe_name_is_refused(world: World) -> None:
    """A pickle that calls itself .safetensors is still a pickle."""
    with pytest.raises(PickleRefusedError):
        world.get(direct(world, b"PK\3\4" + bytes(100)) + "?type=x.safetensors")


@pytest.fixture
def converter(tmp_path: Path) -> Path:
    """A stand-in for the engine's Python: a program that "converts" by writing a model, and keeps what it was given."""
    model = write_model(tmp_path / "converted-by-program", SD15)
    script = tmp_path / "python"
    script.write_text(
        f"#!{sys.executable}\n"
        "import json, os, shutil, sys\n"
        f"open({str(tmp_path / 'given.json')!r}, 'w').write(json.dumps([sys.argv[1:], dict(os.environ)]))\n"
        f"shutil.copy({str(model)!r}, sys.argv[4])\n"
    )
    script.chmod(0o755)
    return script


def test_a_permitted_pickle_is_converted_once(world: World, converter: Path) -> None:
    """What the separate process wrote is kept, and the pickle is not looked at again."""
    (world.folder / "m.ckpt").write_bytes(b"PK\3\4")
    first = world.get("m.ckpt", allow_pickle=True, python=converter)
    assert first.path.name == "m.safetensors"
    assert first.path.is_relative_to(world.cache.models)
    assert world.get("m.ckpt", allow_pickle=True, python=None) == first


def test_the_converting_process_gets_no_tokens(world: World, converter: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither its environment nor its command line has them."""
    monkeypatch.setenv("CIVITAI_API_TOKEN", "sekrit-token")
    monkeypatch.setenv("HF_TOKEN", "hf_sekrit_token")
    (world.folder / "m.ckpt").write_bytes(b"PK\3\4")
    world.get("m.ckpt", allow_pickle=True, python=converter)
    given = (world.folder / "given.json").read_text()
    assert "sekrit" not in given
    assert json.loads(given)[0][0] == "-I"


def test_a_fetched_pickle_is_forgotten_once_it_is_converted(world: World, converter: Path) -> None:
    """Only the safetensors stays, and the link leads to it the next time."""
    world.put(CivitaiFile(1, "m.ckpt", b"PK\3\4", format="PickleTensor"))
    file = world.get(LINK, allow_pickle=True, python=converter)
    assert [entry.path for entry in Store(world.cache).entries()] == [file.path]
    assert world.get(LINK, allow_pickle=True, offline=True).path == file.path


def test_a_pickle_without_an_engine_says_what_to_set_up(world: World) -> None:
    """Without the engine's Python there is nothing to convert with."""
    (world.folder / "m.ckpt").write_bytes(b"PK\3\4")
    with pytest.raises(PickleRefusedError, match="kohya-wrap setup"):
        world.get("m.ckpt", allow_pickle=True)


def test_a_page_under_a_pickles_name_is_called_a_page(world: World, converter: Path) -> None:
    """An HTML page is not handed to the converter."""
    (world.folder / "m.ckpt").write_bytes(b"<html>")
    with pytest.raises(NotAModelError, match="an HTML page"):
        world.get("m.ckpt", allow_pickle=True, python=converter)


def find_vae(world: World, link: str) -> Located | None:
    setup = SetupConfig.model_validate({"project_name": "p", "vae": link})
    return locate_vae(setup, root=world.folder, cache=world.cache)


def test_a_vae_comes_the_same_way(world: World) -> None:
    """setup.vae takes the same links and ends in the same store."""
    world.put(CivitaiFile(1, "v.safetensors", safetensors_bytes(VAE), type="VAE"), kind="VAE")
    located = find_vae(world, LINK)
    assert located is not None
    file = obtain(located, cache=world.cache, say=print)
    assert file.path.name == "v.safetensors"


def test_a_base_model_is_taken_for_its_vae_and_a_lora_is_not(world: World) -> None:
    """sd-scripts can take the VAE out of a checkpoint; anything else is refused."""
    write_model(world.folder / "base.safetensors", SD15)
    write_model(world.folder / "lora.safetensors", LORA)
    good, bad = find_vae(world, "base.safetensors"), find_vae(world, "lora.safetensors")
    assert good is not None
    assert good.file is not None
    assert bad is not None
    assert isinstance(bad.failure, NotAModelError)


def test_no_vae_is_no_vae(world: World) -> None:
    """An empty setup.vae means the base model's own."""
    assert find_vae(world, "") is None


@pytest.mark.parametrize(
    ("kind", "digest"),
    [("AutoV1", "4748A7F6"), ("CRC32", "DAEE95B7"), ("AutoV3", "22D8CB95B807"), ("BLAKE3", "1A" * 32)],
)
def test_a_hash_of_any_kind_leads_to_its_file(kind: str, digest: str, world: World) -> None:
    """Civitai knows more than SHA256: the file that has this hash is taken, verified by its SHA256."""
    other = CivitaiFile(6, "other.safetensors", safetensors_bytes(SD15, fill=b"\x44"))
    world.put(other, CivitaiFile(7, "cross.safetensors", MODEL, more_hashes={kind: digest}))
    assert world.get(digest.lower()).sha256 == SHA
