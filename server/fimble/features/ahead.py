"""Thinking ahead: what is likely to be asked next, prepared while nobody waits.

A prompt whose anchor has fallen behind the cursor, or whose windows were cut short for speed, is
read anew in a second place and then swapped in. After a suggestion is shown, those that follow
its acceptance are made: right behind it, and on the next line.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from dataclasses import replace

from fimble.check.place import look, opens
from fimble.engine.base import Engine
from fimble.engine.messages import Priority, Prompt, State
from fimble.features.complete import Completion, Reason, complete, remember
from fimble.features.memory import Memory, Shown
from fimble.features.written import Written
from fimble.prompt.context import Context
from fimble.prompt.fim import prompt_for
from fimble.prompt.layout import Layout, anchor_anew, budget_for
from fimble.settings import Settings
from fimble.source.text import Snapshot


def better_anchor(
    snapshot: Snapshot,
    offset: int,
    memory: Memory,
    engine: Engine,
    context: Context | None = None,
) -> tuple[Prompt, Layout] | None:
    """The prompt to read in advance in place of an outgrown one; None if there is no need.

    There is also need where ``context`` is another than what was read.
    """
    status, layout = engine.status, memory.layout
    if status.info is None or status.state is not State.READY:
        return None
    if layout is None or not (layout.outgrown or context not in {None, layout.context}):
        return None
    better = anchor_anew(snapshot, offset, budget_for(status.profile), layout, context)
    if better.is_like(layout):
        return None
    return prompt_for(better, status.info), better


async def next_suggestions(
    snapshot: Snapshot,
    completion: Completion,
    memory: Memory,
    engine: Engine,
    settings: Settings,
    *,
    stricter: float = 0.0,
) -> AsyncGenerator[Shown | Written, None]:
    """Yield what follows the acceptance of ``completion``: suggestions, or what is too unsure."""
    blank = replace(memory, shown=None, written=None, ahead=())
    for state, offset in states_after(snapshot, completion):
        following, then = await complete(
            state,
            offset,
            blank,
            engine,
            settings,
            priority=Priority.AFTER_ACCEPT,
            stricter=stricter,
        )
        if following.reason is Reason.SHOWN:
            yield remember(state, following)
        elif then.written is not None:
            yield then.written


def states_after(snapshot: Snapshot, completion: Completion) -> Iterator[tuple[Snapshot, int]]:
    """Yield where the user will probably be: behind the suggestion, then on the next line."""
    accepted = snapshot.splice(completion.start, completion.end, completion.text, snapshot.version)
    offset = completion.start + len(completion.text)
    yield accepted, offset
    place = look(accepted, offset)
    if place.after.strip():
        return
    indent = place.before[: len(place.before) - len(place.before.lstrip())]
    if opens(place.before, place.style):
        indent += place.unit
    entered = place.newline + indent
    yield accepted.splice(offset, offset, entered, snapshot.version), offset + len(entered)
