"""The cursor's surroundings, cut out of a snapshot once for all checks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

from fimble.source.languages import BlockStyle

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fimble.source.text import Snapshot

LINES_BELOW: Final = 6
_SEARCHED_LINES: Final = 50
_STUDIED_LINES: Final = 60
_OPENERS: Final = {
    BlockStyle.INDENT: re.compile(r".*[:([{]"),
    BlockStyle.BRACES: re.compile(r".*(?:[{([]|=>|->)"),
    BlockStyle.END: re.compile(
        r".*(?:[{([]|\b(?:do|then|else|begin)|\bdo\s*\|[^|]*\||\bfunction\b.*\))"
        r"|\s*(?:def|class|module|if|elsif|unless|while|until|case|when)\b.*"
    ),
    BlockStyle.NONE: re.compile(r".*[:{([]|\s*<\w[^<>]*(?<!/)>"),
}
_CLOSING_WORDS: Final = frozenset({"end", "fi", "done", "esac"})
_CLOSERS: Final = re.compile(r"""(?:[\s)\]}>"'`;,:]|</[\w.:-]*>)*""")


@dataclass(frozen=True, slots=True)
class Place:
    """What stands around the cursor.

    ``before`` and ``after`` are the two halves of its line; ``above`` is the nearest line above
    that is not blank and ``below`` the next few such lines. ``unit`` is one step of the file's
    indentation, ``style`` what holds a body together, and ``fenced`` says that the file has
    Markdown fences of its own. ``noted`` says that the rest of the line is a comment.
    """

    before: str
    after: str
    above: str = ""
    below: tuple[str, ...] = ()
    unit: str = "    "
    style: BlockStyle = BlockStyle.NONE
    newline: str = "\n"
    fenced: bool = False
    noted: bool = False

    @property
    def blank(self) -> bool:
        """There is nothing on the line, or only what an editor put there."""
        return not self.before.strip() and closes(self.after)


def look(snapshot: Snapshot, offset: int) -> Place:
    """Describe the surroundings of ``offset``."""
    line = snapshot.line_of(offset)
    start, end = snapshot.line_range(line)
    offset = min(offset, end)
    above = range(line - 1, max(line - _SEARCHED_LINES, 0) - 1, -1)
    below = range(line + 1, min(line + _SEARCHED_LINES, snapshot.line_count))
    nearby = range(max(line - _STUDIED_LINES, 0), min(line + _STUDIED_LINES, snapshot.line_count))
    before, after = snapshot.text[start:offset], snapshot.text[offset:end]
    mark = snapshot.language.line_comment
    # Not of the cursor's line: it may be indented half as yet.
    others = (snapshot.line_text(one) for one in nearby if one != line)
    unit = indent_unit(others, snapshot.language.indent)
    return Place(
        before=before,
        after=after,
        above=next(_not_blank(snapshot, above), ""),
        below=tuple(islice(_not_blank(snapshot, below), LINES_BELOW)),
        unit="\t" if before.startswith("\t") else unit,
        style=snapshot.language.block_style,
        newline=snapshot.newline,
        fenced="```" in snapshot.text,
        noted=mark is not None and after.lstrip().startswith(mark),
    )


def closes(text: str) -> bool:
    """Tell whether there is nothing but closing brackets, quotes, tags and separators."""
    return bool(_CLOSERS.fullmatch(text))


def joins_words(left: str, right: str) -> bool:
    """Tell whether the end of one text and the beginning of the next make one word."""
    return _is_word(left[-1:]) and _is_word(right[:1])


def unspaced(text: str) -> str:
    """Return a text without its white space."""
    return "".join(text.split())


def opens(line: str, style: BlockStyle) -> bool:
    """Tell whether a body must follow this line."""
    return bool(_OPENERS[style].fullmatch(line.rstrip()))


def closing(line: str) -> bool:
    """Tell whether this line does nothing but end a block."""
    bare = line.strip()
    return bool(bare) and (closes(bare) or bare.rstrip(");,") in _CLOSING_WORDS)


def may_close(line: str) -> bool:
    """Tell whether this unfinished line can still become a `closing` one."""
    bare = line.strip()
    return closing(line) or any(word.startswith(bare) for word in _CLOSING_WORDS)


def indent(line: str) -> str:
    """Return the white space a line begins with."""
    return line[: len(line) - len(line.lstrip(" \t"))]


def width(line: str, tab: int = 4) -> int:
    """Return how far a line is indented, in columns."""
    return len(indent(line).expandtabs(tab))


def indent_unit(lines: Iterable[str], custom: str) -> str:
    """Return one step of indentation as these lines have it, or the language's custom."""
    indents = [indent(line) for line in lines if line.strip()]
    tabs = sum(1 for space in indents if space.startswith("\t"))
    widths = [len(space) for space in indents if space.startswith("  ")]
    if tabs > len(widths):
        return "\t"
    return " " * min(widths) if widths and min(widths) in {2, 3, 4, 8} else custom


def _is_word(char: str) -> bool:
    return char.isalnum() or char == "_"


def _not_blank(snapshot: Snapshot, numbers: range) -> Iterator[str]:
    for number in numbers:
        line = snapshot.line_text(number)
        if line.strip():
            yield line
