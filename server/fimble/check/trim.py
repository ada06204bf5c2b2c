"""From what the model wrote to what may be shown: small pure functions, text in and text out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fimble.check.place import closes, indent, joins_words, opens, unspaced, width
from fimble.check.stop import (
    FENCE,
    LONG_LINE_CHARS,
    SENTINEL,
    Mode,
    kept,
    meets,
    past_preamble,
    repeats_below,
)

if TYPE_CHECKING:
    from fimble.check.place import Place

_PAIRS: Final = {")": "(", "]": "[", "}": "{", ">": "<"}
_QUOTES: Final = "\"'`"
_TRIPLES: Final = ('"""', "'''", "```")
_OVERLAP_CHARS: Final = 200


@dataclass(frozen=True, slots=True)
class Trimmed:
    """Text to insert, and how many characters right of the cursor it replaces.

    ``fills`` says that the model went on with all of the other text in the line, or ended where
    that begins: the text is just what was missing. ``reason`` says why the text is empty:
    ``empty`` or ``duplicate``.
    """

    text: str
    replaced: int = 0
    reason: str = ""
    fills: bool = False


def trim(
    raw: str, place: Place, mode: Mode, *, cut_short: bool = False, ended: bool = False
) -> Trimmed:
    """Apply every rule.

    ``cut_short`` says that the last line may be half a line, ``ended`` that the model came to an
    end by itself.
    """
    raw = go_on(raw, place) if ended else raw
    text = raw.replace("\r\n", "\n").replace("\r", "\n")
    text = unfence(past_preamble(cut_sentinels(text), place), place)
    lines = text.split("\n")
    if cut_short and len(lines) > 1:
        lines.pop()
        while len(lines) > 1 and opens(lines[-1], place.style):
            lines.pop()
    text = "\n".join(kept(lines, place, mode))
    text = strip_ends(fix_indent(drop_leading_blanks(text, place), place))
    if repeats_around(text or lines[0], place):
        return Trimmed("", reason="duplicate")
    if not text.strip():
        return Trimmed("", reason="empty")
    fills = meets(text, place.after)
    text, replaced = meet_rest(text if fills else drop_spare_closers(text, place), place.after)
    if not text.strip():
        return Trimmed("", reason="duplicate")
    text = text if replaced or fills else part_words(text, raw, place.after)
    if not text:
        return Trimmed("", reason="empty")
    return Trimmed(text.replace("\n", place.newline), replaced, fills=fills)


def go_on(text: str, place: Place) -> str:
    """Add the other text in the line to what ended before it, unless two words became one."""
    rest = place.after
    if closes(rest) or place.noted or meets(text, rest) or _overlap(text, rest):
        return text
    return text if joins_words(text, rest) else text + rest


def cut_sentinels(text: str) -> str:
    """Cut at the first special token that the model spelled out."""
    found = SENTINEL.search(text)
    return text[: found.start()] if found else text


def unfence(text: str, place: Place) -> str:
    """Take code out of a Markdown fence and leave the talk around it.

    Not in files that have fences of their own.
    """
    if place.fenced:
        return text
    fence = FENCE.search(text)
    if fence is None:
        return text
    opening = text[: fence.start()].strip()
    if opening and not opening.endswith(":"):
        return text[: fence.start()]
    inside = text[fence.end() :].partition("\n")[2]
    return FENCE.split(inside, maxsplit=1)[0]


def drop_leading_blanks(text: str, place: Place) -> str:
    """On a blank line begin right there and not some lines below."""
    if not place.blank:
        return text
    lines = text.split("\n")
    while len(lines) > 1 and not lines[0].strip():
        del lines[0]
        if place.before and lines[0].startswith(place.before):
            lines[0] = lines[0].removeprefix(place.before)
    return "\n".join(lines)


def fix_indent(text: str, place: Place) -> str:
    """Indent like the file: its unit, and the first line where the cursor already stands."""
    first, *rest = text.split("\n")
    rest = [_in_unit(line, place.unit) for line in rest]
    spare = len(indent(first)) if _stands_indented(place) else 0
    depth = width(place.before) + spare
    if place.blank and all(width(line) >= depth for line in rest if line.strip()):
        rest = [line[min(spare, len(indent(line))) :] for line in rest]
    return "\n".join([first[spare:], *rest])


def strip_ends(text: str) -> str:
    """Drop trailing white space of each line, and blank lines at the end."""
    return "\n".join(line.rstrip() for line in text.split("\n")).rstrip()


def repeats_around(text: str, place: Place) -> bool:
    """Tell whether the text, with the line it continues, is only the line above or those below."""
    if place.blank and place.above == f"{place.before}{text}" and len(text) > LONG_LINE_CHARS:
        return True
    if not place.below or not text.strip():
        return False
    lines = [line.strip() for line in (place.before + text).split("\n") if line.strip()]
    below = [line.strip() for line in place.below]
    if lines == below[: len(lines)] and (len(lines) > 1 or repeats_below(lines[0], place)):
        return True
    only = text.strip()
    return len(only) > 3 and only == below[0] and not closes(only)


def drop_spare_closers(text: str, place: Place) -> str:
    """Drop closers at the very end that the next line brings for the same bracket."""
    while place.below and text and text[-1] in ")]}":
        spare = unmatched(place.before + text)
        if not spare.endswith(text[-1]) or not place.below[0].lstrip().startswith(text[-1]):
            break
        text = text[:-1].rstrip()
    return text


def meet_rest(text: str, rest: str) -> tuple[str, int]:
    """Let the end of the text meet the rest of the line: nothing may stand there twice.

    Closers that the text brings itself are replaced, so that accepting it leaves the cursor
    behind them; other text that it repeats is cut from its end. If that is all of the rest, the
    line becomes just what the model wrote.
    """
    if not rest.strip():
        return text, 0
    if closes(rest):
        return text, contained(text, rest)
    if meets(text, rest):
        space = rest[: len(rest) - len(rest.lstrip())]
        head = before_rest(text, rest)
        return head.removesuffix(space) if head.endswith(space) else head.rstrip(" \t"), 0
    overlap = _overlap(text, rest)
    return text[: len(text) - overlap].rstrip(), 0


def before_rest(text: str, rest: str) -> str:
    """Return what stands before the rest of the line in a text that ends with it."""
    visible = [at for at, char in enumerate(text) if not char.isspace()]
    return text[: visible[-len(unspaced(rest))]]


def part_words(text: str, raw: str, rest: str) -> str:
    """Keep the last word of the text and the first one of the rest apart, or give the text up.

    A space that the model wrote between them comes back: white space at the end was trimmed.
    """
    if not rest[:1].strip() or closes(rest):
        return text
    if raw.find(f"{text} ") >= 0:
        return f"{text} "
    return "" if joins_words(text, rest) else text


def contained(text: str, closers: str) -> int:
    """Return how many characters of ``closers`` the text already has as closers of its own.

    They are those that close nothing opened in the text itself, in the same order.
    """
    whole = closers.strip()
    if ("</" in whole or whole[:3] in _TRIPLES) and whole in text:
        return len(closers.rstrip())
    done = end = 0
    for at in _unmatched_at(text, closers):
        while done < len(closers) and closers[done].isspace():
            done += 1
        if done < len(closers) and closers[done] == text[at]:
            done, end = done + 1, at + 1
    left = closers[done:].rstrip()
    ends_alike = left and not left.strip(";,:") and text.endswith(left)
    has_colon = left == ":" and _begins_body(text[end:])
    return done + len(left) if ends_alike or has_colon else done


def unmatched(text: str, *, quotes: str = "") -> str:
    """Return the closers in ``text`` whose openers lie before it, in order.

    A quote is a closer if it is in ``quotes`` and no other one of its kind came before.
    """
    return "".join(text[at] for at in _unmatched_at(text, quotes))


def _unmatched_at(text: str, quotes: str) -> list[int]:
    """Return where the `unmatched` closers are."""
    found, opened, quote = dict[int, str](), [""], ""
    for at, char in enumerate(text):
        if quote:
            quote = "" if char == quote and text[at - 1] != "\\" else quote
        elif char in _QUOTES:
            if char in quotes and char not in found.values():
                found[at] = char
            elif text.find(char, at + 1) > 0:
                quote = char
        elif char in "([{" or (char == "<" and ">" in quotes):
            opened.append(char)
        elif char in ")]}" or (char == ">" in quotes and text[at - 1 : at] not in {"=", "-"}):
            if opened[-1] == _PAIRS[char]:
                opened.pop()
            else:
                found[at] = char
    return list(found)


def _begins_body(text: str) -> bool:
    """Tell whether a colon stands at the beginning of this text, or at the end of its first line.

    It parts a head from its body, or a key from its value: that may be followed by more.
    """
    return text.lstrip().startswith(":") or text.partition("\n")[0].rstrip().endswith(":")


def _overlap(text: str, rest: str) -> int:
    """Return the length of the text's end that repeats the beginning of ``rest``.

    White space does not count, and words are not torn: ``fee`` does not meet ``ee + 1``.
    """
    want = unspaced(rest)[:_OVERLAP_CHARS]
    visible = [at for at, char in enumerate(text) if not char.isspace()][-len(want) :]
    have = "".join(text[at] for at in visible)
    for size in range(len(have), 0, -1):
        start = visible[-size]
        torn = start and text[start].isalnum() and text[start - 1].isalnum()
        if have[-size:] == want[:size] and not torn and size > 1:
            return len(text) - start
    return 0


def _in_unit(line: str, unit: str) -> str:
    """Return the line with its indentation in the file's own kind of white space.

    Spaces behind tabs align: they stay. A column too many is that of a comment's star.
    """
    space = indent(line)
    if unit == "\t" and space.startswith(" "):
        columns = width(line)
        step = 4 if columns % 4 < 2 else 2
        return "\t" * (columns // step) + " " * (columns % step) + line[len(space) :]
    if unit != "\t" and "\t" in space:
        return space.replace("\t", unit) + line[len(space) :]
    return line


def _stands_indented(place: Place) -> bool:
    """Tell whether the cursor stands where the text has to begin, after white space."""
    if not place.before[-1:].isspace():
        return False
    deeper = opens(place.above, place.style) and width(place.above) >= width(place.before)
    return bool(place.before.strip()) or not (deeper or _within_step(place))


def _within_step(place: Place) -> bool:
    """Tell whether the white space before the cursor is no indentation yet.

    Who types it space by space, or goes back by one, stands where no line around begins.
    """
    columns = width(place.before)
    around = {width(line) for line in (place.above, *place.below[:1])}
    return columns % width(place.unit) > 0 and columns not in around
