"""What is suggested when somebody asks for it by hand, or while a list of completions is open."""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import perf_counter
from typing import TYPE_CHECKING, Final

from fimble.features.complete import Reason, complete

if TYPE_CHECKING:
    from fimble.engine.base import Engine
    from fimble.features.complete import Completion
    from fimble.features.memory import Memory
    from fimble.settings import Settings
    from fimble.source.text import Snapshot

MAX_CHOICES: Final = 3
MAX_BRANCHES: Final = 4
"""Candidates that are made for them: some say the same, or nothing that may be shown."""
MORE_S: Final = 2.0
"""After so long the user gets what there is: a block takes seconds, three of them take too many."""


@dataclass(frozen=True, slots=True)
class Selected:
    """The item selected in an open list: its ``text`` is to replace ``start`` to ``end``."""

    start: int
    end: int
    text: str


async def choices(
    snapshot: Snapshot, offset: int, memory: Memory | None, engine: Engine, settings: Settings
) -> tuple[tuple[Completion, ...], Memory]:
    """Answer a request by hand with up to `MAX_CHOICES` different suggestions, likeliest first.

    They share one prompt, which is read once. If there is none, the one answer says why.
    """
    started = perf_counter()
    first, memory = await complete(snapshot, offset, memory, engine, settings, manual=True)
    found = [first] if first.reason is Reason.SHOWN else []
    branch = 1
    while first.trace.generated and branch < MAX_BRANCHES and len(found) < MAX_CHOICES:
        if perf_counter() - started > MORE_S:
            break
        other, _ = await complete(
            snapshot, offset, memory, engine, settings, manual=True, branch=branch
        )
        if other.reason is Reason.SHOWN and other.text not in {one.text for one in found}:
            found.append(other)
        branch += 1
    return tuple(found) or (first,), memory


async def beyond(
    selected: Selected,
    snapshot: Snapshot,
    memory: Memory | None,
    engine: Engine,
    settings: Settings,
) -> tuple[Completion, Memory]:
    """Go on from the selected item: what is suggested begins with its text, in its range."""
    accepted = snapshot.splice(selected.start, selected.end, selected.text, snapshot.version)
    offset = selected.start + len(selected.text)
    answer, memory = await complete(accepted, offset, memory, engine, settings)
    if answer.reason is not Reason.SHOWN:
        return replace(answer, start=selected.start, end=selected.start), memory
    end = answer.end - offset + selected.end
    whole = replace(answer, text=selected.text + answer.text, start=selected.start, end=end)
    return whole, memory
