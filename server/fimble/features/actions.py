"""Code actions: what applies where, and making the one that was chosen."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import Final

from fimble.features import fix, implement, review, reviewed
from fimble.features.complete import excluded
from fimble.features.offer import Action, Look, Offer, Outcome, Task

ACTIONS: Final = MappingProxyType[str, Action](
    {
        # Before the kind that it is below.
        "quickfix.fimble.review": reviewed,
        "quickfix.fimble": fix,
        "refactor.rewrite.fimble.implement": implement,
        "source.fimble.review": review,
    }
)
"""Each action's module by its kind. An offer may be of a kind below its action's."""


def within(kind: str, wanted: str) -> bool:
    """Tell whether a kind is ``wanted`` or below it: `refactor` holds `refactor.rewrite`."""
    return wanted in ("", kind) or kind.startswith(f"{wanted}.")


def offers(look: Look, only: Sequence[str] = ()) -> list[Offer]:
    """Return what applies in the order it should be shown; with ``only``, of these kinds."""
    if not look.settings.enabled or excluded(look.snapshot, look.settings.completion):
        return []
    return [
        offer
        for kind, action in ACTIONS.items()
        if not only or any(within(kind, one) or within(one, kind) for one in only)
        for offer in action.offers(look)
        if not only or any(within(offer.kind, one) for one in only)
    ]


async def make(task: Task) -> Outcome | None:
    """Do what was offered; None if there is no such action."""
    kind = next((kind for kind in ACTIONS if within(task.offer.kind, kind)), None)
    return None if kind is None else await ACTIONS[kind].make(task)
