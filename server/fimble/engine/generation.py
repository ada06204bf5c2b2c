"""What a request hears from the worker, as an async iterator of pieces."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from types import TracebackType
from typing import Self

from fimble.engine.base import Trace
from fimble.engine.messages import Failed, Finished, Piece, Started, ToServer
from fimble.errors import EngineError, from_name


class WorkerGeneration:
    """One request of a `WorkerEngine`; see `Generation` in base.py."""

    def __init__(
        self,
        inbox: asyncio.Queue[ToServer | EngineError],
        leave: Callable[[bool], None],
    ) -> None:
        """``leave`` closes the inbox, and with True has the worker stop."""
        self._inbox = inbox
        self._leave = leave
        self._trace = Trace()
        self._reason = ""

    @property
    def trace(self) -> Trace:
        return self._trace

    @property
    def reason(self) -> str:
        return self._reason

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        running = not self._reason
        self._reason = self._reason or "cancelled"
        self._leave(running)

    async def __aiter__(self) -> AsyncIterator[Piece]:
        while True:
            message = await self._inbox.get()
            match message:
                case Started():
                    self._trace = Trace(
                        prompt_tokens=message.prompt_tokens,
                        reused=message.reused,
                        restored=message.restored,
                        evaluated=message.evaluated,
                        queue_ms=message.queue_ms,
                        prefill_ms=message.prefill_ms,
                        model_ms=message.prefill_ms,
                    )
                case Piece():
                    self._trace = replace(
                        self._trace,
                        generated=self._trace.generated + 1,
                        drafted=message.drafted,
                        accepted=message.accepted,
                        model_ms=message.model_ms,
                    )
                    yield message
                case Finished():
                    self._reason = message.reason
                    if message.model_ms:
                        self._trace = replace(self._trace, model_ms=message.model_ms)
                    return
                case Failed():
                    self._reason = "failed"
                    raise from_name(message.kind, message.message, message.hint)
                case EngineError():
                    self._reason = "failed"
                    raise message
                case _:
                    raise TypeError(f"a generation got a {type(message).__name__}")
