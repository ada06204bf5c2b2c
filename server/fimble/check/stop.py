"""Stop rules: where a suggestion ends, judged line by line while the model writes.

The model almost never stops by itself (raw output run to 128 tokens passes 0 of 75 single-line
tasks, cut at the first line 57 %), so these rules are a part of it. `trim` applies the same
rules to finished text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from fimble.check.place import Place, closes, closing, indent, may_close, opens, unspaced, width
from fimble.source.languages import BlockStyle

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Mode(StrEnum):
    """How much is wanted."""

    LINE = "line"
    """The rest of the cursor's line."""
    GAP = "gap"
    """What is missing before other text in the cursor's line; that may belong to a later line."""
    BLOCK = "block"
    """Statements as deep as the cursor's line."""
    BODY = "body"
    """The body that the cursor's line opens, its closing line included."""
    FILL = "fill"
    """Statements as in a block, but as many as a body has."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one mode: ``blanks`` blank lines in a row, lines, and tokens of the model."""

    blanks: int
    lines: int
    tokens: int


LIMITS: Final = {
    Mode.LINE: Limits(blanks=0, lines=1, tokens=64),
    Mode.GAP: Limits(blanks=1, lines=8, tokens=96),
    Mode.BLOCK: Limits(blanks=0, lines=8, tokens=128),
    Mode.BODY: Limits(blanks=1, lines=16, tokens=192),
    Mode.FILL: Limits(blanks=1, lines=16, tokens=192),
}
MAX_LINE_CHARS: Final = 240
MAX_LEADING_BLANKS: Final = 2
LONG_LINE_CHARS: Final = 8
_WHOLE_REST_CHARS: Final = 3
COUNTED: Final = 13
"""More than the months of a year."""

SENTINEL: Final = re.compile(
    r"<\|(?:fim_|file_sep|repo_name|endoftext|im_start|im_end|end_of|code_)[a-z_]*(?:\|>)?"
    r"|</?(?:fim_(?:prefix|suffix|middle|pad)|file_sep|repo_name|filename)>|<\uff5c[^\uff5c\n]{1,24}\uff5c>"
    r"| ?<(?:EOT|PRE|SUF|MID)>"
)
"""Special tokens of the known models, spelled out as ordinary text."""
FENCE: Final = re.compile(r"^[ \t]*(?:```|~~~)", re.MULTILINE)
_CHATTER: Final = re.compile(
    r"\s*(?:sure|certainly|of course|okay|here(?:'s| is| are)|below is|the following)\b.*[:.!]\s*",
    re.IGNORECASE,
)
_ECHO: Final = re.compile(r"(.{3,40}?)\1{7,}")
_WORDS: Final = re.compile(r"\w")
_GOES_ON: Final = re.compile(
    r"\s*(?:[)\]}]|</|(?:else|elif|elsif|elseif|except|finally|catch|rescue|ensure)\b)"
)
"""How a line begins that ends a block, or goes on with it."""


class Stopper:
    """Takes the model's text piece by piece and says when it is enough.

    ``syntax`` is asked after each whole line that no other rule ends: it names a rule or nothing.
    """

    def __init__(
        self, place: Place, mode: Mode, syntax: Callable[[str], str] = lambda _text: ""
    ) -> None:
        self.text = ""
        self.reason = ""
        """Which rule ended it; empty while none did."""
        self._place = place
        self._mode = mode
        self._syntax = syntax
        self._judged = 0

    def feed(self, piece: str) -> bool:
        """Take a piece; true means that nothing after it is wanted."""
        self.text += piece
        if SENTINEL.search(self.text, max(0, len(self.text) - len(piece) - 24)):
            self.reason = "sentinel"
        lines = past_preamble(self.text, self._place).split("\n")
        while not self.reason and self._judged < len(lines) - 1:
            self.reason = end_at(lines[:-1], self._judged, self._place, self._mode)
            self._judged += 1
            if not self.reason:
                self.reason = self._syntax("\n".join(lines[: self._judged]))
        if not self.reason:
            self.reason = self._early(lines)
        return bool(self.reason)

    def _early(self, lines: Sequence[str]) -> str:
        """Judge the unfinished line as far as that is sure: each token costs 20 ms or more."""
        last = lines[-1]
        if len(last) > MAX_LINE_CHARS:
            return "long"
        if echoes(last):
            return "loop"
        at = len(lines) - 1
        is_sure = at and last.strip() and not may_close(last)
        if is_sure and (outside := dedented(lines, at, self._place, self._mode)):
            return outside
        rest = self._place.after.strip()
        if len(rest) >= _WHOLE_REST_CHARS and not tears(last, rest) and meets(last, rest):
            return "rest"
        return ""


def past_preamble(text: str, place: Place) -> str:
    """Leave out what a chatty model says before the code, and the fence it opens then.

    Only where a statement begins, and not in prose or in files that have fences of their own.
    """
    if place.fenced or not place.blank or place.style is BlockStyle.NONE:
        return text
    lines = text.split("\n")
    at, fenced = 0, False
    while at + 1 < len(lines) and not fenced:
        fenced = bool(FENCE.match(lines[at]))
        if not fenced and lines[at].strip() and not _CHATTER.fullmatch(lines[at]):
            break
        at += 1
    said = any(line.strip() for line in lines[:at])
    return "\n".join(lines[at:]) if said else text


def kept(lines: Sequence[str], place: Place, mode: Mode) -> list[str]:
    """Return the lines that the rules keep, from the first on."""
    for at in range(len(lines)):
        reason = end_at(lines, at, place, mode)
        if reason:
            dropped = 0 if reason in _INCLUSIVE else loops(lines, at) or 1
            lines = lines[: at + 1 - dropped]
            break
    if mode is Mode.GAP and lines and not meets(lines[-1], place.after):
        lines = lines[:1]
    return list(lines)


