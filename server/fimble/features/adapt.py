"""How what a user does with suggestions moves the threshold for showing them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping


class Counts(Protocol):
    """What there is to learn from; `fimble.history.Tally` has it."""

    @property
    def shown(self) -> int: ...

    @property
    def accepted(self) -> int: ...

    @property
    def partial(self) -> int: ...

    @property
    def typed(self) -> int: ...


TARGET: Final = 0.3
"""The acceptance at which nothing moves: published figures of products lie between 0.2 and 0.4."""
PRIOR: Final = 40
"""Suggestions at the target that are imagined besides the real ones: a bad morning moves little."""
SLOPE: Final = 0.35
BOUND: Final = 0.1
"""The most that thresholds, which are probabilities, move either way: less than from one
`completion.eagerness` to the next."""


def adjustment(history: Counts) -> float:
    """Return what to add to the gate's threshold, from -`BOUND` to `BOUND`.

    Positive where suggestions are mostly left alone, so that only surer ones are shown; negative
    where most are taken. Half a suggestion taken, or one typed by hand, counts half. Without
    history it is 0.
    """
    taken = history.accepted + (history.partial + history.typed) / 2
    rate = (taken + TARGET * PRIOR) / (history.shown + PRIOR)
    return max(-BOUND, min(BOUND, SLOPE * (TARGET - rate)))


def adjustments(histories: Mapping[str, Counts]) -> dict[str, float]:
    """Return `adjustment` by language."""
    return {language: adjustment(history) for language, history in histories.items()}
