"""What becomes of the suggestions that were shown: watched on the loop, written in a thread."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from fimble.errors import HistoryError
from fimble.features.adapt import adjustments
from fimble.features.outcome import Offer, Outcome, abandoned, follow, longer, offered, surviving
from fimble.history import History, Row
from fimble.protocol.logs import logger

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fimble.features.memory import Shown
    from fimble.protocol.server import FimbleServer
    from fimble.source.text import Snapshot

Answer = TypeVar("Answer")

LOOKS: Final = (("after_30_s", 30.0), ("after_120_s", 120.0))
"""When an accepted text is looked for again: columns of the history, and seconds."""
WATCHED: Final = 64
"""Accepted texts of one document that are still looked for."""


@dataclass(frozen=True, slots=True)
class _Open:
    """A suggestion on screen, with what its row will say."""

    offer: Offer
    language: str
    at: float
    total_ms: float


@dataclass(frozen=True, slots=True)
class _Accepted:
    """A text that was taken over; the text itself is in memory only."""

    row: asyncio.Task[int | None]
    text: str
    start: int


class Outcomes:
    """The suggestion on screen in each document, and those accepted lately."""

    def __init__(self, history: History | None) -> None:
        self._history = history
        self._open: dict[str, _Open] = {}
        self._accepted: dict[str, list[_Accepted]] = {}
        self._timers: set[asyncio.TimerHandle] = set()
        self._writing: set[asyncio.Task[Any]] = set()
        self._adjustments: Mapping[str, float] = {}

    async def load(self) -> None:
        """Read what earlier sessions taught; without a readable file nothing is adjusted."""
        if self._history is None:
            return
        try:
            tallies = await asyncio.to_thread(self._history.tallies)
        except HistoryError as error:
            logger.warning("%s", error)
            return
        self._adjustments = adjustments(tallies)

    def stricter(self, ls: FimbleServer, snapshot: Snapshot) -> float:
        """Return what earlier sessions add to the gate's threshold for this language."""
        if not ls.session.settings.history:
            return 0.0
        return self._adjustments.get(snapshot.language.id, 0.0)

    def show(self, ls: FimbleServer, snapshot: Snapshot, shown: Shown, total_ms: float) -> None:
        """Begin to watch a suggestion; one that is typed along or grows is watched already."""
        if self._history is None or not ls.session.settings.history:
            return
        before = self._open.get(snapshot.uri)
        if before is not None:
            if before.offer.shown == shown:
                return
            if grown := longer(before.offer, shown):
                self._open[snapshot.uri] = replace(before, offer=grown)
                return
            self._end(ls, snapshot.uri, abandoned(before.offer))
        offer = offered(shown, snapshot.text)
        self._open[snapshot.uri] = _Open(offer, snapshot.language.id, time.time(), total_ms)

    def change(self, ls: FimbleServer, snapshot: Snapshot) -> None:
        """See what a change made of the suggestion in this document."""
        now = self._open.get(snapshot.uri)
        if now is None:
            return
        offer, outcome = follow(now.offer, snapshot.text)
        self._open[snapshot.uri] = _Open(offer, now.language, now.at, now.total_ms)
        if outcome is not None:
            self._end(ls, snapshot.uri, outcome)

    def close(self, ls: FimbleServer, snapshot: Snapshot) -> None:
        """A document is closed: nothing more happens to what was suggested in it."""
        now = self._open.get(snapshot.uri)
        if now is not None:
            self._end(ls, snapshot.uri, abandoned(now.offer))
        for accepted in self._accepted.pop(snapshot.uri, ()):
            self._look(ls, snapshot, accepted, "at_close")

    def stop(self) -> None:
        """Look no more: the server is shutting down."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()

    async def written(self) -> None:
        """Return when all that happened is in the file."""
        if self._writing:
            await asyncio.wait(self._writing)

    def _end(self, ls: FimbleServer, uri: str, outcome: Outcome) -> None:
        now = self._open.pop(uri)
        history = self._history
        if history is None:
            return
        shown = now.offer.shown
        row = Row(
            at=now.at,
            language=now.language,
            characters=len(shown.text),
            lines=shown.text.count("\n") + 1,
            kept=now.offer.pasted,
            total_ms=now.total_ms,
            outcome=outcome,
        )
        task = ls.work.start("noting an outcome", _write(lambda: history.add(row)))
        self._keep(task)
        if outcome in {Outcome.ACCEPTED, Outcome.PARTIAL}:
            kept = shown.text[: max(now.offer.stands, 1)]
            self._watch(ls, uri, _Accepted(task, kept, shown.start))

    def _watch(self, ls: FimbleServer, uri: str, accepted: _Accepted) -> None:
        watched = self._accepted.setdefault(uri, [])
        watched.append(accepted)
        del watched[:-WATCHED]
        loop = asyncio.get_running_loop()
        for column, seconds in LOOKS:
            self._timers.add(loop.call_later(seconds, self._look_again, ls, uri, accepted, column))

    def _look_again(self, ls: FimbleServer, uri: str, accepted: _Accepted, column: str) -> None:
        now = asyncio.get_running_loop().time()
        self._timers = {timer for timer in self._timers if timer.when() > now}
        document = ls.session.document(uri)
        if document is not None:
            self._look(ls, document.snapshot, accepted, column)

    def _look(self, ls: FimbleServer, snapshot: Snapshot, accepted: _Accepted, column: str) -> None:
        history = self._history
        if history is None:
            return
        share = surviving(accepted.text, snapshot.text, accepted.start)

        async def note() -> None:
            identifier = await accepted.row
            if identifier is not None:
                await _write(lambda: history.survived(identifier, {column: share}))

        self._keep(ls.work.start("noting what survived", note()))

    def _keep(self, task: asyncio.Task[Any]) -> None:
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)


async def _write(work: Callable[[], Answer]) -> Answer | None:
    try:
        return await asyncio.to_thread(work)
    except HistoryError as error:
        logger.warning("%s", error)
        return None
