"""Where a place lies: in code, in a comment or in a string."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from fimble.source.tree import ByteOffsets

if TYPE_CHECKING:
    from tree_sitter import Node

    from fimble.source.text import Snapshot


class Inside(StrEnum):
    """What the text at a place is to the compiler."""

    CODE = "code"
    COMMENT = "comment"
    STRING = "string"


# Grammars name their nodes alike, so words in the names tell without compiling each language's
# `lexical.scm` (1 to 40 ms), which the tests hold against them. Code inside a string comes first.
_WORDS: Final = (
    (Inside.CODE, ("interpolation", "substitution", "expansion", "interpolated_expression")),
    (Inside.COMMENT, ("comment", "marginalia")),
    (
        Inside.STRING,
        ("string", "heredoc", "nowdoc", "quote", "block_scalar", "char", "rune", "regex"),
    ),
)


def inside(snapshot: Snapshot, offset: int) -> Inside:
    """Tell what the cursor at ``offset`` stands in; without a tree only line comments are known.

    Behind a string one is outside, behind a comment that only the end of the line closes inside.
    """
    tree = snapshot.tree or snapshot.stale
    if tree is None:
        line = snapshot.line_text(snapshot.line_of(offset)).lstrip()
        mark = snapshot.language.line_comment
        return Inside.COMMENT if mark and line.startswith(mark) else Inside.CODE
    if not offset:
        return Inside.CODE
    byte = ByteOffsets(snapshot.text).to_byte(offset)
    node = tree.root_node.descendant_for_byte_range(byte - 1, byte - 1)
    while node is not None:
        kind = _kind(node)
        open_end = kind is Inside.COMMENT and _ends_with_line(snapshot, offset)
        if kind is not None and node.start_byte < byte < node.end_byte + open_end:
            return kind
        node = node.parent
    return Inside.CODE


def _kind(node: Node) -> Inside | None:
    if not node.is_named:
        return None
    for kind, words in _WORDS:
        if any(word in node.type for word in words):
            return kind
    return None


def _ends_with_line(snapshot: Snapshot, offset: int) -> bool:
    """Tell whether a comment before the place goes on: no closing mark ends it."""
    block = snapshot.language.block_comment
    return block is None or not snapshot.text.endswith(block[1], 0, offset)
