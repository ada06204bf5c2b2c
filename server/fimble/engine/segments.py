"""KV state by content: a tree of token segments whose blobs lie in RAM and on disk.

A path from the root spells the beginning of a prompt, so equal beginnings are stored once, for
whatever file or sequence they were computed. A segment's blob holds the cells of its own tokens
with their absolute positions; restoring a path segment by segment gives back exactly the state
that was saved (llama.cpp's ``seq_cp`` over a range makes both possible without recomputing).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

Blob = npt.NDArray[np.uint8]

SEGMENT_TOKENS: Final = 128
"""Long enough to amortise a save (1.6 MB with the 0.5B), short enough that an edit near the end
of a file invalidates little."""
ID_BYTES: Final = 16
ROOT: Final = bytes(ID_BYTES)
ATTENTION_TOKENS: Final = 4000
"""Context at which attention costs as much as the weights do in the 0.5B (43 kMAC a token and
context token against 494 MMAC a token, at about a third of the rate): later tokens are dearer."""


@dataclass(slots=True, eq=False)
class Segment:
    """One node: ``tokens`` at positions from ``start``, following ``parent``'s."""

    id: bytes
    parent: bytes
    start: int
    tokens: tuple[int, ...]
    blob: Blob | None = None
    on_disk: bool = False
    worth: float = 0.0
    children: list[Segment] = field(default_factory=list)

    @property
    def end(self) -> int:
        return self.start + len(self.tokens)

    @property
    def cost(self) -> float:
        """What reading these tokens again would cost, in tokens of an empty context."""
        middle = self.start + len(self.tokens) / 2
        return len(self.tokens) * (1 + middle / ATTENTION_TOKENS)


class Files(Protocol):
    """The disk tier; see `SegmentFiles`."""

    def stored(self) -> Iterator[Segment]:
        """Every segment on disk, without blobs, parents first."""
        ...

    def write(self, segment: Segment) -> bool:
        """Keep a segment that has a blob; False if that was not possible."""
        ...

    def read(self, segment: Segment) -> Blob | None:
        """The blob, or None when the file is gone or damaged."""
        ...

    def remove(self, segment: Segment) -> None:
        """Forget a segment."""
        ...

    @property
    def used(self) -> int:
        """Bytes on disk."""
        ...

    @property
    def is_over(self) -> bool:
        """Whether that is more than allowed."""
        ...


