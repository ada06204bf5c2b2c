"""Work between requests: it follows each answer and gives way to every key."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from fimble.engine.messages import Priority
from fimble.errors import EngineError, ModelError
from fimble.features.ahead import better_anchor, next_suggestions
from fimble.features.complete import Completion, Reason
from fimble.features.memory import Memory
from fimble.protocol.logs import logger
from fimble.protocol.power import may_work_ahead

if TYPE_CHECKING:
    from fimble.protocol.server import FimbleServer
    from fimble.source.text import Snapshot


QUIET_S: Final = 0.05
"""Pause before thinking ahead: whoever types on at once has both cores for the next answer."""


@dataclass(frozen=True, slots=True)
class Thought:
    """What is being prepared: for the text that the user heads for."""

    uri: str
    heading_for: str
    task: asyncio.Task[None]


class Ahead:
    """The thought of the document that is worked in; another document's makes way for it."""

    def __init__(self) -> None:
        self._thought: Thought | None = None

    def follow(self, ls: FimbleServer, snapshot: Snapshot, completion: Completion) -> None:
        """Think on from an answer.

        Typing along a suggestion heads for the same text as before, so that thought goes on.
        """
        if not may_work_ahead(ls.session.settings):
            return
        text = snapshot.text
        heading_for = text[: completion.start] + completion.text + text[completion.end :]
        thought = self._thought
        if thought is not None:
            is_same = (thought.uri, thought.heading_for) == (snapshot.uri, heading_for)
            if is_same and not thought.task.cancelling():  # closing the document makes an end to it
                return
            thought.task.cancel()
        work = _think(ls, snapshot, completion)
        task = ls.work.start("thinking ahead", work, while_open=snapshot.uri)
        self._thought = Thought(snapshot.uri, heading_for, task)


async def _think(ls: FimbleServer, snapshot: Snapshot, completion: Completion) -> None:
    await asyncio.sleep(QUIET_S)
    try:
        await _move_anchor(ls, snapshot, completion.start)
        if completion.reason is Reason.SHOWN:
            await _suggest_next(ls, snapshot, completion)
    except (EngineError, ModelError):
        logger.debug("thinking ahead was cut off")


async def _move_anchor(ls: FimbleServer, snapshot: Snapshot, offset: int) -> None:
    """Read a better anchored prompt and swap it in, unless the user has forced one meanwhile."""
    known = _memory(ls, snapshot.uri)
    context = await ls.indexing.choose(ls, snapshot, offset, known)
    memory = _memory(ls, snapshot.uri)
    better = better_anchor(snapshot, offset, memory, ls.engine, context)
    if better is None:
        return
    prompt, layout = better
    await ls.engine.prefill(prompt, priority=Priority.ANCHOR)
    now = _memory(ls, snapshot.uri)
    if now.layout is not None and memory.layout is not None and now.layout.is_like(memory.layout):
        ls.session.amend(snapshot.uri, replace(now, layout=layout))


async def _suggest_next(ls: FimbleServer, snapshot: Snapshot, completion: Completion) -> None:
    memory = _memory(ls, snapshot.uri)
    ls.session.amend(snapshot.uri, replace(memory, ahead=()))
    following = next_suggestions(
        snapshot,
        completion,
        memory,
        ls.engine,
        ls.session.settings,
        stricter=ls.outcomes.stricter(ls, snapshot),
    )
    async with aclosing(following):
        async for shown in following:
            now = _memory(ls, snapshot.uri)
            ls.session.amend(snapshot.uri, replace(now, ahead=(*now.ahead, shown)))


def _memory(ls: FimbleServer, uri: str) -> Memory:
    document = ls.session.document(uri)
    return (document.memory if document is not None else None) or Memory()
