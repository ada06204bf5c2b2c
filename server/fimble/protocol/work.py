"""Tasks on the loop: work in the background, and work that a changed document makes stale."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from fimble.protocol import logs

if TYPE_CHECKING:
    from collections.abc import Coroutine

Result = TypeVar("Result")


class Work:
    """Keeps tasks alive, reports those that fail, and ends them when the server does."""

    def __init__(self) -> None:
        # In the order of their start, each with the document that it is for.
        self._background: dict[asyncio.Task[Any], str | None] = {}
        self._by_uri: dict[str, set[asyncio.Task[Any]]] = {}

    def start(
        self,
        what: str,
        work: Coroutine[Any, Any, Result],
        *,
        while_open: str | None = None,
        at_most: int | None = None,
    ) -> asyncio.Task[Result]:
        """Run ``work`` in the background; a failure is logged as ``what``.

        ``while_open`` names the document that it is for: `forget` stops it. Of what has the same
        name only the ``at_most`` latest go on.
        """
        task = asyncio.create_task(work, name=what)
        self._background[task] = while_open
        task.add_done_callback(self._finished)
        if at_most is not None:
            alike = [one for one in self._background if one.get_name() == what]
            for one in alike[:-at_most]:
                one.cancel()
        return task

    async def until_stale(self, uri: str, work: Coroutine[Any, Any, Result]) -> Result | None:
        """Await ``work`` on a document; None when `supersede` stopped it before its end."""
        task = asyncio.create_task(work)
        tasks = self._by_uri.setdefault(uri, set())
        tasks.add(task)
        try:
            return await task
        except asyncio.CancelledError:
            own = asyncio.current_task()
            if own is not None and own.cancelling():
                raise
            return None
        finally:
            tasks.discard(task)
            if not tasks and self._by_uri.get(uri) is tasks:
                del self._by_uri[uri]

    def supersede(self, uri: str) -> None:
        """Stop all work on an earlier state of this document."""
        for task in self._by_uri.get(uri, ()):
            task.cancel()

    def forget(self, uri: str) -> None:
        """Stop all work for a document that was closed."""
        self.supersede(uri)
        for task, document in self._background.items():
            if document == uri:
                task.cancel()

    async def idle(self) -> None:
        """Return when nothing runs in the background."""
        while self._background:
            await asyncio.wait(self._background)

    async def close(self) -> None:
        """Stop everything."""
        tasks = set(self._background).union(*self._by_uri.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._background.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            logs.failure(task.get_name(), error)
