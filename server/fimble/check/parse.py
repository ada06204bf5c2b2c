"""The parse gate: nothing is shown that makes the file parse worse than it does now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fimble.check.place import indent
from fimble.check.trim import unmatched
from fimble.source.fragment import fragment_around
from fimble.source.languages import BlockStyle
from fimble.source.tree import error_count

if TYPE_CHECKING:
    from fimble.source.text import Snapshot

MAX_CUTS: Final = 8
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
    if snapshot.tree is None and snapshot.stale is None:
        return True
    around = fragment_around(snapshot, start, end)
    return around is not None and around.errors(new_text) == 0


async def clean_part(snapshot: Snapshot, start: int, end: int, new_text: str) -> str:
    """Return the longest run of whole lines of ``new_text`` that parses no worse; maybe none.

    What they open is closed if nothing else helps.
    """
    lines = new_text.split(snapshot.newline)
    for count in range(len(lines), max(len(lines) - MAX_CUTS, 0), -1):
        part = snapshot.newline.join(lines[:count])
        if not part.strip():
            break
        for whole in dict.fromkeys((part, closed(part, snapshot, start))):
            if await parses_no_worse(snapshot, start, end, whole):
                return whole
    return ""


def closed(text: str, snapshot: Snapshot, start: int) -> str:
    """Return the text, which is to begin at ``start``, with everything closed that it opens.

    A block is closed on a line of its own, as deep as the line that opens it.
    """
    line = snapshot.line_range(snapshot.line_of(start))[0]
    first = indent(snapshot.text[line:start])
    *above, last = text.split(snapshot.newline)
    depth = indent(last) if above else first
    # Read backwards, openers are closers; those still unmatched come out innermost first.
    closers = unmatched(text[::-1].translate(_MIRROR))
    if closers.startswith("}"):
        own = depth if text.endswith("{") else first
        return f"{text}{snapshot.newline}{own}{closers}"
    if closers:
        return text.rstrip(", ") + closers
    if snapshot.language.block_style is BlockStyle.END:
        return f"{text}{snapshot.newline}{first}end"
    return text
