"""Getting a model file: sources in order, resumed where it stopped, trusted only by its digest.

The bytes go to ``NAME.part`` beside the file's place. Whoever interrupts the download, the part
stays, and the next attempt goes on from there, from whatever source. Only when the digest of
the whole part is right does it take the file's name, in one step.
"""

import errno
import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from fimble.errors import DigestMismatch, DiskFull, DownloadFailed, ModelError
from fimble.models.background import SourceFailed
from fimble.models.catalogue import Entry, LocalFile, Source
from fimble.models.files import (
    Cancelled,
    Progress,
    Watch,
    append_private,
    exclusive,
    human_size,
    make_directory,
    sha256_of,
    size_of,
)
from fimble.models.pip import run_pip
from fimble.models.sources import Job, Patience, Pip, chunks
from fimble.models.store import Store

# One wheel twice (pip copies it) and something for the rest of the machine.
SLACK_BYTES: Final = 256 * 1024 * 1024
ATTEMPTS: Final = 4
FULL_DISK: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


def _free_bytes(directory: Path) -> int:
    return shutil.disk_usage(directory).free


@dataclass(frozen=True, slots=True)
class Outside:
    """The world a download touches; tests hand in another."""

    free_bytes: Callable[[Path], int] = _free_bytes
    open_part: Callable[[Path], BinaryIO] = append_private
    pip: Pip = run_pip
    patience: Patience = field(default_factory=Patience)


class WrongBytes(SourceFailed):
    """The source delivered a whole file, but not the publisher's."""


@dataclass(frozen=True, slots=True)
class _Fetch:
    """One download under way; the lock is held."""

    entry: Entry
    part: Path
    job: Job
    watch: Watch
    outside: Outside
    again: str


def fetch(
    store: Store,
    entry: Entry,
    *,
    sources: Sequence[Source] | None = None,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
    outside: Outside | None = None,
    again: str | None = None,
) -> Path:
    """Return the model's file, downloading it unless it is there in full length.

    Blocks, so a server calls it on a thread; ``progress`` and ``cancelled`` are called on the
    same thread. If another process or thread is fetching the same model, this waits for it.
    ``sources`` replaces the entry's own; ``again`` is the command that resumes, for hints.

    Raises `Stopped` when ``cancelled`` says so, `DownloadFailed` with one reason per source,
    `DigestMismatch` when a source had the wrong bytes and no other had the right ones, and
    `DiskFull`. Except for wrong bytes, what was downloaded is kept and resumed.
    """
    outside = outside or Outside()
    watch = Watch(progress, cancelled)
    target = store.path_of(entry)
    if store.has(entry):
        return target
    if Path(entry.file).is_absolute():
        # The user's own file is never written.
        return store.require(entry)
    part = store.part_of(entry)
    job = Job(entry, store.scratch_of(entry), watch, outside.patience, outside.pip)

    def waiting() -> None:
        stage = "waiting for another Fimble that is fetching it"
        watch.report(min(size_of(part), entry.size), entry.size, stage)

    again = again or f"fimble models pull {entry.name}"
    try:
        make_directory(store.directory)
        with exclusive(store.lock_of(entry), waiting):
            if not store.has(entry):
                one = _Fetch(entry, part, job, watch, outside, again)
                _try_all(one, entry.sources if sources is None else sources)
                part.replace(target)
    except OSError as error:
        raise _disk_error(error, entry, store.directory, again) from error
    return target


def _try_all(one: _Fetch, sources: Sequence[Source]) -> None:
    """Leave the whole, verified file in the part; raises when no source could give it."""
    if size_of(one.part) > one.entry.size:
        one.part.unlink()
    _require_space(one)
    failures: list[SourceFailed] = []
    reasons: list[str] = []
    for source in sources:
        try:
            _try_source(one, source)
        except SourceFailed as failure:
            failures.append(failure)
            reasons.append(f"{source.label}: {failure.reason}")
        else:
            return
    raise _failure(one, sources, failures, reasons)


