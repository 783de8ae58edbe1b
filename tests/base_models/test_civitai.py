"""What Civitai says about a link, and what is made of it; against a local server that answers as Civitai does."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from api_server import Answer, ApiServer, Asked, as_json
from civitai_routes import KEY, Civitai, CivitaiFile, CivitaiModel, CivitaiVersion
from model_files import SD15, VAE, safetensors_bytes

from kohya_wrap.base_models.access import Access, Secret
from kohya_wrap.base_models.errors import (
    AccessDeniedError,
    ArchivedError,
    DownloadsDisabledError,
    EarlyAccessError,
    LoginNeededError,
    NoNetworkError,
    NotAModelError,
    NotFoundError,
    PickleRefusedError,
    RegionBlockedError,
    ServerError,
    TokenRefusedError,
    TooManyRequestsError,
)
from kohya_wrap.base_models.hosts import read_link
from kohya_wrap.base_models.hosts.host import Choice, Resolved, WebSource
from kohya_wrap.errors import BaseModelError
from kohya_wrap.paths import CachePaths

FULL = CivitaiFile(1, "full.safetensors", safetensors_bytes(SD15, fill=b"\1"), size="full", fp="fp32")
PRUNED = CivitaiFile(2, "pruned.safetensors", safetensors_bytes(SD15, fill=b"\2"))
PICKLE = CivitaiFile(3, "pruned.ckpt", b"PK\x03\x04pickle", format="PickleTensor")
AUTOENCODER = CivitaiFile(4, "some.vae.safetensors", safetensors_bytes(VAE), type="VAE")
DATA = CivitaiFile(5, "dataset.zip", b"PK", type="Training Data", format="Other")

OLD = CivitaiVersion(100, "1.0", (PICKLE,), published="2023-01-01T00:00:00.000Z")
NEW = CivitaiVersion(101, "2.0", (FULL, PICKLE, PRUNED, AUTOENCODER, DATA), published="2023-02-02T00:00:00.000Z")
CROSS = CivitaiModel(11, "Crosskemono", (OLD, NEW))


@pytest.fixture
def server() -> Iterator[ApiServer]:
    """An empty server; a test gives it its routes."""
    with ApiServer().running() as running:
        yield running


def open_civitai(server: ApiServer, *models: CivitaiModel) -> Civitai:
    civitai = Civitai(list(models), site=server.url, storage=server.url)
    server.routes += [civitai, civitai.storage_route]
    return civitai


def access(server: ApiServer, tmp_path: Path, *, token: str = "", red: str = "") -> Access:
    return Access(
        CachePaths(tmp_path),
        civitai=server.url,
        civitai_red=red or server.url,
        civitai_token=Secret(token),
        patience=0,
    )


def resolve(server: ApiServer, tmp_path: Path, link: str, choice: Choice | None = None, *, token: str = "") -> Resolved:
    return read_link(link).resolve(access(server, tmp_path, token=token), choice or Choice())


def address(server: ApiServer, tmp_path: Path, *, token: str = "", link: str = "civitai:11@101") -> str:
    """Ask for the address of the bytes, as a download does."""
    asker = access(server, tmp_path, token=token)
    found = read_link(link)
    source = found.source(found.resolve(asker, Choice()), asker)
    assert isinstance(source, WebSource)
    return source.address()


def test_a_version_is_resolved_with_one_request(server: ApiServer, tmp_path: Path) -> None:
    """A link with a version costs one request, and says name, version, base, file and hash."""
    open_civitai(server, CROSS)
    found = resolve(server, tmp_path, "https://civitai.com/models/11?modelVersionId=101")
    assert (found.name, found.version, found.base, found.chosen.name) == (
        "Crosskemono",
        "2.0",
        "SD 1.5",
        "pruned.safetensors",
    )
    assert len(found.chosen.sha256) == 64
    assert server.paths() == ["/api/v1/model-versions/101"]


@pytest.mark.parametrize("order", [(FULL, PICKLE, PRUNED), (PRUNED, PICKLE, FULL), (PICKLE, FULL, PRUNED)])
def test_pruned_safetensors_are_chosen_first(order: tuple[CivitaiFile, ...], server: ApiServer, tmp_path: Path) -> None:
    """Safetensors before pickle, pruned fp16 before full, whatever order the site lists them in."""
    open_civitai(server, CivitaiModel(11, "m", (CivitaiVersion(101, "v", order),)))
    assert resolve(server, tmp_path, "civitai:11@101").chosen.id == "2"


def test_full_safetensors_are_chosen_before_a_pruned_pickle(server: ApiServer, tmp_path: Path) -> None:
    """A pickle is the last choice."""
    open_civitai(server, CivitaiModel(11, "m", (CivitaiVersion(101, "v", (PICKLE, FULL)),)))
    assert resolve(server, tmp_path, "civitai:11@101").chosen.id == "1"


def test_the_choice_is_shown_and_can_be_made(server: ApiServer, tmp_path: Path) -> None:
    """The other files are named, and any of them can be had by its id, in the link or as a choice."""
    open_civitai(server, CROSS)
    shown = resolve(server, tmp_path, "civitai:11@101")
    assert any("of 5 files" in note and "full.safetensors" in note for note in shown.notes)
    by_choice = resolve(server, tmp_path, "civitai:11@101", Choice(file="1"))
    by_link = resolve(server, tmp_path, "https://civitai.com/models/11?modelVersionId=101&fileId=1")
    assert (by_choice.chosen.id, by_link.chosen.id) == ("1", "1")


def test_the_wishes_of_a_download_link_choose_the_file(server: ApiServer, tmp_path: Path) -> None:
    """A copied download link with size=full gets the full file."""
    open_civitai(server, CROSS)
    link = "https://civitai.com/api/download/models/101?type=Model&format=SafeTensor&size=full&fp=fp32"
    assert resolve(server, tmp_path, link).chosen.id == "1"


def test_a_file_that_is_not_there_is_refused_with_the_list(server: ApiServer, tmp_path: Path) -> None:
    """A wrong file id names those that exist."""
    open_civitai(server, CROSS)
    with pytest.raises(NotFoundError, match=r"2 pruned\.safetensors"):
        resolve(server, tmp_path, "civitai:11@101", Choice(file="77"))


def test_a_vae_is_found_among_the_files(server: ApiServer, tmp_path: Path) -> None:
    """For setup.vae the VAE file of a version is taken."""
    open_civitai(server, CROSS)
    assert resolve(server, tmp_path, "civitai:11@101", Choice(role="VAE")).chosen.id == "4"


def test_a_version_without_a_model_file_is_refused(server: ApiServer, tmp_path: Path) -> None:
    """Training data alone is nothing to train on."""
    open_civitai(server, CivitaiModel(11, "m", (CivitaiVersion(101, "v", (DATA,)),)))
    with pytest.raises(NotAModelError, match=r"dataset\.zip"):
        resolve(server, tmp_path, "civitai:11@101")


def test_a_page_without_a_version_takes_the_newest_and_says_so(server: ApiServer, tmp_path: Path) -> None:
    """The newest published version is taken by its date, and a sentence says which it is."""
    open_civitai(server, CROSS)
    found = resolve(server, tmp_path, "https://civitai.com/models/11/slug")
    assert found.version == "2.0"
    assert any("names no version" in note and "2023-02-02" in note for note in found.notes)


@pytest.mark.parametrize("kind", ["SHA256", "AutoV2"])
def test_a_bare_hash_is_resolved(kind: str, server: ApiServer, tmp_path: Path) -> None:
    """A hash of a kind that Civitai knows leads to its version."""
    open_civitai(server, CROSS)
    digest = PRUNED.as_json("", 0)["hashes"][kind]
    assert resolve(server, tmp_path, digest.lower()).version == "2.0"


def test_a_hash_chooses_its_own_file(server: ApiServer, tmp_path: Path) -> None:
    """The file that has the hash is taken, not the one that the rule would choose."""
    open_civitai(server, CROSS)
    digest = FULL.as_json("", 0)["hashes"]["AutoV2"]
    assert resolve(server, tmp_path, digest).chosen.id == "1"


def test_the_pinned_link_leads_to_the_same_file(server: ApiServer, tmp_path: Path) -> None:
    """What a pin writes resolves to the same version and file again."""
    open_civitai(server, CROSS)
    found = resolve(server, tmp_path, "https://civitai.com/models/11")
    again = resolve(server, tmp_path, found.pinned_link)
    assert (again.version, again.chosen) == (found.version, found.chosen)
    assert "modelVersionId=101&fileId=2" in found.pinned_link


def test_the_other_host_is_asked_when_the_first_does_not_know(server: ApiServer, tmp_path: Path) -> None:
    """A model that civitai.com hides is found on civitai.red."""
    with ApiServer().running() as red:
        open_civitai(red, CROSS)
        asker = access(server, tmp_path, red=red.url)
        assert read_link("civitai:11@101").resolve(asker, Choice()).name == "Crosskemono"
        assert len(server.asked) == 1


def test_the_host_of_the_link_is_asked_first(server: ApiServer, tmp_path: Path) -> None:
    """A link of civitai.red is not sent to civitai.com first."""
    with ApiServer().running() as red:
        open_civitai(red, CROSS)
        found = read_link("https://civitai.red/models/11?modelVersionId=101")
        found.resolve(access(server, tmp_path, red=red.url), Choice())
        assert server.asked == []


def test_what_neither_host_knows_is_said(server: ApiServer, tmp_path: Path) -> None:
    """Both hosts are named."""
    with pytest.raises(NotFoundError, match=r"neither civitai\.com nor civitai\.red"):
        resolve(server, tmp_path, "civitai:5@6")


def test_details_tell_permissions_and_login(server: ApiServer, tmp_path: Path) -> None:
    """`model resolve` says what the creator permits and whether a login is needed."""
    extra = {"allowNoCredit": False, "allowCommercialUse": ["Image"], "allowDerivatives": False}
    open_civitai(server, dataclasses.replace(CROSS, versions=(dataclasses.replace(NEW, login=True),), extra=extra))
    found = resolve(server, tmp_path, "civitai:11@101", Choice(details=True))
    assert found.login_needed is True
    assert "credit to the creator is required" in found.licence
    assert "commercial use: Image" in found.licence


@pytest.mark.parametrize("mode", ["Archived", "TakenDown"])
def test_an_archived_model_is_said(mode: str, server: ApiServer, tmp_path: Path) -> None:
    """A model whose files are gone is no "not found"."""
    open_civitai(server, CivitaiModel(11, "m", (CivitaiVersion(101, "v", ()),), mode=mode))
    assert isinstance(resolve(server, tmp_path, "civitai:11@101").blocked, ArchivedError)


def test_disabled_downloads_are_said_before_the_download(server: ApiServer, tmp_path: Path) -> None:
    """usageControl tells it without a try."""
    open_civitai(server, CivitaiModel(11, "m", (CivitaiVersion(101, "v", (PRUNED,), usage="Generation"),)))
    assert isinstance(resolve(server, tmp_path, "civitai:11@101").blocked, DownloadsDisabledError)


def test_a_file_that_the_scan_calls_dangerous_is_refused(server: ApiServer, tmp_path: Path) -> None:
    """The site's own scan is believed."""
    danger = dataclasses.replace(PICKLE, scan="Danger")
    open_civitai(server, CivitaiModel(11, "m", (CivitaiVersion(101, "v", (danger,)),)))
    assert isinstance(resolve(server, tmp_path, "civitai:11@101").blocked, PickleRefusedError)


