"""What `model resolve` finds out about a file that its host says little of, from the header alone."""

import pytest
from download_place import Place
from fake_server import Served
from hugging_face_routes import HuggingFace
from model_files import LORA, SDXL, VAE, Shapes, safetensors_bytes
from world import World

from kohya_wrap.base_models.errors import NotFoundError
from kohya_wrap.base_models.hosts.host import Choice, Resolved
from kohya_wrap.base_models.manage import resolve_link
from kohya_wrap.paths import CachePaths


def resolved(place: Place, name: str = "m.safetensors") -> Resolved:
    link = f"{place.server.url}/{name}"
    return resolve_link(link, root=place.folder, cache=CachePaths(place.folder), choice=Choice("any"))


@pytest.mark.parametrize(
    ("shapes", "is_now", "family"),
    [(SDXL, "Stable Diffusion XL", "sdxl"), (LORA, "a LoRA", "unknown"), (VAE, "a VAE", "unknown")],
)
def test_a_direct_link_says_family_size_and_type(shapes: Shapes, is_now: str, family: str, place: Place) -> None:
    """The first bytes are enough: the tensors stay where they are."""
    content = safetensors_bytes(shapes, metadata={"long": "x" * 400_000})
    place.source.write_bytes(content)
    place.server.serve("/m.safetensors", Served(place.source, rate=5e6, step=4096))
    found = resolved(place)
    assert (found.base, found.family) == (is_now, family)
    assert (found.chosen.size, found.chosen.precision) == (len(content), "f16")
    assert max(end for _, end in place.server.spans()) < 410_000


def test_a_header_that_is_none_leaves_the_size(place: Place) -> None:
    """A pickle, or anything else: its size is said, and nothing is claimed about it."""
    place.source.write_bytes(b"PK\x03\x04" + bytes(5000))
    place.server.serve("/m.ckpt", Served(place.source))
    found = resolved(place, "m.ckpt")
    assert (found.base, found.family, found.chosen.size) == ("", "unknown", 5004)


def test_a_direct_link_that_leads_nowhere_is_said(place: Place) -> None:
    """`model resolve` fails as `model get` would."""
    with pytest.raises(NotFoundError):
        resolved(place)


def test_hugging_face_is_asked_for_the_header_too(world: World) -> None:
    """Its API knows no family; the first bytes do, and the token does not leave the host."""
    content = safetensors_bytes(SDXL)
    repo = HuggingFace("u/r", {"xl.safetensors": content}, storage=world.storage.url)
    world.hub.routes.append(repo)
    world.storage.routes.append(repo.storage_route)
    found = resolve_link("u/r", root=world.folder, cache=world.cache, choice=Choice("any"))
    assert (found.family, found.base) == ("sdxl", "Stable Diffusion XL")
    assert all(not asked.token for asked in world.storage.asked)


def test_what_hugging_face_said_is_shown_where_its_storage_fails(world: World) -> None:
    """Size and hash are known from the API: they are better than an error."""
    repo = HuggingFace("u/r", {"xl.safetensors": safetensors_bytes(SDXL)}, storage=world.storage.url)
    world.hub.routes.append(repo)
    found = resolve_link("u/r", root=world.folder, cache=world.cache, choice=Choice("any"))
    assert (found.family, found.chosen.name) == ("unknown", "xl.safetensors")
    assert found.chosen.sha256
