"""Syntax trees: parsing without blocking the loop, edits, byte offsets against code points.

Measured with py-tree-sitter 0.26 on 5,000 lines (183 kB) of the standard library's Python, one
core of a server CPU: the first parse takes 17 ms, the parse after a typed letter 1 ms, after an
opened triple quote at the top 38 ms. py-tree-sitter keeps the GIL throughout, so a thread alone
would not help: the loop would stand still for as long. But it calls a progress callback about
every 20 microseconds (0.5 ms at worst, in error recovery; up to 1.5 ms for the balancing at the
end), and there a thread can give the GIL away (`Courtesy`) or give the parse up (`Deadline`).

A parse that was given up is never resumed, though tree-sitter could: what it makes of broken
code then depends on where it was stopped, and equal text must give equal trees.

tree_sitter itself is imported when the first file is parsed: it costs the start 2 ms.
"""

from __future__ import annotations

from bisect import bisect_right
from ctypes import py_object, pythonapi
from functools import partial
from itertools import accumulate
from sys import getrefcount
from time import perf_counter, sleep
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tree_sitter import Language as Grammar
    from tree_sitter import Node, Query, QueryCursor, Tree

SLICE_MS: Final = 2.5  # what a parse on the loop may take
HOLD_MS: Final = 1.0  # how long a parse beside the loop keeps the GIL
_PAUSE_MS: Final = 0.1
MAX_BYTE: Final = 2**32 - 1  # tree-sitter counts bytes in 32 bits
_CHUNK_BYTES: Final = 4096
_CHECKPOINT: Final = 1024
_CONTINUATION: Final = bytes(range(0x80, 0xC0))
_release: Final = pythonapi.Py_DecRef


class Deadline:
    """Gives a parse up after about ``budget_ms`` milliseconds."""

    def __init__(self, budget_ms: float) -> None:
        self._stop_at = perf_counter() + budget_ms / 1000

    def __call__(self) -> bool:
        return perf_counter() >= self._stop_at


class Courtesy:
    """Lets other threads run every ``HOLD_MS``; gives the parse up when ``cancelled`` is set."""

    def __init__(self) -> None:
        self.cancelled = False
        self._pause_at = perf_counter() + HOLD_MS / 1000

    def __call__(self) -> bool:
        if perf_counter() >= self._pause_at:
            # Not 0: the waiting thread must have time to wake up before we ask for the GIL again.
            sleep(_PAUSE_MS / 1000)
            self._pause_at = perf_counter() + HOLD_MS / 1000
        return self.cancelled


def parse(
    grammar: Grammar, text: str, old: Tree | None, give_up: Callable[[], bool]
) -> Tree | None:
    """Return the tree of ``text``, or None if ``give_up``, called again and again, said so.

    ``old`` is an `edited` tree of an earlier version; what it knows is not parsed again.
    """
    from tree_sitter import Parser  # noqa: PLC0415  (a lazy import, see above)

    pieces: list[bytes] = []
    run = partial(
        Parser(grammar).parse,
        _reader(text.encode(), pieces),
        encoding="utf8",
        progress_callback=lambda _byte, _has_error: give_up(),
    )
    try:
        # py-tree-sitter wants `old_tree` to be a tree or absent.
        return run() if old is None else run(old_tree=old)
    except ValueError:
        # What it raises when the callback stopped the parse.
        return None
    finally:
        _take_back(pieces)


def _reader(source: bytes, pieces: list[bytes]) -> Callable[[int, object], bytes]:
    """Return what hands ``source`` out piece by piece, and notes each piece in ``pieces``."""

    # A tree keeps its reader for `Node.text`; it holds on to nothing but the bytes, or each tree
    # would keep those of all earlier versions alive.
    def read(byte: int, _point: object) -> bytes:
        # Not a slice: that of a short source is the source itself.
        piece = bytes(memoryview(source)[byte : byte + _CHUNK_BYTES])
        pieces.append(piece)
        return piece

    return read


def _take_back(pieces: list[bytes]) -> None:
    """Give up the references to ``pieces`` that py-tree-sitter forgets, and empty the list.

    Its reader (0.25 and 0.26) never releases what it was given: 4 kB a parse, and so a key press.
    How many references are right is seen from a piece that it was not given; where it has
    learned to release them, none has more.
    """
    all_pieces = [bytes(bytearray(2)), *pieces]
    pieces.clear()
    right = 0
    for piece in all_pieces:
        count = getrefcount(piece)
        right = right or count
        # The empty piece and those of one byte are shared by all of Python.
        if len(piece) > 1 and count == right + 1:
            _release(py_object(piece))


def edited(tree: Tree, text: str, start: int, end: int, new_text: str) -> Tree:
    """Return a copy of ``tree`` told that ``text[start:end]`` became ``new_text``.

    The tree handed in belongs to a snapshot and stays as it is.
    """
    start_byte = _byte_length(text[:start])
    removed, added = text[start:end], new_text
    start_point = _point_after((0, 0), text[:start])
    copy = tree.copy()
    copy.edit(
        start_byte,
        start_byte + _byte_length(removed),
        start_byte + _byte_length(added),
        start_point,
        _point_after(start_point, removed),
        _point_after(start_point, added),
    )
    return copy


def _point_after(point: tuple[int, int], text: str) -> tuple[int, int]:
    """Move a tree-sitter point over ``text``: only line feeds end rows, columns are bytes."""
    row, column = point
    last = text.rfind("\n")
    if last < 0:
        return row, column + _byte_length(text)
    return row + text.count("\n"), _byte_length(text[last + 1 :])


