"""Code actions: what applies where, and making the one that was chosen."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import Final

from fimble.features import (
    custom,
    document,
    explain,
    fix,
    implement,
    instruct,
    review,
    reviewed,
    rewrite,
    tests,
    translate,
)
from fimble.features.offer import Action, Look, Offer, Outcome, Task
from fimble.features.shape import excluded

ACTIONS: Final = MappingProxyType[str, Action](
    {
        # Before the kind that it is below.
        reviewed.KIND: reviewed,
        fix.KIND: fix,
        implement.KIND: implement,
        document.KIND: document,
        tests.KIND: tests,
        rewrite.SIMPLIFY: rewrite,
        rewrite.OPTIMIZE: rewrite,
        rewrite.TYPES: rewrite,
        instruct.KIND: instruct,
        translate.KIND: translate,
        custom.KIND: custom,
        explain.KIND: explain,
        review.KIND: review,
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
    kinds = [
        kind
        for kind in ACTIONS
        if not only or any(within(kind, one) or within(one, kind) for one in only)
    ]
    # A module may stand for several kinds.
    asked = dict.fromkeys(ACTIONS[kind] for kind in kinds)
    return [
        offer
        for action in asked
        for offer in action.offers(look)
        if not only or any(within(offer.kind, one) for one in only)
    ]


async def make(task: Task) -> Outcome | None:
    """Do what was offered; None if there is no such action."""
    kind = next((kind for kind in ACTIONS if within(task.offer.kind, kind)), None)
    return None if kind is None else await ACTIONS[kind].make(task)