def _require_space(one: _Fetch) -> None:
    missing = one.entry.size - size_of(one.part)
    directory = one.part.parent
    free = one.outside.free_bytes(directory)
    if free < missing + SLACK_BYTES:
        needed = human_size(missing + SLACK_BYTES)
        raise DiskFull(
            f"{one.entry.name} needs {needed} in {directory}, where {human_size(free)} are free.",
            "Make room, or set FIMBLE_MODEL_DIR to a directory on another disk.",
        )


def _try_source(one: _Fetch, source: Source) -> None:
    """Fill and check the part from one source, resuming a few times if the source breaks off."""
    for attempt in range(1, ATTEMPTS + 1):
        start = size_of(one.part)
        try:
            _fill(one, source, start)
            _check_digest(one)
        except WrongBytes:
            # The beginning may be another source's, or damaged: once more from nothing.
            if start == 0 or attempt == ATTEMPTS:
                raise
        except SourceFailed:
            if size_of(one.part) <= start or attempt == ATTEMPTS:
                raise
        else:
            return


def _fill(one: _Fetch, source: Source, start: int) -> None:
    entry = one.entry
    done = start
    if done == entry.size:
        return
    stage = f"downloading from {source.label}"
    if isinstance(source, LocalFile):
        stage = f"copying {source.label}"
    one.watch.report(done, entry.size, stage)
    with (
        one.outside.open_part(one.part) as file,
        closing(chunks(source, start, one.job)) as pieces,
    ):
        for chunk in pieces:
            # A source that does not know when to stop is caught by the digest.
            file.write(chunk[: entry.size - done])
            done = min(entry.size, done + len(chunk))
            one.watch.report(done, entry.size, stage)
            if done == entry.size:
                break
        file.flush()
        # The name must not reach the disk before the bytes.
        os.fsync(file.fileno())
    if done < entry.size:
        raise SourceFailed(f"it broke off after {done} of {entry.size} bytes")


def _check_digest(one: _Fetch) -> None:
    if sha256_of(one.part, one.watch) != one.entry.sha256:
        one.part.unlink()
        raise WrongBytes("it has other bytes than the publisher's file (SHA-256 differs)")


def _failure(
    one: _Fetch, sources: Sequence[Source], failures: Sequence[SourceFailed], reasons: list[str]
) -> ModelError:
    """Turn what every source said into the one error that the user sees."""
    entry = one.entry
    details = "; ".join(reasons) or "no source is known"
    elsewhere = f"get the file elsewhere and run `{one.again} --from-file PATH`"
    if " add " in one.again:
        elsewhere = "get the file elsewhere and add its path"
    if any(isinstance(failure, WrongBytes) for failure in failures):
        return DigestMismatch(
            f"No source has the right file for {entry.name}. {details}.",
            f"The wrong bytes are deleted. Try again later, or {elsewhere}.",
        )
    if sources and all(isinstance(source, LocalFile) for source in sources):
        hint = "Check the path, or leave it out to download the file."
    else:
        hint = (
            f"Check the network and proxy and run `{one.again}`, which goes on where it "
            f"stopped; or {elsewhere}."
        )
    return DownloadFailed(f"{entry.name} could not be fetched. {details}.", hint)


def _disk_error(error: OSError, entry: Entry, directory: Path, again: str) -> ModelError:
    if error.errno in FULL_DISK:
        return DiskFull(
            f"The disk of {directory} filled up while {entry.name} was fetched.",
            f"Make room and run `{again}`, which goes on where it "
            "stopped; or set FIMBLE_MODEL_DIR to a directory on another disk.",
        )
    return DownloadFailed(
        f"{entry.name} cannot be stored in {directory} ({error.strerror or error}).",
        "Check who may write there, or set FIMBLE_MODEL_DIR to another directory.",
    )
