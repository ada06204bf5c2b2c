"""What many answers come to, as the plain data of the JSON report."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import mean, median
from typing import Any, Final, Protocol, TypeVar

from fimble.measure.eval.ask import Answer
from fimble.measure.eval.rows import HasGroup, Row
from fimble.measure.eval.score import Score
from fimble.measure.eval.stats import Paired, Rate, paired, rate
from fimble.measure.figures import percentile

ALL: Final = "all"
RAW: Final = "raw"
FIMBLE: Final = "fimble"
AGAINST: Final = "against"
PLAIN: Final = "plain"


@dataclass(frozen=True, slots=True)
class Judged:
    """One side's answer to a row and what it is worth."""

    row: Row
    answer: Answer
    score: Score


class HasRow(Protocol):
    """Anything that was judged."""

    @property
    def row(self) -> HasGroup:
        """What it answers."""
        ...


OfRow = TypeVar("OfRow", bound=HasRow)


def groups(rows: Iterable[HasGroup]) -> list[str]:
    """Return the groups in their order, and `ALL` if there are several."""
    names = list(dict.fromkeys(row.group for row in rows))
    return [*names, ALL] if len(names) > 1 else names


def of_group(judged: Sequence[OfRow], group: str) -> list[OfRow]:
    """Return those that belong to a group."""
    return [one for one in judged if group in (ALL, one.row.group)]


def figures(judged: Sequence[Judged]) -> dict[str, Any]:
    """Sum up one side of one group; times in milliseconds, everything else shares and counts."""
    scores = [one.score for one in judged]
    shown = [score for score in scores if score.shown]
    tested = [score for score in scores if score.passed is not None]
    times = [one.answer.ms for one in judged]
    reasons: dict[str, int] = {}
    for one in judged:
        reasons[one.answer.reason] = reasons.get(one.answer.reason, 0) + 1
    return {
        "rows": len(judged),
        "shown": spread(rate(score.shown for score in scores)),
        "exact": spread(rate(score.exact for score in scores)),
        "listed": spread(rate(score.listed for score in scores)),
        "passed": spread(rate(bool(score.passed) for score in tested)) if tested else None,
        "right_of_shown": spread(rate(score.right for score in shown)),
        "similarity": round(mean(score.similarity for score in scores), 4),
        "identifier_f1": round(mean(score.identifiers for score in scores), 4),
        "parses_no_worse": spread(rate(not score.worse for score in shown)),
        "parses_no_worse_closed": spread(rate(not score.worse_closed for score in shown)),
        "leaked": sum(score.leaked for score in scores),
        "repeats": sum(score.repeats for score in scores),
        "ms_p50": round(median(times), 1),
        "ms_p95": round(percentile(times, 0.95), 1),
        "reasons": reasons,
    }


def comparison(first: Sequence[Judged], second: Sequence[Judged]) -> dict[str, Any]:
    """Compare two sides on the same rows, which stand in the same order."""
    pairs = [(a.score, b.score) for a, b in zip(first, second, strict=True)]
    tested = [(a, b) for a, b in pairs if a.passed is not None]
    result = {
        "exact": versus(paired((a.exact, b.exact) for a, b in pairs)),
        "shown": versus(paired((a.shown, b.shown) for a, b in pairs)),
    }
    if tested:
        result["passed"] = versus(paired((bool(a.passed), bool(b.passed)) for a, b in tested))
    return result


def spread(value: Rate) -> dict[str, Any]:
    """Return a rate with its interval."""
    low, high = value.interval
    return {**asdict(value), "share": value.share, "low": low, "high": high}


def versus(value: Paired) -> dict[str, Any]:
    """Return a paired comparison with its interval and p."""
    low, high = value.interval
    return {**asdict(value), "difference": value.difference, "low": low, "high": high, "p": value.p}
