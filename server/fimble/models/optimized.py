"""Files that `fimble models optimize` made of others, and whether to use one.

`optimized.json` beside the files says of each what it was made of and what it gains on which
machine. An original is never changed, and without its original an optimized file is not used.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from fimble.errors import DigestMismatch
from fimble.models.catalogue import Entry
from fimble.models.files import PRIVATE_FILE, Watch, sha256_of, size_of, write_private
from fimble.models.profile import machine

RECORDS: Final = "optimized.json"
MIN_GAIN: Final = 1.1
"""A file that answers a key press less than 10 % faster is not worth its room on the disk."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured of one file: tokens a second, and how many rows of the suite it got."""

    prefill_rate: float
    decode_rate: float
    score: int


@dataclass(frozen=True, slots=True)
class Optimized:
    """One optimized file and its provenance.

    ``file`` is a name inside the model directory; ``types`` says what its matrices are (body and
    head); ``gain`` is how many times as fast as the original it answered a key press on
    ``machine``; ``rows`` is the length of the suite; ``made`` is a date.
    """

    model: str
    file: str
    size: int
    sha256: str
    source_size: int
    source_sha256: str
    types: str
    gain: float
    rows: int
    original: Figures
    optimized: Figures
    machine: str
    llama_cpp_python: str
    made: str


def load(directory: Path) -> tuple[Optimized, ...]:
    """Return all records; none if they cannot be read: the originals are as good, only slower."""
    try:
        content = (directory / RECORDS).read_bytes()
        return msgspec.json.decode(content, type=tuple[Optimized, ...])
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return ()


def find(directory: Path, entry: Entry) -> Optimized | None:
    """Return the record of a model's optimized file if that is there and made of this original."""
    for record in load(directory):
        if record.model == entry.name:
            source = (record.source_size, record.source_sha256)
            is_here = Path(record.file).name == record.file and (
                size_of(directory / record.file) == record.size > 0
            )
            return record if is_here and source == (entry.size, entry.sha256) else None
    return None


def pays_off(record: Optimized) -> bool:
    """Tell whether the file was measured to be faster on this machine."""
    return record.gain >= MIN_GAIN and record.machine == machine()


def best_file(directory: Path, entry: Entry, original: Path) -> Path:
    """Return the optimized file where it is faster on this machine, or else the original."""
    record = find(directory, entry)
    return directory / record.file if record and pays_off(record) else original


def verify(directory: Path, entry: Entry, watch: Watch) -> None:
    """Read a model's optimized file, if it has one; raises `DigestMismatch` if a byte differs."""
    record = find(directory, entry)
    if record and sha256_of(directory / record.file, watch) != record.sha256:
        raise DigestMismatch(
            f"{directory / record.file} is not what `fimble models optimize` wrote.",
            f"Delete it, or run `fimble models optimize {entry.name}` again.",
        )


def name_of(entry: Entry, types: str) -> str:
    """Return what to call an optimized file.

    By the model's name, which nothing else in the directory can have: the files of two models
    that the user keeps elsewhere may be called alike.
    """
    return f"{entry.name}.optimized-{types}.gguf"


def keep(directory: Path, draft: Path, record: Optimized) -> Path:
    """Give a finished file its name, in one step, in place of an older one; raises `OSError`."""
    draft.chmod(PRIVATE_FILE)
    with draft.open("rb+") as file:
        os.fsync(file.fileno())  # the name must not reach the disk before the bytes
    remove(directory, record.model)
    # First the record: one without a file is harmless, a file without a record would stay for ever.
    _write(directory, (*load(directory), record))
    return draft.replace(directory / record.file)


def remove(directory: Path, model: str) -> bool:
    """Delete a model's optimized file and its record, and say whether there was one."""
    records = load(directory)
    mine = [record for record in records if record.model == model]
    for record in mine:
        (directory / Path(record.file).name).unlink(missing_ok=True)
    if mine:
        _write(directory, tuple(record for record in records if record.model != model))
    return bool(mine)


def _write(directory: Path, records: tuple[Optimized, ...]) -> None:
    content = msgspec.json.format(msgspec.json.encode(records), indent=2)
    write_private(directory / RECORDS, content + b"\n")
