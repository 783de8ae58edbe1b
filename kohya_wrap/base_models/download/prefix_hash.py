"""The SHA256 of a file that is still growing, computed close behind the connections."""

import hashlib
import os

from kohya_wrap.base_models.download.part import Part
from kohya_wrap.base_models.download.request import FileChangedError

_CHUNK = 1 << 20


class PrefixHash:
    """Reads back from the page cache what has arrived without a gap; what an earlier process fetched is read once."""

    def __init__(self, part: Part) -> None:
        self._part = part
        self._digest = hashlib.sha256()
        self._at = 0
        self._stopped = False

    def run(self) -> None:
        """Hash until the whole file is there, or `stop` is called."""
        buffer = memoryview(bytearray(_CHUNK))
        while self._at < self._part.version.size:
            ready = self._wait()
            while self._at < ready and not self._stopped:
                read = os.preadv(self._part.fd, [buffer[: min(_CHUNK, ready - self._at)]], self._at)
                if not read:
                    raise FileChangedError  # somebody has cut the temporary file
                self._digest.update(buffer[:read])
                self._at += read
            if self._stopped:
                return

    def stop(self) -> None:
        """End `run` soon."""
        self._stopped = True
        with self._part.grown:
            self._part.grown.notify_all()

    def hexdigest(self) -> str:
        """Give the hash, once `run` has ended by itself."""
        return self._digest.hexdigest()

    def _wait(self) -> int:
        with self._part.grown:
            while self._part.done.prefix <= self._at and not self._stopped:
                self._part.grown.wait()
            return self._part.done.prefix
