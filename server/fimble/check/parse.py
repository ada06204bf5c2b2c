"""The parse gate: nothing is shown that makes the file parse worse than it does now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fimble.check.trim import unmatched
from fimble.source.languages import BlockStyle
from fimble.source.tree import ByteOffsets, error_count, parse, surrounding

if TYPE_CHECKING:
    from fimble.source.text import Snapshot

MAX_CUTS: Final = 8
FRAGMENT_CHARS: Final = 6000
"""Size of a definition that is parsed by itself: under a millisecond."""
_MIRROR: Final = str.maketrans("()[]{}", ")(][}{")


async def parses_no_worse(snapshot: Snapshot, start: int, end: int, new_text: str) -> bool:
    """Tell whether ``text[start:end]`` may become ``new_text``: no more ERROR or MISSING nodes.

    True where there is no grammar, or the file was never parsed. Mostly the definition around the
    place tells, in under a millisecond. Otherwise the whole file is parsed on from its last tree,
    in slices: in 5,000 lines that takes 1 ms in the middle of a statement, but up to 30 ms at its
    end, where tree-sitter cannot use much of the old tree.
    """
    if fits_nearby(snapshot, start, end, new_text):
        return True
    snapshot = await snapshot.parse_in_slices()
    if snapshot.tree is None:
        return True
    edited = snapshot.splice(start, end, new_text, snapshot.version)
    edited = await edited.parse_in_slices()
    return edited.tree is None or error_count(edited.tree) <= error_count(snapshot.tree)


def fits_nearby(snapshot: Snapshot, start: int, end: int, new_text: str) -> bool:
    """Tell whether the definition around the place, by itself, has no error with the new text.

    False says nothing: the whole file has to be looked at then.
    """
    tree = snapshot.tree or snapshot.stale
    if tree is None:
        return True
    first, last = surrounding(tree, ByteOffsets(snapshot.text), start, end, FRAGMENT_CHARS)
    first = snapshot.line_starts[snapshot.line_of(first)]
    last = snapshot.line_range(snapshot.line_of(last))[1]
    if last - first > 2 * FRAGMENT_CHARS:
        return False
    text = snapshot.text
    fragment = dedented(f"{text[first:start]}{new_text}{text[end:last]}\n")
    alone = parse(tree.language, fragment, None, lambda: False)
    return alone is not None and error_count(alone) == 0


def dedented(text: str) -> str:
    """Take the first line's indentation off all lines that have it."""
    indent = text[: len(text) - len(text.lstrip(" \t"))]
    return text.removeprefix(indent).replace(f"\n{indent}", "\n") if indent else text


async def clean_part(snapshot: Snapshot, start: int, end: int, new_text: str) -> str:
    """Return the longest run of whole lines of ``new_text`` that parses no worse; maybe none.

    What the last line opens may stay open: the user goes on typing there.
    """
    lines = new_text.split(snapshot.newline)
    for count in range(len(lines), max(len(lines) - MAX_CUTS, 0), -1):
        part = snapshot.newline.join(lines[:count])
        if not part.strip():
            break
        for whole in dict.fromkeys((part, closed(part, snapshot))):
            if await parses_no_worse(snapshot, start, end, whole):
                return part
    return ""


def closed(text: str, snapshot: Snapshot) -> str:
    """Return the text with everything closed that it opens."""
    # Read backwards, openers are closers; those still unmatched come out innermost first.
    closers = unmatched(text[::-1].translate(_MIRROR))
    if closers:
        return text.rstrip(", ") + closers
    if snapshot.language.block_style is BlockStyle.END:
        return f"{text}{snapshot.newline}end"
    return text