def test_the_address_of_the_bytes_is_the_signed_one(server: ApiServer, tmp_path: Path) -> None:
    """The redirect is followed once, by us; the token goes to Civitai and is not in the address."""
    open_civitai(server, CROSS)
    signed = address(server, tmp_path, token=KEY)
    assert signed.startswith(f"{server.url}/file/2?")
    assert server.asked[-1].token == KEY
    assert server.asked[-1].query == {"fileId": "2"}
    assert KEY not in signed


def test_a_token_in_the_link_is_sent_in_the_header(server: ApiServer, tmp_path: Path) -> None:
    """A pasted ?token= is used for its link, and never in a query."""
    open_civitai(server, dataclasses.replace(CROSS, versions=(dataclasses.replace(NEW, login=True),)))
    address(server, tmp_path, link=f"https://civitai.com/api/download/models/101?token={KEY}")
    assert server.asked[-1].token == KEY
    assert all("token" not in asked.query for asked in server.asked)


def test_no_browser_is_imitated(server: ApiServer, tmp_path: Path) -> None:
    """Civitai gives browsers a login page with status 200, so the program goes by its own name."""
    open_civitai(server, CROSS)
    address(server, tmp_path)
    assert all(asked.headers["user-agent"].startswith("kohya-wrap/") for asked in server.asked)


