"""Certificates, disks and two processes at once: what can go wrong around a fetch."""

import errno
import os
import shutil
import ssl
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from api_server import ApiServer
from civitai_routes import CivitaiFile
from model_files import SD15, safetensors_bytes
from world import LINK, World

from kohya_wrap.base_models.access import Access
from kohya_wrap.base_models.errors import StoreDiskFullError, TlsError
from kohya_wrap.base_models.fetch import fetch
from kohya_wrap.base_models.hosts import read_link
from kohya_wrap.base_models.hosts.civitai import CivitaiLink
from kohya_wrap.base_models.hosts.host import Choice, HubSource, OnProgress, Resolved, Source
from kohya_wrap.paths import CachePaths


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a certificate for 127.0.0.1 that nobody vouches for, with its key in the same file."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not on this machine")
    path = tmp_path_factory.mktemp("tls") / "self-signed.pem"
    words = f"req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=127.0.0.1 -keyout {path} -out {path}.crt"
    subprocess.run((openssl, *words.split()), capture_output=True, check=True)
    path.write_text(path.read_text() + Path(f"{path}.crt").read_text())
    return path


@pytest.mark.parametrize("link", ["civitai:11@101", "https://huggingface.co/u/r/blob/main/m.safetensors", "u/r"])
def test_a_certificate_that_nobody_vouches_for_is_said(link: str, certificate: Path, tmp_path: Path) -> None:
    """Both ways to a host refuse it, with one class of error and a way out."""
    server = ApiServer()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.wrap(context)
    with server.running():
        url = server.url.replace("http://", "https://")
        access = Access(CachePaths(tmp_path), civitai=url, civitai_red=url, hugging_face=url, patience=0)
        with pytest.raises(TlsError, match="certificate is not accepted"):
            read_link(link).resolve(access, Choice())


@dataclass(frozen=True)
class FullDisk(CivitaiLink):
    """A link whose bytes do not fit."""

    code: int = field(default=errno.ENOSPC)

    def source(self, resolved: Resolved, access: Access) -> Source:
        """Fail as a full disk does."""

        def fetch_nothing(folder: Path, on_progress: OnProgress | None) -> Path:
            raise OSError(self.code, os.strerror(self.code), str(folder))

        return HubSource(fetch_nothing, is_folder=False)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_said(code: int, world: World) -> None:
    """The store's folder is named, and how to move it."""
    world.put(CivitaiFile(1, "m.safetensors", safetensors_bytes(SD15)))
    link = read_link(LINK)
    assert isinstance(link, CivitaiLink)
    access = Access.from_environment(world.cache)
    with pytest.raises(StoreDiskFullError, match="KOHYA_WRAP_HOME"):
        fetch(FullDisk(link.named, code), link.resolve(access, Choice()), access)


def test_two_processes_fetch_a_file_once(world: World) -> None:
    """Started together, one fetches, the other waits and takes what is there."""
    content = safetensors_bytes(SD15, fill=b"\3")
    world.put(CivitaiFile(1, "m.safetensors", content))
    env = {**os.environ, "KOHYA_WRAP_HOME": str(world.cache.home)}
    argv = (str(Path(sys.executable).with_name("kohya-wrap")), "model", "get", LINK)
    both = [subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) for _ in range(2)]
    said = [process.communicate()[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert said[0] == said[1]
    sent = sum(len(answer.body) for answer in world.storage.answered)
    assert sent <= 1.1 * len(content)
