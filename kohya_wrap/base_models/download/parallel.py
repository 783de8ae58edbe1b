"""Many connections into one file, on daemon threads, and the hash behind them."""

import os
import queue
import threading
import time
from collections.abc import Callable

from kohya_wrap.base_models.download.link import Link
from kohya_wrap.base_models.download.part import Part
from kohya_wrap.base_models.download.pieces import Pieces
from kohya_wrap.base_models.download.prefix_hash import PrefixHash
from kohya_wrap.base_models.download.worker import Worker
from kohya_wrap.base_models.hosts.host import OnProgress

_TICK = 0.1
_FLUSH_EVERY = 1.0
_JOIN = 2.0


class Parallel:
    """Fetches what `part` misses over `connections` connections, and hashes all of it."""

    def __init__(self, link: Link, part: Part, *, connections: int, patience: float) -> None:
        self._part = part
        self._hash = PrefixHash(part)
        self._pieces = Pieces(part.missing(), workers=connections)
        self._stop = threading.Event()
        self._news: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()
        self._workers = [Worker(link, part, self._pieces, self._stop, patience=patience) for _ in range(connections)]

    def run(self, on_progress: OnProgress | None) -> str:
        """Fetch, and give the SHA256; all threads end with it, whatever ends it, and the part stays as it is.

        Raises FileChangedError, a BaseModelError, or what `on_progress` raises, which is called on this thread.
        """
        threads = [self._thread(job) for job in (self._hashing, self._flushing, *(each.run for each in self._workers))]
        try:
            for thread in threads:
                self._part.hold()
                thread.start()
            self._watch(on_progress)
        finally:
            self._end(threads)
        return self._hash.hexdigest()

    def _watch(self, on_progress: OnProgress | None) -> None:
        whole = False
        while not whole:
            if on_progress is not None:
                on_progress(self._part.done.total, self._part.version.size)
            try:
                news = self._news.get(timeout=_TICK)
            except queue.Empty:
                continue
            if news is not None:
                raise news
            whole = True
        if on_progress is not None:
            on_progress(self._part.done.total, self._part.version.size)

    def _end(self, threads: list[threading.Thread]) -> None:
        self._stop.set()
        self._pieces.stop()
        self._hash.stop()
        for worker in self._workers:
            worker.interrupt()
        deadline = time.monotonic() + _JOIN  # one that waits for a host's first byte can take longer, and does no harm
        for thread in threads:
            if thread.ident is not None:
                thread.join(max(0.0, deadline - time.monotonic()))

    def _thread(self, job: Callable[[], None]) -> threading.Thread:
        def run() -> None:
            try:
                job()
            except Exception as error:  # noqa: BLE001 - raised again on the caller's thread
                self._news.put(error)
            finally:
                self._part.release()

        return threading.Thread(target=run, daemon=True)

    def _hashing(self) -> None:
        """Nothing is hashed that is not there, so the end of this is the end of all."""
        self._hash.run()
        self._news.put(None)

    def _flushing(self) -> None:
        """Bring the bytes to the disk meanwhile, so that little is left to wait for before the file gets its name."""
        while not self._stop.wait(_FLUSH_EVERY):
            os.fsync(self._part.fd)
