"""The definition around a place, parsed by itself: under a millisecond, whatever the file is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fimble.source.tree import ByteOffsets, error_count, holder_end, parse, surrounding

if TYPE_CHECKING:
    from tree_sitter import Language as Grammar
    from tree_sitter import Tree

    from fimble.source.text import Snapshot

FRAGMENT_CHARS: Final = 6000
"""Size of a definition that is parsed by itself: under a millisecond."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """What stands on both sides of a place in its definition, in whole lines."""

    grammar: Grammar
    before: str
    after: str

    def errors(self, new_text: str) -> int:
        """Return how many ERROR and MISSING nodes there are with ``new_text`` in the place."""
        return error_count(self._parsed(new_text))

    def closed_by(self, new_text: str) -> bool:
        """Tell whether the last line of ``new_text`` closes what the line of the place opens."""
        tree = self._parsed(new_text)
        opener = dedented(self.before.rstrip())
        line = opener.rpartition("\n")[2]
        at = len(opener.encode())
        end = holder_end(tree, at - len(line.lstrip().encode()), at)
        added = dedented(f"{self.before}{new_text}")
        last_line = len(added.rpartition("\n")[0].encode())
        return end is not None and last_line < end <= len(added.encode())

    def _parsed(self, new_text: str) -> Tree:
        text = dedented(f"{self.before}{new_text}{self.after}\n")
        tree = parse(self.grammar, text, None, lambda: False)
        assert tree is not None, "nobody gave the parse up"
        return tree


def fragment_around(snapshot: Snapshot, start: int, end: int) -> Fragment | None:
    """Cut a fragment out; None without a tree or where it would be too much to parse."""
    tree = snapshot.tree or snapshot.stale
    if tree is None:
        return None
    first, last = surrounding(tree, ByteOffsets(snapshot.text), start, end, FRAGMENT_CHARS)
    first = snapshot.line_starts[snapshot.line_of(first)]
    last = snapshot.line_range(snapshot.line_of(last))[1]
    if last - first > 2 * FRAGMENT_CHARS:
        return None
    text = snapshot.text
    return Fragment(tree.language, text[first:start], text[end:last])


def dedented(text: str) -> str:
    """Take the first line's indentation off all lines that have it."""
    indent = text[: len(text) - len(text.lstrip(" \t"))]
    return text.removeprefix(indent).replace(f"\n{indent}", "\n") if indent else text