def _byte_length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


class ByteOffsets:
    """Converts between tree-sitter's UTF-8 byte offsets and code point offsets of one text.

    Building one for 200 kB that are not ASCII takes 0.3 ms, a conversion then microseconds.
    """

    __slots__ = ("_ascii", "_checkpoints", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._ascii = text.isascii()
        chunks = (text[i : i + _CHECKPOINT] for i in range(0, len(text), _CHECKPOINT))
        self._checkpoints = (
            [0] if self._ascii else list(accumulate(map(_byte_length, chunks), initial=0))
        )

    def to_byte(self, offset: int) -> int:
        """Return the byte offset of a code point."""
        if self._ascii:
            return min(offset, len(self._text))
        index = min(offset, len(self._text)) // _CHECKPOINT
        return self._checkpoints[index] + _byte_length(self._text[index * _CHECKPOINT : offset])

    def to_offset(self, byte: int) -> int:
        """Return the code point that holds a byte; at or behind the end, the text's length."""
        if self._ascii:
            return min(byte, len(self._text))
        index = bisect_right(self._checkpoints, byte) - 1
        start = index * _CHECKPOINT
        head = self._text[start : start + _CHECKPOINT].encode()[: byte - self._checkpoints[index]]
        return min(start + len(head.decode(errors="ignore")), len(self._text))


def surrounding(
    tree: Tree, offsets: ByteOffsets, start: int, end: int, size: int
) -> tuple[int, int]:
    """Return where the largest node of at most ``size`` bytes around a range begins and ends.

    All in code point offsets but the size; the range itself where the smallest node is too large.
    """
    first, last = offsets.to_byte(start), offsets.to_byte(end)
    # A place at the end of a line belongs to what ends there.
    node = tree.root_node.descendant_for_byte_range(max(first - 1, 0), last)
    best: Node | None = None
    while node is not None and node.parent is not None and node.end_byte - node.start_byte <= size:
        best, node = node, node.parent
    if best is None:
        return start, end
    low, high = offsets.to_offset(best.start_byte), offsets.to_offset(best.end_byte)
    return min(low, start), max(high, end)


def spanned(tree: Tree, offsets: ByteOffsets, start: int, end: int) -> int:
    """Return where the smallest node ends that holds a range; all in code point offsets."""
    node = tree.root_node.descendant_for_byte_range(offsets.to_byte(start), offsets.to_byte(end))
    return end if node is None else offsets.to_offset(node.end_byte)


def holder_end(tree: Tree, start_byte: int, end_byte: int) -> int | None:
    """Return where the node ends that begins in a range and goes on behind it, if it is closed.

    The innermost such node counts, and it is closed if its last part is a word or a mark of its
    own: ``}``, ``end``. What ends with its last statement, as in Python, never is.
    """
    node = tree.root_node.descendant_for_byte_range(end_byte - 1, end_byte - 1)
    while node is not None and node.end_byte <= end_byte:
        node = node.parent
    if node is None or node.parent is None or node.start_byte < start_byte or node.has_error:
        return None
    last = node.children[-1] if node.children else None
    return node.end_byte if last is not None and not last.is_named else None


def error_nodes(tree: Tree, start_byte: int = 0, end_byte: int = MAX_BYTE) -> Iterator[Node]:
    """Yield the ERROR and MISSING nodes that touch a byte range (the whole file by default).

    Only subtrees with errors are entered; inside an ERROR node, only deeper ERRORs count.
    """
    root = tree.root_node
    pending = [root] if root.has_error else []
    while pending:
        node = pending.pop()
        if node.is_error or node.is_missing:
            yield node
        cursor = node.walk()
        more = cursor.goto_first_child()
        while more:
            child = cursor.node
            if child is None or child.start_byte > end_byte:
                break
            if child.has_error and child.end_byte >= start_byte:
                pending.append(child)
            more = cursor.goto_next_sibling()


def error_count(tree: Tree, start_byte: int = 0, end_byte: int = MAX_BYTE) -> int:
    """Return how many ERROR and MISSING nodes touch a byte range."""
    return sum(1 for _ in error_nodes(tree, start_byte, end_byte))


def captures(
    query: Query, tree: Tree, start_byte: int = 0, end_byte: int = MAX_BYTE
) -> dict[str, list[Node]]:
    """Return the nodes a query captures by name, in the order of the text, outer ones first.

    With a range only nodes that touch it. A query over a whole big file takes some ms on the
    loop; give it the range that matters.
    """
    found = _cursor(query, start_byte, end_byte).captures(tree.root_node)
    return {
        name: sorted(
            (node for node in nodes if node.start_byte < end_byte and node.end_byte > start_byte),
            key=lambda node: (node.start_byte, -node.end_byte),
        )
        for name, nodes in found.items()
    }


def matches(
    query: Query, tree: Tree, start_byte: int = 0, end_byte: int = MAX_BYTE
) -> list[tuple[int, dict[str, list[Node]]]]:
    """Return each match of a query: the pattern's index in its file and its captures by name.

    A match counts if its outermost node touches the range, its captures may lie elsewhere.
    """
    return _cursor(query, start_byte, end_byte).matches(tree.root_node)


def _cursor(query: Query, start_byte: int, end_byte: int) -> QueryCursor:
    from tree_sitter import QueryCursor  # noqa: PLC0415  (a lazy import, see above)

    cursor = QueryCursor(query)
    cursor.set_byte_range(start_byte, end_byte)
    return cursor
