"""What a replay found, key by key, and how that is summed up. Pure: no server, no clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import fmean, median
from typing import Any, Final

from fimble.features.complete import TYPED_ALONG, Reason
from fimble.measure.figures import percentile
from fimble.measure.trace import Kind

MIN_GENERATED: Final = 3
"""From so many tokens on a request tells how long a decode step takes."""


_OF_TEXTS: Final = {Reason.LOW_CONFIDENCE, Reason.EMPTY, Reason.DUPLICATE, Reason.PARSE}
"""What is said of a text, and not of a place."""


class Answer(StrEnum):
    """Where the answer to a key came from."""

    MODEL = "model"
    ALONG = "typed along"
    """The rest of what was written before, if only to say nothing again: no model call."""
    REFUSED = "refused"
    """Nothing is suggested in such a place (inside a word, say): no model call."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key and what answering it took, in milliseconds and tokens.

    ``total_ms`` is what the editor waited, ``server_ms`` is all of the server's part of it and
    ``first_token_ms`` is how much of that passed before the model wrote anything.
    """

    kind: Kind
    answer: Answer
    reason: str
    total_ms: float
    server_ms: float
    queue_ms: float
    first_token_ms: float
    model_ms: float
    prompt_tokens: int
    reused: int
    restored: int
    evaluated: int
    generated: int
    drafted: int
    accepted: int


def key_of(kind: Kind, total_ms: float, explanation: dict[str, Any]) -> Key:
    """Make a key of what the editor measured and what ``fimble/explainLast`` says."""
    trace = explanation["trace"]
    answer = Answer.MODEL if trace["promptTokens"] else Answer.REFUSED
    is_known = answer is Answer.REFUSED and explanation["reason"] in _OF_TEXTS
    if is_known or explanation["detail"] == TYPED_ALONG:
        answer = Answer.ALONG
    return Key(
        kind=kind,
        answer=answer,
        reason=explanation["reason"],
        total_ms=total_ms,
        server_ms=explanation["totalMs"],
        queue_ms=trace["queueMs"],
        first_token_ms=trace["queueMs"] + trace["prefillMs"],
        model_ms=trace["modelMs"],
        prompt_tokens=trace["promptTokens"],
        reused=trace["reused"],
        restored=trace["restored"],
        evaluated=trace["evaluated"],
        generated=trace["generated"],
        drafted=trace["drafted"],
        accepted=trace["accepted"],
    )


def latency(values: Iterable[float]) -> dict[str, float]:
    """Return the count, and the 50th, 95th and 99th percentile unless there is nothing."""
    chosen = list(values)
    figures: dict[str, float] = {"count": len(chosen)}
    if chosen:
        for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
            figures[name] = round(percentile(chosen, share), 2)
    return figures


def typing_figures(keys: Sequence[Key]) -> dict[str, Any]:
    """Sum up keys that were pressed one by one."""
    asked = [key for key in keys if key.answer is Answer.MODEL]
    along = [key for key in keys if key.answer is Answer.ALONG]
    return {
        "first_line_ms": {
            name: latency(k.total_ms for k in keys if test(k)) for name, test in SETS
        },
        "evaluated": tokens(key.evaluated for key in asked),
        "reuse_ratio": ratio(sum(k.reused for k in asked), sum(k.prompt_tokens for k in asked)),
        "share": {
            str(answer): ratio(sum(key.answer is answer for key in keys), len(keys))
            for answer in Answer
        },
        "typed_along_server_ms": latency(key.server_ms for key in along),
        "first_token_ms": latency(key.first_token_ms for key in asked),
        "drafted": sum(key.drafted for key in keys),
        "accepted": sum(key.accepted for key in keys),
        "decode_step_ms": decode_step_ms(keys),
        "reasons": {reason: _count(keys, reason) for reason in sorted({k.reason for k in keys})},
    }


Test = Callable[[Key], bool]
SETS: Final[tuple[tuple[str, Test], ...]] = (
    ("every key", lambda _: True),
    ("asked the model", lambda key: key.answer is Answer.MODEL),
    ("typed along", lambda key: key.answer is Answer.ALONG),
    ("refused", lambda key: key.answer is Answer.REFUSED),
    ("after a jump", lambda key: key.kind is Kind.JUMP),
    ("after an accept", lambda key: key.kind is Kind.ACCEPT),
)


def tokens(counts: Iterable[int]) -> dict[str, float]:
    """Return median, mean and 95th percentile of a number of tokens per key."""
    chosen = list(counts)
    if not chosen:
        return {"count": 0}
    return {
        "count": len(chosen),
        "median": median(chosen),
        "mean": round(fmean(chosen), 2),
        "p95": percentile(chosen, 0.95),
    }


def ratio(part: float, whole: float) -> float | None:
    """Return ``part / whole``, or None where that says nothing."""
    return round(part / whole, 4) if whole else None


def decode_step_ms(keys: Iterable[Key]) -> float | None:
    """Return the median time from one generated token to the next."""
    steps = [
        (key.queue_ms + key.model_ms - key.first_token_ms) / (key.generated - 1)
        for key in keys
        if key.generated >= MIN_GENERATED
    ]
    return round(median(steps), 2) if steps else None


def waiting_figures(
    keys: Iterable[Key], usual_ms: float, step_ms: float | None
) -> dict[str, float | None]:
    """Sum up how long keys waited for older work to give way, also in decode steps.

    ``usual_ms`` is what a key that waits for nothing takes besides the model's part. The wait in
    the worker, ``p95_queue_ms``, is not all of it: a key may also wait for the next token of what
    is being written, to see whether that is what was typed.
    """
    asked = [key for key in keys if key.answer is Answer.MODEL]
    waits = [max(key.total_ms - key.model_ms - usual_ms, 0.0) for key in asked]
    figures: dict[str, float | None] = {**latency(waits)}
    if waits:
        figures["p95_queue_ms"] = round(percentile([key.queue_ms for key in asked], 0.95), 2)
    if waits and step_ms:
        figures["p95_decode_steps"] = ratio(percentile(waits, 0.95), step_ms)
    return figures


def _count(keys: Iterable[Key], reason: str) -> int:
    return sum(key.reason == reason for key in keys)
