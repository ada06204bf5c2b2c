"""Names as they stand in a text: words, and members with what they were asked of.

No grammar is needed, so this works in broken code and in languages without one; what is defined
where is for `source.symbols` to say.
"""

from __future__ import annotations

import asyncio
import re
from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

WORD: Final = re.compile(r"[^\W\d]\w*")
ACCESS: Final = re.compile(r"(?<![\w)\]])([\w)\]]+)(?:\?\.|\.|->|::)(?=([^\W\d]\w*))")
"""A receiver's last word or bracket, an access operator, and the member's name.

Only where the run begins: tried at each of its characters, a line of hexadecimal takes seconds."""
SLICE_CHARS: Final = 32_768
"""Scanned in about 2 ms; then the loop has its turn."""
SCANNED_CHARS: Final = 1_048_576


@dataclass(slots=True)
class Names:
    """How often each word stands in a text, and the members seen after each receiver."""

    words: Counter[str] = field(default_factory=Counter)
    members: dict[str, Counter[str]] = field(default_factory=dict)

    def add(self, text: str) -> None:
        """Count the names of a piece of text."""
        self.words.update(WORD.findall(text))
        for receiver, name in ACCESS.findall(text):
            self.members.setdefault(receiver, Counter())[name] += 1


async def scan(text: str) -> Names:
    """Return the names of a text, in slices that give way to the loop."""
    names = Names()
    start, limit = 0, min(len(text), SCANNED_CHARS)
    while start < limit:
        end = text.find("\n", min(start + SLICE_CHARS, limit))
        end = end if 0 <= end < start + 2 * SLICE_CHARS else min(start + SLICE_CHARS, limit)
        names.add(text[start:end])
        start = end
        await asyncio.sleep(0)
    return names


def nearest(text: str, offset: int, reach: int, scopes: Sequence[tuple[int, int]]) -> list[str]:
    """Return the words around a place: those that share most of its scopes first, then by distance.

    ``scopes`` are the ranges that enclose the place, outer ones first. The word that ends at
    ``offset`` is being typed and does not count.
    """
    starts = [start for start, _ in scopes]
    ends = sorted(-end for _, end in scopes)
    best: dict[str, tuple[int, int]] = {}
    for match in WORD.finditer(text, max(offset - reach, 0), min(offset + reach, len(text))):
        at = match.start()
        if at <= offset <= match.end():
            continue
        shared = bisect_right(starts, at) if at < offset else bisect_right(ends, -at - 1)
        rank = (-shared, abs(offset - at))
        if rank < best.get(match[0], (1, 0)):
            best[match[0]] = rank
    return sorted(best, key=best.__getitem__)