EARLY = as_json({"error": "Early Access", "deadline": "2026-12-24T00:00:00.000Z", "message": "use Buzz"}, 403)
DISABLED = as_json(
    {"error": "Unauthorized", "message": "The creator of this asset has disabled downloads on this file"}, 401
)


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (EARLY, EarlyAccessError, "2026-12-24"),
        (DISABLED, DownloadsDisabledError, "disabled downloads"),
        (as_json({"error": "You do not have access to download this file"}, 403), AccessDeniedError, "do not have"),
        (as_json({"error": "Forbidden"}, 403), AccessDeniedError, "Forbidden"),
        (as_json({"error": "File not found"}, 404), NotFoundError, "does not find"),
        (as_json({"error": "Model archived, not available for download"}, 410), ArchivedError, "archived"),
        (as_json({"error": "unusual amount of downloading"}, 429), TooManyRequestsError, "unusual amount"),
        (as_json({"error": "x", "code": "REGION_BLOCKED"}, 451), RegionBlockedError, "country"),
        (as_json({"error": "bad query"}, 400), ServerError, "bad query"),
        (Answer(503, b"busy"), ServerError, "503"),
        (Answer(200, b"<html>Sign in</html>", {"Content-Type": "text/html"}), LoginNeededError, "CIVITAI_API_TOKEN"),
        (Answer(307, b"", {"Location": "/login?reason=download-auth"}), LoginNeededError, "CIVITAI_API_TOKEN"),
        (Answer(307, b"", {"Location": "/model-versions/101"}), EarlyAccessError, "early access"),
    ],
)
def test_each_refusal_of_a_download_is_its_own_error(
    answer: Answer, error: type[BaseModelError], words: str, server: ApiServer, tmp_path: Path
) -> None:
    """Every row of Civitai's table of answers has its class and its sentence."""
    open_civitai(server, dataclasses.replace(CROSS, versions=(dataclasses.replace(NEW, refuse=answer),)))
    with pytest.raises(error, match=words):
        address(server, tmp_path)


