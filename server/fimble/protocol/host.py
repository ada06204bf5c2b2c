"""The engine's life: launched in the background, watched, launched again, closed.

The host is itself an `Engine`, so that nobody else needs to know whether there is one yet: while
there is none, asking raises `EngineLoading` or whatever stopped the launch.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING, Final, Protocol

from fimble.engine.base import RANK_TOKENS, Engine, EngineStatus, Generation
from fimble.engine.messages import GREEDY, Priority, Prompt, Sampling, State, Stats, Surprise
from fimble.errors import (
    EngineClosed,
    EngineError,
    EngineLoading,
    FimbleError,
    ModelError,
    ModelMissing,
)
from fimble.protocol import logs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fimble.protocol.work import Work
    from fimble.settings import Settings

_SWITCHED_OFF: Final = "Fimble is switched off."
_LOADING: Final = "The model is not ready yet."
LOOK_SECONDS: Final = 3.0
"""How long nobody looks again for a model that was not there."""


class Launcher(Protocol):
    """Gets the model and makes an engine for it: what `cli` plugs into the server."""

    async def launch(self, settings: Settings, report: Callable[[float, str], None]) -> Engine:
        """Return an engine that was not started yet.

        May take as long as a download does, without blocking the loop. ``report`` takes a
        fraction from 0 to 1 and two words about what goes on, from any thread. Cancelling the
        task that awaits this must stop the work within a second or so. Raises `FimbleError`.
        """
        ...

    async def has_model(self, settings: Settings) -> bool:
        """Say whether `launch` would find the model here: a short look, which never raises."""
        ...


class EngineHost:
    """Lives on the loop thread. ``on_status`` listeners hear of every change, launches included."""

    def __init__(
        self, launcher: Launcher, work: Work, clock: Callable[[], float] = monotonic
    ) -> None:
        self._launcher = launcher
        self._work = work
        self._clock = clock
        self._settings: Settings | None = None
        self._look_at = 0.0
        self._was_stopped = False
        self._engine: Engine | None = None
        self._launching: asyncio.Task[None] | None = None
        self._status = EngineStatus(State.STOPPED)
        self._listeners: list[Callable[[EngineStatus], None]] = []
        self._moved = asyncio.Event()
        # Counts launches and stops, so that late reports of an earlier launch are told apart.
        self._epoch = 0

    @property
    def status(self) -> EngineStatus:
        return self._engine.status if self._engine is not None else self._status

    @property
    def was_launched(self) -> bool:
        """Whether `launch` was ever called."""
        return self._launching is not None

    @property
    def is_fetching(self) -> bool:
        """Whether the launcher is at work, which is what `stop_fetching` can stop."""
        return self._engine is None and self._launching is not None and not self._launching.done()

    @property
    def is_coming(self) -> bool:
        """Whether a model is being loaded, or will be once the settings are known."""
        status = self.status
        unknown = status.state is State.STOPPED and status.error is None
        return status.state is State.LOADING or unknown

    @property
    def may_have_come(self) -> bool:
        """Whether there was no model, and `look_again` would see whether there is one now.

        One that was there and cannot be loaded does not count: it would be found again and again.
        """
        is_missing = self._engine is None and _failed_for_model(self._status)
        return is_missing and self._clock() >= self._look_at

    def on_status(self, listener: Callable[[EngineStatus], None]) -> None:
        self._listeners.append(listener)

    def launch(self, settings: Settings) -> None:
        """Close what runs and launch what the settings want; returns at once."""
        self._settings = settings
        self._was_stopped = False
        self._epoch += 1
        self._launching = self._work.start("launch", self._launch(settings, self._launching))

    def launch_again(self, settings: Settings) -> None:
        """Launch what failed because of its model, unless the user stopped just that."""
        if _failed_for_model(self.status) and not self._was_stopped:
            self.launch(settings)

    async def look_again(self) -> None:
        """Launch what failed for want of a model if that is here by now; downloads nothing."""
        if not self.may_have_come or self._settings is None:
            return
        self._look_at = self._clock() + LOOK_SECONDS
        epoch = self._epoch
        if await self._launcher.has_model(self._settings) and epoch == self._epoch:
            self.launch(self._settings)
            # Not only when the task begins: who has looked waits for it.
            self._set(EngineStatus(State.LOADING))

    def stop_fetching(self) -> None:
        """Give up the launch because the user said so."""
        if self._launching is not None and self.is_fetching:
            self._launching.cancel()
            self._was_stopped = True
            self._epoch += 1
            self._fail(
                ModelMissing(
                    "Getting the model was stopped.",
                    "Restart the server or change the setting `model` to try again.",
                )
            )

    def start(self) -> None:
        """Nothing: `launch` starts the engine. Here because an `Engine` has it."""

    def generate(
        self,
        prompt: Prompt,
        *,
        max_tokens: int,
        priority: Priority = Priority.KEY_PRESS,
        one_line: bool = False,
        sampling: Sampling = GREEDY,
        guess: str = "",
    ) -> Generation:
        return self._ready().generate(
            prompt,
            max_tokens=max_tokens,
            priority=priority,
            one_line=one_line,
            sampling=sampling,
            guess=guess,
        )

    async def prefill(self, prompt: Prompt, *, priority: Priority = Priority.OPENED) -> None:
        await self._ready().prefill(prompt, priority=priority)

    async def rank(
        self,
        prompt: Prompt,
        texts: Sequence[str],
        *,
        max_tokens: int = RANK_TOKENS,
        priority: Priority = Priority.ITEMS,
    ) -> tuple[float, ...]:
        return await self._ready().rank(prompt, texts, max_tokens=max_tokens, priority=priority)

    async def surprise(
        self, prompt: Prompt, text: str, *, priority: Priority = Priority.ACTION
    ) -> tuple[Surprise, ...]:
        return await self._ready().surprise(prompt, text, priority=priority)

    async def unread(self, prompts: Sequence[Prompt]) -> tuple[int, ...]:
        return await self._ready().unread(prompts)

    async def flush(self) -> None:
        if self.status.state is State.READY:
            await self._ready().flush()

    async def settled(self) -> None:
        """Return when nothing is being loaded: when there is an engine, or none to hope for."""
        while self.is_coming:
            self._moved.clear()
            await self._moved.wait()

    async def stats(self) -> Stats:
        return await self._ready().stats()

    async def close(self) -> None:
        """Stop the launch and the engine."""
        self._epoch += 1
        await _stop(self._launching)
        await self._close_engine()
        self._set(EngineStatus(State.STOPPED, error=EngineClosed(_SWITCHED_OFF)))

    def _ready(self) -> Engine:
        if self._engine is None:
            raise self._status.error or EngineLoading(_LOADING)
        return self._engine

    async def _launch(self, settings: Settings, previous: asyncio.Task[None] | None) -> None:
        await _stop(previous)
        await self._close_engine()
        if not settings.enabled:
            self._set(EngineStatus(State.STOPPED, error=EngineClosed(_SWITCHED_OFF)))
            return
        self._set(EngineStatus(State.LOADING))
        try:
            engine = await self._launcher.launch(settings, self._reporter())
        except FimbleError as error:
            self._fail(error)
            return
        except Exception as error:  # noqa: BLE001  (a bug must not leave us loading for ever)
            logs.failure("launching the engine", error)
            self._fail(EngineError("The engine could not be started.", "See the server's log."))
            return
        self._engine = engine
        engine.on_status(lambda status: self._heard(engine, status))
        engine.start()

    def _reporter(self) -> Callable[[float, str], None]:
        loop, epoch = asyncio.get_running_loop(), self._epoch

        def show(fraction: float, stage: str) -> None:
            if self._epoch == epoch and self._engine is None:
                self._set(replace(self._status, progress=fraction, stage=stage))

        return lambda fraction, stage: _call(loop, lambda: show(fraction, stage))

    def _heard(self, engine: Engine, status: EngineStatus) -> None:
        if engine is self._engine:
            self._tell(status)

    async def _close_engine(self) -> None:
        if self._engine is not None:
            # Forgotten only when it is closed: this task may be cancelled meanwhile.
            await self._engine.close()
            self._engine = None

    def _fail(self, error: FimbleError) -> None:
        self._set(EngineStatus(State.FAILED, error=error))

    def _set(self, status: EngineStatus) -> None:
        self._status = status
        self._tell(status)

    def _tell(self, status: EngineStatus) -> None:
        self._moved.set()
        for listener in self._listeners:
            listener(status)


def _failed_for_model(status: EngineStatus) -> bool:
    """Whether it is the model that something is wrong with: that can be mended."""
    return status.state is State.FAILED and isinstance(status.error, ModelError)


async def _stop(task: asyncio.Task[None] | None) -> None:
    if task is not None and not task.done():
        task.cancel()
        await asyncio.wait([task])


def _call(loop: asyncio.AbstractEventLoop, show: Callable[[], None]) -> None:
    try:
        loop.call_soon_threadsafe(show)
    except RuntimeError:
        logs.logger.debug("progress came after the end")
