"""The suggestion that is on its way, and who waits for it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from fimble.features.complete import Completion, complete
from fimble.features.flight import Flight
from fimble.features.memory import Memory
from fimble.protocol.custom import announces, tell_growth

if TYPE_CHECKING:
    from fimble.protocol.server import FimbleServer
    from fimble.session import Document
    from fimble.source.text import Snapshot

Answer = tuple[Completion, Memory]

ALONE_S: Final = 0.1
"""How long one goes on that nobody waits for: the request that follows a key comes sooner."""

ANSWERED_S: Final = 0.05
"""Until the first lines have certainly left: a client that still waits for them wants no more."""


@dataclass(slots=True)
class Running:
    """A flight, its end, the text that its next request is of, and how many wait for it.

    ``part`` is the beginning of one that takes long, ``is_seen`` tells whether it was an answer.
    """

    flight: Flight
    task: asyncio.Task[Answer]
    part: asyncio.Future[Answer]
    is_seen: bool = False
    heading_for: tuple[Snapshot, int] | None = None
    waiting: int = 0


class Flights:
    """At most one suggestion is on its way: nobody can look at two."""

    def __init__(self) -> None:
        self._running: Running | None = None

    async def answer(self, ls: FimbleServer, document: Document[Memory], offset: int) -> Answer:
        """Suggest what follows ``offset``: the rest of what is on its way if that leads here.

        Of a block that takes long it may be the first lines, for a client that asks again when it
        is told that there are more.
        """
        snapshot, memory, running = document.snapshot, document.memory, self._running
        if running is not None and running.flight.leads_to(snapshot, offset):
            running.heading_for = snapshot, offset
            for part in ((running.part,), ()):
                if landed := await self._landed(running, *part):
                    completion, memory = landed
                    if rest := running.flight.rest(snapshot, offset, landed):
                        running.is_seen |= completion.goes_on
                        return replace(rest, goes_on=completion.goes_on), memory
        self.stop()
        running = self._start(ls, snapshot, offset, memory)
        landed = await self._landed(running, running.part)
        if landed is None:
            raise asyncio.CancelledError
        running.is_seen = landed[0].goes_on
        return landed

    def keep_if_led_to(self, snapshot: Snapshot) -> None:
        """Stop what does not lead to this new text of its document."""
        running = self._running
        if running is not None and not running.flight.leads_to(snapshot):
            self.stop(snapshot.uri)

    def stop(self, uri: str | None = None) -> None:
        """Stop what is on its way; if named, only in this document."""
        running = self._running
        if running is not None and uri in {None, running.flight.snapshot.uri}:
            self._running = None
            running.task.cancel()

    def _start(
        self, ls: FimbleServer, snapshot: Snapshot, offset: int, memory: Memory | None
    ) -> Running:
        flight = Flight(snapshot, offset)
        part: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

        def note(text: str) -> None:
            flight.written = text
            if running.heading_for and not flight.leads_to(*running.heading_for):
                running.task.cancel()  # who waits for it need not wait for its end

        def show(completion: Completion, memory: Memory) -> None:
            part.set_result((completion, memory))

        work = complete(
            snapshot,
            offset,
            memory,
            ls.engine,
            ls.session.settings,
            stricter=ls.outcomes.stricter(ls, snapshot),
            on_text=note,
            on_part=show if announces(ls, "grow") else None,
        )
        running = self._running = Running(flight, ls.work.start("a suggestion", work), part)
        running.task.add_done_callback(lambda _task: self._ended(ls, running))
        return running

    async def _landed(self, running: Running, *part: asyncio.Future[Answer]) -> Answer | None:
        """Wait for its end, or for ``part`` of it; None if it was stopped.

        Who is cancelled leaves it to others.
        """
        running.waiting += 1
        try:
            await asyncio.wait((running.task, *part), return_when=asyncio.FIRST_COMPLETED)
        finally:
            running.waiting -= 1
            if running.task.done():
                self._forget(running)
            elif not running.waiting:
                loop = asyncio.get_running_loop()
                loop.call_later(ALONE_S, self._stop_if_alone, running)
        if not running.task.done():
            return running.part.result()
        return None if running.task.cancelled() else running.task.result()

    def _stop_if_alone(self, running: Running) -> None:
        if not (running.waiting or running.is_seen):
            running.task.cancel()
            self._forget(running)

    def _ended(self, ls: FimbleServer, running: Running) -> None:
        if running.is_seen:
            self._forget(running)
            if not running.task.cancelled() and running.task.exception() is None:
                growth = self._grow(ls, running, running.task.result())
                ls.work.start("a longer suggestion", growth, while_open=running.flight.snapshot.uri)

    async def _grow(self, ls: FimbleServer, running: Running, whole: Answer) -> None:
        """Remember all of a block that is seen in part, and tell the client if that is longer."""
        await asyncio.sleep(ANSWERED_S)
        snapshot = running.flight.snapshot
        document = ls.session.document(snapshot.uri)
        if document is None or not running.flight.leads_to(document.snapshot):
            return
        known = document.memory or Memory()
        completion, memory = whole
        seen, _ = running.part.result()
        grown = completion.text.startswith(seen.text) and completion.text != seen.text
        # What is on screen had better stay there.
        shown = memory.shown if grown else known.shown
        ls.session.amend(snapshot.uri, replace(known, written=memory.written, shown=shown))
        if grown:
            tell_growth(ls, snapshot.uri)
        ls.ahead.follow(ls, snapshot, completion if grown else seen)

    def _forget(self, running: Running) -> None:
        if self._running is running:
            self._running = None