def test_a_missing_login_says_where_to_make_a_token(server: ApiServer, tmp_path: Path) -> None:
    """The message names the page and the variable."""
    open_civitai(server, dataclasses.replace(CROSS, versions=(dataclasses.replace(NEW, login=True),)))
    with pytest.raises(LoginNeededError, match=r"civitai\.com/user/account and set CIVITAI_API_TOKEN"):
        address(server, tmp_path)


def test_a_bad_token_is_told_from_a_missing_one(server: ApiServer, tmp_path: Path) -> None:
    """Civitai answers the same to both; asking who we are tells them apart."""
    open_civitai(server, dataclasses.replace(CROSS, versions=(dataclasses.replace(NEW, login=True),)))
    with pytest.raises(TokenRefusedError) as caught:
        address(server, tmp_path, token="wrong-token-0123456789")
    assert "wrong-token" not in str(caught.value)


def test_a_host_that_is_busy_once_is_asked_again(server: ApiServer, tmp_path: Path) -> None:
    """One 503 is not the end."""

    def busy_once(asked: Asked) -> Answer | None:
        return Answer(503) if len(server.asked) == 1 else None

    server.routes.append(busy_once)
    open_civitai(server, CROSS)
    assert resolve(server, tmp_path, "civitai:11@101").name == "Crosskemono"


def test_a_long_retry_after_is_not_waited_for(server: ApiServer, tmp_path: Path) -> None:
    """An hour's pause is said, not slept."""
    server.routes.append(lambda _: as_json({"error": "slow down"}, 429, {"Retry-After": "3600"}))
    with pytest.raises(TooManyRequestsError, match="3600 seconds"):
        resolve(server, tmp_path, "civitai:11@101")
    assert len(server.asked) == 1


@pytest.mark.parametrize("body", [b"<html>", b'{"id":"x"}', b"[]", b"null", b'{"id":1,"files":[{"name":"a"}]}'])
def test_an_answer_of_another_shape_is_a_server_error(body: bytes, server: ApiServer, tmp_path: Path) -> None:
    """Nonsense from the host never becomes a foreign exception."""
    server.routes.append(lambda _: Answer(200, body, {"Content-Type": "application/json"}))
    with pytest.raises(ServerError):
        resolve(server, tmp_path, "civitai:11@101")


def test_a_host_that_cannot_be_reached_is_said(tmp_path: Path) -> None:
    """No network is one sentence with a way out, and no traceback of urllib3."""
    with ApiServer().running() as gone:
        url = gone.url
    asker = Access(CachePaths(tmp_path), civitai=url, civitai_red=url, patience=0)
    with pytest.raises(NoNetworkError, match="cannot be reached") as caught:
        read_link("civitai:11@101").resolve(asker, Choice())
    assert caught.value.__cause__ is None


def test_a_netrc_does_not_take_the_tokens_place(
    server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """requests would send a password from .netrc instead of the token."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret-of-netrc\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    open_civitai(server, CROSS)
    resolve(server, tmp_path, "civitai:11@101", token=KEY)
    resolve(server, tmp_path, "civitai:11@101")
    assert [asked.headers.get("authorization", "") for asked in server.asked] == [f"Bearer {KEY}", ""]
