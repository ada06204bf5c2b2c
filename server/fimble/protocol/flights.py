"""The suggestion that is on its way, and who waits for it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fimble.features.complete import Completion, complete
from fimble.features.flight import Flight
from fimble.features.memory import Memory

if TYPE_CHECKING:
    from fimble.protocol.server import FimbleServer
    from fimble.session import Document
    from fimble.source.text import Snapshot

ALONE_S: Final = 0.1
"""How long one goes on that nobody waits for: the request that follows a key comes sooner."""


@dataclass(slots=True)
class Running:
    """A flight, its end, the text that its next request is of, and how many wait for it."""

    flight: Flight
    task: asyncio.Task[tuple[Completion, Memory]]
    heading_for: tuple[Snapshot, int] | None = None
    waiting: int = 0


class Flights:
    """At most one suggestion is on its way: nobody can look at two."""

    def __init__(self) -> None:
        self._running: Running | None = None

    async def answer(
        self, ls: FimbleServer, document: Document[Memory], offset: int
    ) -> tuple[Completion, Memory]:
        """Suggest what follows ``offset``: the rest of what is on its way if that leads here."""
        snapshot, memory, running = document.snapshot, document.memory, self._running
        if running is not None and running.flight.leads_to(snapshot, offset):
            running.heading_for = snapshot, offset
            if landed := await self._landed(running):
                memory = landed[1]
                if rest := running.flight.rest(snapshot, offset, landed):
                    return rest, memory
        self.stop()
        landed = await self._landed(self._start(ls, snapshot, offset, memory))
        if landed is None:
            raise asyncio.CancelledError
        return landed

    def keep_if_led_to(self, snapshot: Snapshot) -> None:
        """Stop what does not lead to this new text."""
        running = self._running
        if running is not None and not running.flight.leads_to(snapshot):
            self.stop()

    def stop(self) -> None:
        """Stop what is on its way."""
        running, self._running = self._running, None
        if running is not None:
            running.task.cancel()

    def _start(
        self, ls: FimbleServer, snapshot: Snapshot, offset: int, memory: Memory | None
    ) -> Running:
        flight = Flight(snapshot, offset)

        def note(text: str) -> None:
            flight.written = text
            if running.heading_for and not flight.leads_to(*running.heading_for):
                running.task.cancel()  # who waits for it need not wait for its end

        work = complete(
            snapshot,
            offset,
            memory,
            ls.engine,
            ls.session.settings,
            stricter=ls.outcomes.stricter(ls, snapshot),
            on_text=note,
        )
        running = self._running = Running(flight, ls.work.start("a suggestion", work))
        return running

    async def _landed(self, running: Running) -> tuple[Completion, Memory] | None:
        """Wait for its end; None if it was stopped. Who is cancelled leaves it to others."""
        running.waiting += 1
        try:
            await asyncio.wait((running.task,))
        finally:
            running.waiting -= 1
            if running.task.done():
                self._forget(running)
            elif not running.waiting:
                loop = asyncio.get_running_loop()
                loop.call_later(ALONE_S, self._stop_if_alone, running)
        return None if running.task.cancelled() else running.task.result()

    def _stop_if_alone(self, running: Running) -> None:
        if not running.waiting:
            running.task.cancel()
            self._forget(running)

    def _forget(self, running: Running) -> None:
        if self._running is running:
            self._running = None