class SegmentTree:
    """All segments of one KV key. Used by the inference thread alone.

    Eviction is GreedyDual-Size (Cao and Irani, 1997): a segment is worth its recompute cost per
    byte plus the worth of the last one evicted, so that what is cheap to recompute, large or long
    unused goes first; a segment goes before its parent.
    """

    def __init__(self, *, ram_bytes: int, files: Files | None = None) -> None:
        self._root = Segment(ROOT, ROOT, 0, ())
        self._by_id: dict[bytes, Segment] = {ROOT: self._root}
        self._ram_cap = ram_bytes
        self._ram_used = 0
        self._files = files
        self._floor = 0.0
        if files is not None:
            for segment in files.stored():
                self._adopt(segment, files)

    @property
    def ram_used(self) -> int:
        """Bytes of blobs in RAM."""
        return self._ram_used

    @property
    def disk_used(self) -> int:
        """Bytes of files on disk."""
        return self._files.used if self._files is not None else 0

    def __len__(self) -> int:
        return len(self._by_id) - 1

    def match(self, tokens: Sequence[int]) -> list[tuple[Segment, int]]:
        """The path that spells the longest beginning of ``tokens``.

        Segments, and how many tokens of each; only the last may be used in part.
        """
        path: list[tuple[Segment, int]] = []
        node = self._root
        while True:
            best, length = None, 0
            for child in node.children:
                same = common_prefix_at(child.tokens, tokens, node.end)
                if same > length:
                    best, length = child, same
            if best is None:
                return path
            path.append((best, length))
            if length < len(best.tokens):
                return path
            node = best

    def missing(self, tokens: Sequence[int]) -> Iterator[tuple[bytes, int, int]]:
        """The ranges of ``tokens`` that no segment holds yet, as (parent id, start, end).

        `put` each before asking for the next: it is the next one's parent.
        """
        whole = [segment for segment, used in self.match(tokens) if used == len(segment.tokens)]
        parent = whole[-1] if whole else self._root
        while parent.end < len(tokens):
            start = parent.end
            end = min(start + SEGMENT_TOKENS, len(tokens))
            yield parent.id, start, end
            child = self._by_id.get(segment_id(parent.id, tokens[start:end]))
            if child is None:
                return
            parent = child

    def put(self, parent: bytes, start: int, tokens: Sequence[int], blob: Blob) -> None:
        """Keep the cells of a range; dropped at once if there is no room for it."""
        above, identifier = self._by_id.get(parent), segment_id(parent, tokens)
        if above is None or identifier in self._by_id or blob.nbytes > self._ram_cap:
            return
        segment = Segment(identifier, parent, start, tuple(tokens), blob)
        self._by_id[segment.id] = segment
        above.children.append(segment)
        self._ram_used += blob.nbytes
        self._touch(segment)
        self._fit_ram(keep=segment)

    def blob(self, segment: Segment) -> Blob | None:
        """The segment's cells, from RAM or disk; a segment that is lost is forgotten."""
        if segment.blob is None and self._files is not None and segment.on_disk:
            segment.blob = self._files.read(segment)
            if segment.blob is not None:
                self._ram_used += segment.blob.nbytes
        if segment.blob is None:
            self._forget(segment)
            return None
        blob = segment.blob
        self._touch(segment)
        self._fit_ram(keep=segment)
        return blob

    def unsaved(self) -> Iterator[Segment]:
        """Segments that only RAM has, parents first."""
        waiting = list(self._root.children)
        while waiting:
            segment = waiting.pop()
            if segment.blob is not None and not segment.on_disk:
                yield segment
            waiting.extend(segment.children)

    def save(self, segment: Segment) -> bool:
        """Write one segment to disk and keep the disk under its cap; False if it takes nothing."""
        if self._files is None:
            return False
        if segment.blob is None:
            return True
        segment.on_disk = self._files.write(segment)
        while self._files.is_over:
            leaf = min(
                (each for each in self._leaves() if each.on_disk and each is not segment),
                key=lambda each: each.worth,
                default=None,
            )
            if leaf is None:
                break
            self._forget(leaf)
        return segment.on_disk

    def _adopt(self, segment: Segment, files: Files) -> None:
        """Hang a segment found on disk under its parent; an orphan is useless and removed."""
        above = self._by_id.get(segment.parent)
        if above is None or above.end != segment.start:
            files.remove(segment)
            return
        self._by_id[segment.id] = segment
        above.children.append(segment)

    def _touch(self, segment: Segment) -> None:
        assert segment.blob is not None, "only what has bytes has a worth"
        segment.worth = self._floor + segment.cost / segment.blob.nbytes

    def _leaves(self) -> Iterator[Segment]:
        return (
            each for each in self._by_id.values() if each is not self._root and not each.children
        )

    def _fit_ram(self, *, keep: Segment) -> None:
        """Free blobs, least worth first and ``keep`` last, until RAM is under its cap.

        What only RAM has is lost with its blob, so it goes after everything below it.
        """
        while self._ram_used > self._ram_cap:
            victims = (
                each
                for each in self._by_id.values()
                if each.blob is not None and (each.on_disk or not each.children)
            )
            victim = min(victims, key=lambda each: (each is keep, each.worth))
            self._floor = max(self._floor, victim.worth)
            if victim.on_disk:
                self._release(victim)
            else:
                self._forget(victim)

    def _release(self, segment: Segment) -> None:
        """Free the segment's blob."""
        if segment.blob is not None:
            self._ram_used -= segment.blob.nbytes
            segment.blob = None

    def _forget(self, segment: Segment) -> None:
        """Drop a segment and, since nothing leads to them any more, all below it."""
        above = self._by_id.get(segment.parent)
        if above is not None and segment in above.children:
            above.children.remove(segment)
        waiting = [segment]
        while waiting:
            each = waiting.pop()
            waiting.extend(each.children)
            self._by_id.pop(each.id, None)
            self._release(each)
            if each.on_disk and self._files is not None:
                self._files.remove(each)


def segment_id(parent: bytes, tokens: Sequence[int]) -> bytes:
    """A segment's name: what stands before it and what it holds."""
    digest = hashlib.blake2b(parent, digest_size=ID_BYTES)
    digest.update(np.asarray(tokens, np.int32).tobytes())
    return digest.digest()


def common_prefix_at(segment: tuple[int, ...], tokens: Sequence[int], start: int) -> int:
    """How many tokens of ``segment`` equal ``tokens`` from ``start`` on."""
    theirs = tuple(tokens[start : start + len(segment)])
    if segment[: len(theirs)] == theirs:
        return len(theirs)
    return next(index for index, token in enumerate(theirs) if token != segment[index])
