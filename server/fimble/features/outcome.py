"""What becomes of a suggestion, read off the text alone: no client has to report anything."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from fimble.check.place import closes

if TYPE_CHECKING:
    from fimble.features.memory import Shown

PASTED_CHARS: Final = 3
"""A change that adds this much of a suggestion took it over: a key adds one character, and with
the closer that an editor adds to it two."""
CLOSERS: Final = 4
"""Most closers that an editor may have added behind what was typed."""
RIGHT_CHARS: Final = 40
"""How much text right of a suggestion must have stayed."""
REACH: Final = 2_000
"""Characters around an accepted text in which its lines are looked for later."""


class Outcome(StrEnum):
    """How a suggestion ended; TYPED means that the user wrote the same by hand."""

    ACCEPTED = "accepted"
    PARTIAL = "partial"
    TYPED = "typed"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Offer:
    """A suggestion that is on screen: how much of it stands by now, and how much came at once."""

    shown: Shown
    stands: int = 0
    pasted: int = 0


def offered(shown: Shown, text: str) -> Offer:
    """Return the offer that begins when a suggestion is shown in ``text``."""
    return Offer(shown, standing(shown, text) or 0)


def follow(offer: Offer, text: str) -> tuple[Offer, Outcome | None]:
    """Return the offer after a change, and how it ended if it did."""
    stands = standing(offer.shown, text)
    if stands is None:
        return offer, Outcome.PARTIAL if offer.pasted else Outcome.REJECTED
    whole = len(offer.shown.text)
    added = stands - offer.stands
    if added >= PASTED_CHARS or (added > 1 and stands == whole):
        offer = replace(offer, pasted=offer.pasted + added)
    offer = replace(offer, stands=stands)
    if stands < whole:
        return offer, None
    return offer, Outcome.ACCEPTED if offer.pasted else Outcome.TYPED


def longer(offer: Offer, shown: Shown) -> Offer | None:
    """Return the offer with a suggestion that only adds to the one on screen; None for others."""
    before = offer.shown
    is_same = (shown.uri, shown.start, shown.left) == (before.uri, before.start, before.left)
    return replace(offer, shown=shown) if is_same and shown.text.startswith(before.text) else None


def abandoned(offer: Offer) -> Outcome:
    """Return how an offer ended that nobody looks at any more."""
    return Outcome.PARTIAL if offer.pasted else Outcome.REJECTED


def standing(shown: Shown, text: str) -> int | None:
    """Return how many characters of a suggestion stand where it was shown; None if all changed.

    What stood left and right of it must be as it was, but for closers that an editor added.
    """
    left = shown.start - len(shown.left)
    if left < 0 or not text.startswith(shown.left, left):
        return None
    most = _common(shown.text, text[shown.start : shown.start + len(shown.text)])
    right = shown.right[:RIGHT_CHARS]
    for count in range(most, -1, -1):
        behind = text[shown.start + count : shown.start + count + CLOSERS + len(right)]
        for added in range(min(CLOSERS, len(behind)) + 1):
            fits = behind[added:].startswith(right) if right else len(behind) == added
            if fits and closes(behind[:added]):
                return count
        if most - count > RIGHT_CHARS:
            return None
    return None


def surviving(accepted: str, text: str, offset: int) -> float:
    """Return the share of an accepted text's lines that still stand around ``offset``."""
    lines = [line.strip() for line in accepted.splitlines() if line.strip()]
    nearby = text[max(offset - REACH, 0) : offset + len(accepted) + REACH]
    return sum(line in nearby for line in lines) / len(lines) if lines else 1.0


def _common(left: str, right: str) -> int:
    pairs = enumerate(zip(left, right, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(left), len(right)))
