"""What one answer is worth. Pure but for parsing, and running a row's test."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fimble.check.parse import closed
from fimble.check.stop import SENTINEL
from fimble.measure.eval.execute import Runner
from fimble.measure.eval.rows import Judge, Row
from fimble.source.languages import Languages
from fimble.source.text import Snapshot
from fimble.source.tree import error_count

_STRING: Final = re.compile(r"\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`")
_IDENTIFIER: Final = re.compile(r"[^\W\d]\w*")
_TYPED: Final = re.compile(r"\w*\Z")


@dataclass(frozen=True, slots=True)
class Edit:
    """A suggestion: ``text`` for ``start`` to ``end``, offsets in the row's text."""

    text: str
    start: int
    end: int

    def apply(self, text: str) -> str:
        """Accept it."""
        return text[: self.start] + self.text + text[self.end :]


@dataclass(frozen=True, slots=True)
class Score:
    """What a suggestion is worth; of none everything is false, but what says that it did harm.

    ``passed`` is None without a test. ``worse`` says that the file parses worse with it as it
    stands, ``worse_closed`` that it does so even with everything closed that it opens; ``leaked``
    that it holds a special token, ``repeats`` that one of its lines is also the one below it.
    ``listed`` says that the right one is among the first of a list.
    """

    shown: bool = False
    exact: bool = False
    listed: bool = False
    passed: bool | None = None
    similarity: float = 0.0
    identifiers: float = 0.0
    worse: bool = False
    worse_closed: bool = False
    leaked: bool = False
    repeats: bool = False

    @property
    def right(self) -> bool:
        """Exactly what was missing, or something else that passes the test."""
        return self.exact or bool(self.passed)


async def score(row: Row, edit: Edit | None, languages: Languages, runner: Runner) -> Score:
    """Judge an answer to a row, with a test if it has one."""
    if edit is None or not edit.text.strip():
        return Score(passed=False if row.test else None)
    result = edit.apply(row.text)
    exact = is_exact(row, result)
    written, wanted = _compared(row, result)
    return Score(
        shown=True,
        exact=exact,
        passed=await runner.passes(result + row.test) if row.test else None,
        similarity=similarity(written, wanted),
        identifiers=identifier_f1(written, wanted),
        worse=is_worse(row, edit, languages),
        worse_closed=is_worse(row, edit, languages, close=True),
        leaked=has_sentinel(edit.text, row.whole),
        repeats=repeats_below(row, edit),
    )


def score_items(row: Row, edits: Sequence[Edit]) -> Score:
    """Judge a list of items: is the identifier its first one, is it among them."""
    typed = _TYPED.search(row.before)
    start = typed.start() if typed else len(row.before)
    name = row.before[start:] + row.missing
    hits = []
    for edit in edits:
        found = _IDENTIFIER.match(edit.apply(row.text), start)
        hits.append(found is not None and found[0] == name)
    return Score(shown=bool(edits), exact=hits[:1] == [True], listed=any(hits))


# --- right or wrong -------------------------------------------------------------------------------


def is_exact(row: Row, result: str) -> bool:
    """Tell whether the file is as it should be, as far as the row's judge looks.

    Trailing spaces never count. For LINES the cursor's line counts and as many below it as are
    missing; blank lines that come first do not, where a whole line is missing.
    """
    if row.judge is Judge.BLOCK:
        return _stripped(result) == _stripped(row.whole)
    written, wanted = _compared(row, result)
    return written == wanted


def _compared(row: Row, result: str) -> tuple[str, str]:
    """Return what was written at the cursor and what should have been, trimmed alike."""
    if not result.startswith(row.before):
        return result, row.before + row.missing  # It changed what was left of the cursor.
    written, wanted = result[len(row.before) :], row.missing
    if row.judge is Judge.BLOCK:
        return _stripped(written.removesuffix(row.after)), _stripped(wanted)
    count = wanted.count("\n") + 1
    rest = (row.missing + row.after).split("\n")
    wanted = "\n".join(line.rstrip() for line in rest[:count])
    lines = written.split("\n")
    if not row.before or row.before.endswith("\n"):
        while len(lines) > 1 and not lines[0].strip():
            lines.pop(0)
    written = "\n".join(line.rstrip() for line in lines[:count])
    if row.judge is Judge.BARE_LINES:
        return written.strip(), wanted.strip()
    return written, wanted


def _stripped(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.rstrip().split("\n"))


def similarity(one: str, other: str) -> float:
    """Return the edit similarity from 0 to 1: twice what they share over what they have.

    What is shared is their longest common subsequence, as in the published scores (fuzz.ratio).
    """
    if not one and not other:
        return 1.0
    row = [0] * (len(other) + 1)
    for char in one:
        before = 0
        for index, match in enumerate(other, 1):
            above = row[index]
            row[index] = before + 1 if char == match else max(above, row[index - 1])
            before = above
    return 2 * row[-1] / (len(one) + len(other))


def identifier_f1(one: str, other: str) -> float:
    """Return the F1 of the sets of identifiers, those in strings left out; 1 if neither has any."""
    mine, theirs = (set(_IDENTIFIER.findall(_STRING.sub("", text))) for text in (one, other))
    if not mine and not theirs:
        return 1.0
    return 2 * len(mine & theirs) / (len(mine) + len(theirs))


# --- harm -----------------------------------------------------------------------------------------


def is_worse(row: Row, edit: Edit, languages: Languages, *, close: bool = False) -> bool:
    """Tell whether the file has more ERROR or MISSING nodes with the suggestion than without."""
    language = languages.for_path(row.path)
    grammar = languages.grammar(language)
    before = Snapshot.open(row.path, 1, language, row.text).parse(grammar)
    text = edit.text
    if close:
        text = closed(text, before, edit.start)
    result = Edit(text, edit.start, edit.end).apply(row.text)
    after = Snapshot.open(row.path, 2, language, result).parse(grammar)
    if before.tree is None or after.tree is None:
        return False
    return error_count(after.tree) > error_count(before.tree)


def has_sentinel(text: str, whole: str) -> bool:
    """Tell whether a suggestion holds a special token that the true file does not."""
    return any(found[0] not in whole for found in SENTINEL.finditer(text))


def repeats_below(row: Row, edit: Edit) -> bool:
    """Tell whether a suggested line is the next one below it, and should not be.

    Lines without a letter, closers above all, may well come twice.
    """
    result = edit.apply(row.text)
    first = result.rfind("\n", 0, edit.start) + 1
    last = edit.start + len(edit.text)
    end = result.find("\n", last)
    if end < 0:
        return False
    written = {line.strip() for line in result[first:end].split("\n")}
    below = next(filter(None, (line.strip() for line in result[end:].split("\n"))), "")
    if below not in written or not re.search(r"[^\W\d]", below):
        return False
    start = row.before.rfind("\n") + 1
    true_end = row.whole.find("\n", len(row.before) + len(row.missing))
    true_lines = row.whole[start : true_end if true_end >= 0 else None].split("\n")
    return below not in {line.strip() for line in true_lines}
