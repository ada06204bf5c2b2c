"""The disk tier of the KV store: one small file per segment, trusted for nothing.

A file is a header, the tokens and llama.cpp's own blob, with a checksum over all of it. The blob
goes into llama.cpp's parser, so only files that this program wrote below its cache directory, for
exactly this model and build, are ever read: the directory's name is the KV key, and the header
repeats it. Files are written beside and renamed, so a crash loses at most the one being written.
They hold tokens of the user's code, hence mode 0600.
"""

from __future__ import annotations

import logging
import os
import shutil
import struct
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from fimble.engine.segments import ID_BYTES, Blob, Segment, segment_id

log = logging.getLogger(__name__)

MAGIC: Final = b"FIMBLEKV"
VERSION: Final = 1
SUFFIX: Final = ".kv"
HEADER: Final = struct.Struct(f"<8sI{ID_BYTES}s{ID_BYTES}sIIQI")
"""Magic, version, key, parent, start position, tokens, blob bytes, CRC-32 of the rest."""
MAX_TOKENS: Final = 1 << 16
MAX_AGE_DAYS: Final = 14
"""How long the state of another model or build is kept after its last use."""


@dataclass(frozen=True, slots=True)
class Head:
    """A file's header, read and found plausible."""

    parent: bytes
    start: int
    tokens: tuple[int, ...]
    blob_bytes: int
    checksum: int


class SegmentFiles:
    """The files of one KV key in ``directory/<key>``; other keys' files make way."""

    def __init__(self, directory: Path, key: bytes, *, cap_bytes: int) -> None:
        self._key = key
        self._directory = directory / key.hex()
        self._cap = cap_bytes
        self._sizes: dict[bytes, int] = {}
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for other in directory.iterdir():
            # Another model's or an older build's state: cheap to make again, dear to keep.
            if other != self._directory and other.is_dir() and _age_days(other) > MAX_AGE_DAYS:
                shutil.rmtree(other, ignore_errors=True)
        os.utime(self._directory)

    @property
    def used(self) -> int:
        """Bytes on disk."""
        return sum(self._sizes.values())

    @property
    def is_over(self) -> bool:
        return self.used > self._cap

    def stored(self) -> Iterator[Segment]:
        """Every readable segment, parents first; what does not match is removed."""
        found = []
        for path in self._directory.iterdir():
            head = self._read_head(path) if path.suffix == SUFFIX else None
            if head is None or path.stem != segment_id(head.parent, head.tokens).hex():
                _unlink(path)
                continue
            identifier = bytes.fromhex(path.stem)
            self._sizes[identifier] = path.stat().st_size
            segment = Segment(identifier, head.parent, head.start, head.tokens, on_disk=True)
            segment.worth = segment.cost / max(1, head.blob_bytes)
            found.append(segment)
        yield from sorted(found, key=lambda segment: segment.start)

    def write(self, segment: Segment) -> bool:
        """Write a segment; a full disk is logged, leaves no half file, and False is returned."""
        assert segment.blob is not None, "only a segment with a blob can be written"
        tokens = np.asarray(segment.tokens, np.int32).tobytes()
        checksum = zlib.crc32(segment.blob.data, zlib.crc32(tokens))
        header = HEADER.pack(
            MAGIC,
            VERSION,
            self._key,
            segment.parent,
            segment.start,
            len(segment.tokens),
            segment.blob.nbytes,
            checksum,
        )
        path = self._path(segment)
        part = path.with_suffix(".part")
        try:
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(header)
                file.write(tokens)
                file.write(segment.blob.data)
            part.replace(path)
        except OSError as error:
            log.warning("KV state cannot be kept on disk: %s", error.strerror)
            _unlink(part)
            return False
        self._sizes[segment.id] = HEADER.size + len(tokens) + segment.blob.nbytes
        return True

    def read(self, segment: Segment) -> Blob | None:
        """The blob, checked to the last byte."""
        path = self._path(segment)
        try:
            data = np.fromfile(path, np.uint8)
        except OSError:
            return None
        head = self._parse(data[: HEADER.size + 4 * len(segment.tokens)].tobytes())
        if head is None or head.tokens != segment.tokens or head.start != segment.start:
            return None
        blob = data[HEADER.size + 4 * len(head.tokens) :]
        if blob.nbytes != head.blob_bytes:
            return None
        tokens = np.asarray(head.tokens, np.int32).tobytes()
        return blob if zlib.crc32(blob.data, zlib.crc32(tokens)) == head.checksum else None

    def remove(self, segment: Segment) -> None:
        """Delete a segment's file."""
        self._sizes.pop(segment.id, None)
        _unlink(self._path(segment))

    def _path(self, segment: Segment) -> Path:
        return self._directory / f"{segment.id.hex()}{SUFFIX}"

    def _read_head(self, path: Path) -> Head | None:
        try:
            with path.open("rb") as file:
                start = file.read(HEADER.size)
                if len(start) < HEADER.size:
                    return None
                count = HEADER.unpack(start)[5]
                return self._parse(start + file.read(4 * min(count, MAX_TOKENS)))
        except OSError:
            return None

    def _parse(self, data: bytes) -> Head | None:
        """The header and tokens, or None unless they are of this version and key."""
        if len(data) < HEADER.size:
            return None
        magic, version, key, parent, start, count, size, checksum = HEADER.unpack_from(data)
        tokens = data[HEADER.size :]
        if (magic, version, key) != (MAGIC, VERSION, self._key) or len(tokens) != 4 * count:
            return None
        ids = tuple(int(token) for token in np.frombuffer(tokens, np.int32))
        return Head(parent, start, ids, size, checksum)


def _unlink(path: Path) -> None:
    """Delete a file; on Windows one that somebody reads stays, and is found at the next start."""
    with suppress(OSError):
        path.unlink()


def _age_days(path: Path) -> float:
    return (time.time() - path.stat().st_mtime) / 86400
