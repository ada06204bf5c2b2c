"""Private files: directories 0700, files 0600, replaced in one step; and reading with progress."""

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, cast

from fimble.errors import ModelError

PRIVATE_DIRECTORY: Final = 0o700
PRIVATE_FILE: Final = 0o600
HASH_CHUNK_BYTES: Final = 1024 * 1024
REPORT_SECONDS: Final = 0.1
LOCK_POLL_SECONDS: Final = 0.2

Progress = Callable[[int, int, str], None]
"""Told the bytes done, the bytes in all, and what is going on in a few words."""

Cancelled = Callable[[], bool]
"""Asked often, from the thread that does the work, whether to stop."""


class Stopped(ModelError):
    """The caller's `Cancelled` said so; what was downloaded is kept."""


class Watch:
    """Tells the caller how far the work is and asks whether to go on.

    Progress is reported ten times a second at most, and always when the stage changes or ends.
    """

    def __init__(
        self, progress: Progress | None = None, cancelled: Cancelled | None = None
    ) -> None:
        self._progress = progress
        self._cancelled = cancelled
        self._stage = ""
        self._reported = 0.0

    def check(self) -> None:
        """Raise `Stopped` if the caller wants no more."""
        if self._cancelled is not None and self._cancelled():
            raise Stopped("The work was stopped.", "What was downloaded is kept for the next time.")

    def report(self, done: int, total: int, stage: str) -> None:
        """Pass progress on; raises `Stopped` as `check` does."""
        self.check()
        if self._progress is None:
            return
        now = time.monotonic()
        due = now - self._reported >= REPORT_SECONDS
        if due or stage != self._stage or done >= total:
            self._stage, self._reported = stage, now
            self._progress(done, total, stage)


def make_directory(path: Path) -> None:
    """Create a directory for the user alone, and its missing parents; an existing one is kept."""
    if not path.is_dir():
        make_directory(path.parent)
        path.mkdir(mode=PRIVATE_DIRECTORY, exist_ok=True)


def _opener(path: str, flags: int) -> int:
    return os.open(path, flags, PRIVATE_FILE)


def append_private(path: Path) -> BinaryIO:
    """Open for appending; a new file is for the user alone."""
    return cast("BinaryIO", open(path, "ab", opener=_opener))


def write_private(path: Path, content: bytes) -> None:
    """Write a whole file in one step: readers see the old content or the new, never half."""
    make_directory(path.parent)
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    draft.unlink(missing_ok=True)
    try:
        with append_private(draft) as file:
            file.write(content)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def exclusive(path: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold a lock that all processes and threads respect; its empty file stays behind.

    While another holds it, ``waiting`` is called again and again; it gives up by raising.
    """
    # Imported late: a server that finds its model needs no lock.
    import filelock  # noqa: PLC0415

    lock = filelock.FileLock(path, mode=PRIVATE_FILE)
    while not lock.is_locked:
        try:
            lock.acquire(timeout=LOCK_POLL_SECONDS, poll_interval=LOCK_POLL_SECONDS / 4)
        except filelock.Timeout:
            waiting()
    try:
        yield
    finally:
        lock.release()


def size_of(path: Path) -> int:
    """Return the size in bytes; 0 for what is not there or cannot be looked at."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def sha256_of(path: Path, watch: Watch) -> str:
    """Return the file's SHA-256 in hex; about two seconds for a gigabyte."""
    digest = hashlib.sha256()
    total = size_of(path)
    done = 0
    with path.open("rb") as file:
        while chunk := file.read(HASH_CHUNK_BYTES):
            digest.update(chunk)
            done += len(chunk)
            watch.report(done, total, "checking")
    return digest.hexdigest()


def human_size(size: int) -> str:
    """Write a number of bytes as people do: ``491 MB``."""
    if size >= 1_000_000_000:
        return f"{size / 1e9:.2f} GB"
    if size >= 1_000_000:
        return f"{size / 1e6:.0f} MB"
    return f"{size} bytes"
