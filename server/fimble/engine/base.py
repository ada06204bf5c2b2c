"""The engine as the rest of the house sees it: one interface, a real and a scripted one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Protocol, Self

from fimble.engine.messages import (
    GREEDY,
    ModelInfo,
    Piece,
    Priority,
    Profile,
    Prompt,
    Sampling,
    State,
    Stats,
    Surprise,
)
from fimble.errors import FimbleError

RANK_TOKENS: Final = 512
"""How much of the texts `Engine.rank` reads at the most: some seconds on two cores."""


@dataclass(frozen=True, slots=True)
class Trace:
    """What one request cost, in tokens and milliseconds.

    Of the ``reused`` tokens ``restored`` came out of RAM or from disk. ``model_ms`` is time inside
    the worker after the queue: everything else is ours to answer for.
    """

    prompt_tokens: int = 0
    reused: int = 0
    restored: int = 0
    evaluated: int = 0
    generated: int = 0
    drafted: int = 0
    accepted: int = 0
    queue_ms: float = 0.0
    prefill_ms: float = 0.0
    model_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """A frozen look at the engine: what `fimble/status` shows.

    ``progress`` is the load's fraction while loading; ``error`` is set when DOWN or FAILED.
    """

    state: State
    progress: float = 0.0
    stage: str = ""
    info: ModelInfo | None = None
    profile: Profile | None = None
    error: FimbleError | None = None
    restarts: int = 0


class Generation(Protocol):
    """One request under way. Leaving the ``async with`` block stops it in the worker.

    Iterating yields `Piece`s until the model stops; `EngineError`s are raised from the
    iteration. ``trace`` is true at any time.
    """

    @property
    def trace(self) -> Trace: ...

    @property
    def reason(self) -> str:
        """``stop``, ``length``, ``cancelled``, or ``""`` while it runs."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    def __aiter__(self) -> AsyncIterator[Piece]: ...


class Engine(Protocol):
    """Answers prompts. Lives on the loop thread; nothing here blocks."""

    @property
    def status(self) -> EngineStatus: ...

    def on_status(self, listener: Callable[[EngineStatus], None]) -> None:
        """Call ``listener`` on the loop thread at each change of the status."""
        ...

    def start(self) -> None:
        """Begin loading in the background; returns at once. Needs a running loop."""
        ...

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
        """Begin a request; with ``one_line`` it ends with the first line break.

        ``guess`` is text that the answer may well begin with: it only makes it come sooner.
        Raises `EngineLoading`, `EngineDown`, `EngineClosed` or the `ModelError` that stopped the
        load, at once, when there is nobody to ask.
        """
        ...

    async def prefill(self, prompt: Prompt, *, priority: Priority = Priority.OPENED) -> None:
        """Read the prompt into the KV cache; gives way to everything more urgent."""
        ...

    async def rank(
        self,
        prompt: Prompt,
        texts: Sequence[str],
        *,
        max_tokens: int = RANK_TOKENS,
        priority: Priority = Priority.ITEMS,
    ) -> tuple[float, ...]:
        """The natural log-probability of each text as what follows the prompt.

        With a healed prompt it is that of the text together with what healing took back, so the
        figures compare with one another. At most ``max_tokens`` tokens of the texts are read,
        likely ways first; a text that was not read to its end has the figure of its beginning.
        Raises as `generate` does, and `PromptTooLong`.
        """
        ...

    async def surprise(
        self, prompt: Prompt, text: str, *, priority: Priority = Priority.ACTION
    ) -> tuple[Surprise, ...]:
        """What the model thinks of each token of ``text`` when it reads it after the prompt.

        Raises as `generate` does, and `PromptTooLong`.
        """
        ...

    async def unread(self, prompts: Sequence[Prompt]) -> tuple[int, ...]:
        """How many tokens of each prompt no tier of the KV cache knows; answered at once.

        Raises as `generate` does.
        """
        ...

    async def flush(self) -> None:
        """Return when no work is queued or running: a test aid."""
        ...

    async def stats(self) -> Stats:
        """Memory and KV figures of the worker."""
        ...

    async def close(self) -> None:
        """Abandon all work and end the worker; safe to call twice."""
        ...
