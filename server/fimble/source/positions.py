"""Where LSP positions and code point offsets meet; the only place that counts code units."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from fimble.source.text import Snapshot


class Encoding(StrEnum):
    """What a position's ``character`` counts; the values are the protocol's names."""

    UTF8 = "utf-8"
    UTF16 = "utf-16"
    UTF32 = "utf-32"


# Python's codec (without a byte order mark) and the size in bytes of what is counted.
_CODECS: Final = {Encoding.UTF8: ("utf-8", 1), Encoding.UTF16: ("utf-16-le", 2)}


def offset_at(snapshot: Snapshot, line: int, character: int, encoding: Encoding) -> int:
    """Return the offset of an LSP position.

    As the protocol wants it, a ``character`` behind the line's end means the line's end. A line
    behind the last one means the end of the text, and a place inside a character is rounded
    down to its beginning.
    """
    if line >= snapshot.line_count:
        return len(snapshot.text)
    start, end = snapshot.line_range(line)
    # A code point is at least one unit, so nothing behind `character` code points matters.
    end = min(end, start + character)
    codec = _CODECS.get(encoding)
    head = snapshot.text[start:end]
    if codec is None or head.isascii():
        return end
    name, size = codec
    units = head.encode(name)[: character * size]
    return start + len(units.decode(name, errors="ignore"))


def position_at(snapshot: Snapshot, offset: int, encoding: Encoding) -> tuple[int, int]:
    """Return the LSP line and character of an offset; both count from 0.

    An offset outside the text is moved to its nearer end, and one between CR and LF before
    both.
    """
    offset = min(max(offset, 0), len(snapshot.text))
    line = snapshot.line_of(offset)
    start, end = snapshot.line_range(line)
    head = snapshot.text[start : min(offset, end)]
    codec = _CODECS.get(encoding)
    if codec is None or head.isascii():
        return line, len(head)
    name, size = codec
    return line, len(head.encode(name)) // size
