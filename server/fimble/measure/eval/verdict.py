"""What an action's result is worth, and what many of them come to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from fimble.measure.eval.act import Deed
from fimble.measure.eval.execute import Runner
from fimble.measure.eval.figures import spread, versus
from fimble.measure.eval.lint import Found, linted
from fimble.measure.eval.stats import paired, rate
from fimble.measure.eval.tasks import IMPLEMENT, LINTERS, TaskRow
from fimble.measure.figures import percentile
from fimble.source.around import enclosing
from fimble.source.languages import Languages
from fimble.source.text import Snapshot
from fimble.source.tree import error_count


@dataclass(frozen=True, slots=True)
class Verdict:
    """How good a result is; of none everything is false, but what says that it did harm.

    ``right`` says that the tests pass, or that the diagnostic is gone. ``worse`` says that the
    file parses worse than before, ``outside`` that something was changed beyond the diagnostic's
    lines and the definition around them, imports excepted. ``why`` is what the test printed.
    """

    done: bool = False
    right: bool = False
    worse: bool = False
    outside: bool = False
    why: str = ""


@dataclass(frozen=True, slots=True)
class JudgedDeed:
    """One side's result for a row and what it is worth."""

    row: TaskRow
    deed: Deed
    verdict: Verdict


async def judge(row: TaskRow, deed: Deed, languages: Languages, runner: Runner) -> Verdict:
    """Judge a result."""
    if deed.text is None:
        return Verdict()
    right, why = await _is_right(row, deed.text, runner)
    return Verdict(
        done=True,
        right=right,
        worse=_errors(row, deed.text, languages) > _errors(row, row.text, languages),
        outside=any(_is_outside(row, edit, languages) for edit in deed.edits),
        why=why,
    )


async def _is_right(row: TaskRow, text: str, runner: Runner) -> tuple[bool, str]:
    if row.program is not None:
        ran = await runner.test(row.program, text)
        return ran.passed, ran.said
    assert row.about is not None, "what has no test has a diagnostic"
    left = linted({row.path: text}, LINTERS[row.group]).get(row.path, [])
    return is_gone(row.about, row.text, left, LINTERS[row.group], row.path), ""


def is_gone(about: Found, text: str, left: Sequence[Found], rules: str, path: str) -> bool:
    """Tell whether there is one diagnostic less like this one, and none of another kind more.

    A file that cannot be read at all has diagnostics without any of the rules' codes.
    """
    before = linted({path: text}, rules).get(path, [])
    kinds = {one.code for one in (*before, *left)}
    more = [code for code in kinds if _count(left, code) > _count(before, code)]
    return not more and _count(left, about.code) < _count(before, about.code)


def _count(found: Sequence[Found], code: str) -> int:
    return sum(one.code == code for one in found)


def _errors(row: TaskRow, text: str, languages: Languages) -> int:
    tree = _parsed(row, text, languages).tree
    return 0 if tree is None else error_count(tree)


def _parsed(row: TaskRow, text: str, languages: Languages) -> Snapshot:
    language = languages.for_path(row.path)
    return Snapshot.open(row.path, 1, language, text).parse(languages.grammar(language))


def _is_outside(row: TaskRow, edit: tuple[int, int, str], languages: Languages) -> bool:
    start, end, text = edit
    if start == end and all("import" in line for line in text.split("\n") if line.strip()):
        return False
    snapshot = _parsed(row, row.text, languages)
    first = snapshot.line_starts[snapshot.line_of(row.start)]
    last = snapshot.line_range(snapshot.line_of(row.end))[1] + len(snapshot.newline)
    around = enclosing(snapshot, languages, row.start, row.end, callable_only=True)
    if around is not None:
        first, last = min(first, around.start), max(last, around.end + len(snapshot.newline))
    if row.kind == IMPLEMENT:  # What a comment describes is written below all of it.
        first, last = min(first, row.piece), max(last, row.piece_end)
    return start < first or end > last


def deed_figures(judged: Sequence[JudgedDeed]) -> dict[str, Any]:
    """Sum up one side of one group; times in milliseconds, everything else shares and counts."""
    done = [one for one in judged if one.verdict.done]
    times = [one.deed.ms for one in judged]
    firsts = [one.deed.first_ms for one in judged if one.deed.first_ms is not None]
    said: dict[str, int] = {}
    for one in judged:
        if not one.verdict.done:
            said[one.deed.said] = said.get(one.deed.said, 0) + 1
    return {
        "rows": len(judged),
        "done": spread(rate(one.verdict.done for one in judged)),
        "right": spread(rate(one.verdict.right for one in judged)),
        "right_of_done": spread(rate(one.verdict.right for one in done)),
        "parses_no_worse": spread(rate(not one.verdict.worse for one in done)),
        "inside": spread(rate(not one.verdict.outside for one in done)),
        "verified": sum(one.deed.verified for one in judged),
        "verified_wrong": sum(one.deed.verified and not one.verdict.right for one in judged),
        "ms_p50": round(median(times), 1),
        "ms_p95": round(percentile(times, 0.95), 1),
        "list_ms_p95": round(percentile([one.deed.list_ms for one in judged], 0.95), 1),
        "first_ms_p95": round(percentile(firsts, 0.95), 1) if firsts else None,
        "reasons": said,
    }


def deed_comparison(
    first: Sequence[JudgedDeed], second: Sequence[JudgedDeed]
) -> dict[str, dict[str, Any]]:
    """Compare two sides on the same rows, which stand in the same order."""
    pairs = [(a.verdict.right, b.verdict.right) for a, b in zip(first, second, strict=True)]
    return {"right": versus(paired(pairs))}
