r"""Documents as frozen snapshots: text, line starts and syntax tree of one version.

A place is an offset: an ``int`` that counts code points of ``Snapshot.text`` from 0. Lines end
as in LSP, at ``\n``, ``\r\n`` or ``\r`` and at nothing else.
"""

from __future__ import annotations

import asyncio
import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field, replace
from math import inf
from typing import TYPE_CHECKING, Final

from fimble.source.tree import SLICE_MS, Courtesy, Deadline, edited, parse

if TYPE_CHECKING:
    from collections.abc import Callable

    from tree_sitter import Language as Grammar
    from tree_sitter import Tree

    from fimble.source.languages import Language

_TERMINATOR: Final = re.compile(r"\r\n|\n|\r")
_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One version of one document; never changes, so any thread may hold it.

    ``tree`` is the syntax tree of exactly this text, or None: no grammar, or not parsed yet.
    ``stale`` is then what a parse can begin from: the tree of an earlier version, told of all
    edits since. ``lead`` is what stands before the document: the end of the earlier cells, where
    it is a cell of a notebook. Text holds no lone surrogates: each is replaced with U+FFFD, which
    counts the same in all three position encodings, so that text can always be encoded.
    """

    uri: str
    version: int
    language: Language
    text: str
    line_starts: tuple[int, ...] = field(compare=False, repr=False)
    tree: Tree | None = field(default=None, compare=False, repr=False)
    stale: Tree | None = field(default=None, compare=False, repr=False)
    lead: str = field(default="", compare=False, repr=False)

    @classmethod
    def open(cls, uri: str, version: int, language: Language, text: str) -> Snapshot:
        """Return the first snapshot of a document, not parsed yet."""
        text = _encodable(text)
        return cls(uri, version, language, text, line_starts(text))

    @property
    def line_count(self) -> int:
        """Number of lines; text that ends with a terminator has an empty last line."""
        return len(self.line_starts)

    @property
    def newline(self) -> str:
        """The terminator most lines end with; a line feed in doubt."""
        crlf = self.text.count("\r\n")
        counts = {
            "\n": self.text.count("\n") - crlf,
            "\r\n": crlf,
            "\r": self.text.count("\r") - crlf,
        }
        return max(counts, key=lambda terminator: counts[terminator])

    def line_of(self, offset: int) -> int:
        """Return the number of the line that holds ``offset``, terminator included."""
        return bisect_right(self.line_starts, offset) - 1

    def line_range(self, line: int) -> tuple[int, int]:
        """Return where a line starts and where it ends, its terminator excluded."""
        start = self.line_starts[line]
        if line + 1 == len(self.line_starts):
            return start, len(self.text)
        end = self.line_starts[line + 1] - 1
        if end > start and self.text[end] == "\n" and self.text[end - 1] == "\r":
            end -= 1
        return start, end

    def line_text(self, line: int) -> str:
        """Return a line without its terminator."""
        start, end = self.line_range(line)
        return self.text[start:end]

    def splice(self, start: int, end: int, new_text: str, version: int) -> Snapshot:
        """Replace ``text[start:end]`` and leave the parsing for later: ``tree`` is None.

        For a notification with several changes: splice them all, then parse once.
        """
        new_text = _encodable(new_text)
        text = self.text[:start] + new_text + self.text[end:]
        basis = self.tree or self.stale
        return Snapshot(
            self.uri,
            version,
            self.language,
            text,
            _spliced_starts(self.line_starts, text, start, end, len(new_text)),
            stale=None if basis is None else edited(basis, self.text, start, end, new_text),
            lead=self.lead,
        )

    def edit(self, start: int, end: int, new_text: str, version: int) -> Snapshot:
        """Replace ``text[start:end]`` and parse, if that is done within ``SLICE_MS``.

        Most edits are: a letter typed into 5,000 lines of Python takes 1 ms. After one that
        turns half the file into a string, ``tree`` is None until `parse_in_slices` was awaited.
        """
        return self.splice(start, end, new_text, version).parse(budget_ms=SLICE_MS)

    def parse(self, grammar: Grammar | None = None, *, budget_ms: float = inf) -> Snapshot:
        """Return this snapshot with its tree, or itself if the budget was too small.

        Blocks; see `source.tree` for how long. The grammar may be left out where an earlier
        version was parsed; without any the snapshot stays as it is.
        """
        return self._parsed(grammar, Deadline(budget_ms))

    async def parse_in_slices(self, grammar: Grammar | None = None) -> Snapshot:
        """Return this snapshot with its tree, parsed in a thread that keeps yielding to the loop.

        The loop never waits longer than about ``HOLD_MS``. Cancelling ends the parse as well.
        """
        if self.tree is not None or (grammar is None and self.stale is None):
            return self
        courtesy = Courtesy()
        try:
            return await asyncio.to_thread(self._parsed, grammar, courtesy)
        finally:
            courtesy.cancelled = True

    def _parsed(self, grammar: Grammar | None, give_up: Callable[[], bool]) -> Snapshot:
        if self.stale is not None:
            grammar = self.stale.language
        if self.tree is not None or grammar is None:
            return self
        tree = parse(grammar, self.text, self.stale, give_up)
        return self if tree is None else replace(self, tree=tree, stale=None)


def line_starts(text: str) -> tuple[int, ...]:
    """Return the offset of each line's first character."""
    return (0, *(match.end() for match in _TERMINATOR.finditer(text)))


def _spliced_starts(
    old: tuple[int, ...], text: str, start: int, end: int, length: int
) -> tuple[int, ...]:
    """Return the line starts of ``text``, which has ``length`` new characters at ``start``.

    Whether an offset starts a line depends on the characters on both sides of it (a
    ``CR LF`` may be joined or torn apart), so the offsets at both seams are found anew.
    """
    shift = length - (end - start)
    new_end = start + length
    found = (m.end() for m in _TERMINATOR.finditer(text, max(start - 1, 0), new_end + 1))
    middle = [offset for offset in found if offset <= new_end]
    head = old[: bisect_left(old, start)] or (0,)
    tail = old[bisect_right(old, end) :]
    if shift:
        tail = tuple([offset + shift for offset in tail])
    return (*head, *middle, *tail)


def _encodable(text: str) -> str:
    if text.isascii():
        return text
    return _LONE_SURROGATE.sub("\ufffd", text)