_INCLUSIVE: Final = frozenset({"newline", "rest", "closed", "lines"})


def end_at(lines: Sequence[str], at: int, place: Place, mode: Mode) -> str:
    """Say why the whole line ``at`` is the last one, or the first unwanted; empty to go on.

    ``newline``, ``rest``, ``closed`` and ``lines`` keep the line, every other reason drops it.
    """
    if mode is Mode.LINE:
        return "loop" if echoes(lines[at]) else "newline"
    if mode is Mode.GAP and meets(lines[at], place.after):
        return "rest"
    if not lines[at].strip():
        return _blank(lines, at, place, mode)
    return _unwanted(lines, at, place, mode) or _last(lines, at, place, mode)


def _unwanted(lines: Sequence[str], at: int, place: Place, mode: Mode) -> str:
    line = lines[at]
    if not place.fenced and FENCE.match(line):
        return "fence"
    if repeats_below(line if at else place.before + line, place, exact=at > 0):
        return "suffix"
    if loops(lines, at):
        return "loop"
    return dedented(lines, at, place, mode) if at else ""


def _last(lines: Sequence[str], at: int, place: Place, mode: Mode) -> str:
    line = lines[at]
    if at and mode is Mode.BODY and closing(line) and width(line) == width(place.before):
        return "closed"
    return "lines" if at + 1 >= LIMITS[mode].lines else ""


def dedented(lines: Sequence[str], at: int, place: Place, mode: Mode) -> str:
    """Say ``dedent`` if line ``at`` lies outside the block that was begun; a gap may lead there."""
    if mode is Mode.GAP:
        return ""
    line = lines[at]
    floor = _floor(lines, place)
    if mode is Mode.BODY and not closing(line):
        floor += 1
    return "dedent" if width(line) < floor else ""


def meets(line: str, rest: str) -> bool:
    """Tell whether a line ends with the rest of the cursor's, other than closers.

    White space does not count.
    """
    return not closes(rest) and unspaced(line).endswith(unspaced(rest))


def tears(line: str, rest: str) -> bool:
    """Tell whether ``rest`` begins inside a word of the line that it ends."""
    start = len(line.rstrip()) - len(rest.strip())
    return start > 0 and line[start - 1].isalnum() and line[start].isalnum()


def repeats_below(line: str, place: Place, *, exact: bool = True) -> bool:
    """Tell whether ``line`` is the line that already follows the cursor.

    A line of closers counts only where it is indented alike (``exact``): inner blocks end too.
    Long lines also count if they come a little further below, indented alike.
    """
    bare = line.strip()
    if exact and len(bare) >= LONG_LINE_CHARS and _is_further_below(line.rstrip(), place):
        return True
    if not place.below or bare != place.below[0].strip():
        return False
    same_depth = indent(line) == indent(place.below[0])
    return same_depth or (bool(_WORDS.search(line)) and not closing(line)) or not exact


def _is_further_below(line: str, place: Place) -> bool:
    """Tell whether ``line`` comes behind the next one, and not in a block that begins below.

    There it is another one: guards and stubs are often alike.
    """
    least = width(line) + bool(_GOES_ON.match(line))
    for at, other in enumerate(place.below):
        if at and other == line:
            return True
        if width(other) < least:
            return False
    return False


def loops(lines: Sequence[str], at: int) -> int:
    """Return how many lines to drop because the lines up to ``at`` run in a circle, or 0.

    One line three times over, two to four lines twice, or one line that repeats itself inside.
    """
    if echoes(lines[at]):
        return 1
    window = lines[max(at - 7, 0) : at + 1]
    if len(window) >= 3 and len(set(window[-3:])) == 1:
        return 2
    for size in (2, 3, 4):
        group = window[-size:]
        if len(window) >= 2 * size and group == window[-2 * size : -size]:
            return size if any(map(_WORDS.search, group)) else 0
    return 0


def echoes(line: str) -> bool:
    """Tell whether a line repeats itself inside, over and over; a ruler may."""
    found = _ECHO.search(line)
    return found is not None and bool(_WORDS.search(found[1]))


def counts_up(text: str) -> bool:
    """Tell whether the lines at the end of a text, one to three each, only count up.

    Small models enumerate cases until they are stopped.
    """
    lines = [re.sub(r"\d+", "", line) for line in text.split("\n")[:-1]]
    for size in (1, 2, 3):
        last = lines[-size * COUNTED :]
        groups = {tuple(last[at : at + size]) for at in range(0, len(last), size)}
        if len(last) == size * COUNTED and len(groups) == 1 and any(line.strip() for line in last):
            return True
    return False


def _blank(lines: Sequence[str], at: int, place: Place, mode: Mode) -> str:
    """Judge a blank line: some may lead, a few may stand between."""
    if not any(line.strip() for line in lines[:at]):
        opened = place.before.strip() and opens(place.before, place.style)
        allowed = MAX_LEADING_BLANKS if opened or place.blank or mode is Mode.GAP else 0
        return "" if at < allowed else "blank"
    run = 0
    while run <= at and not lines[at - run].strip():
        run += 1
    return "blank" if run > LIMITS[mode].blanks else ""


def _floor(lines: Sequence[str], place: Place) -> int:
    """Return the indentation below which a line is not in the cursor's block any more."""
    if place.before:
        return width(place.before)
    return next((width(line) for line in lines if line.strip()), 0)
