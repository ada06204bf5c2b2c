"""The server's end of the pipe: starts the worker, restarts it, and never waits for it.

All state lives on the event loop. A crash fails the requests under way with `EngineDown`, is told
once through `on_status`, and the worker comes back after a growing pause; a load that fails for
a reason that will not go away (a bad model) is final until somebody makes a new engine.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from fimble.engine.base import RANK_TOKENS, EngineStatus
from fimble.engine.generation import WorkerGeneration
from fimble.engine.messages import (
    GREEDY,
    HEADER_BYTES,
    Cancel,
    Count,
    Counted,
    Failed,
    Finished,
    Flush,
    Generate,
    Judge,
    Judged,
    Keep,
    Load,
    Loading,
    Message,
    Overrides,
    Piece,
    Priority,
    Profile,
    Prompt,
    QueryStats,
    Rank,
    Ranked,
    Ready,
    Sampling,
    Shutdown,
    Started,
    State,
    Stats,
    Surprise,
    ToServer,
    ToWorker,
    decode,
    encode,
)
from fimble.errors import (
    EngineClosed,
    EngineDown,
    EngineError,
    EngineLoading,
    FimbleError,
    from_name,
)

log = logging.getLogger(__name__)

WORKER_COMMAND: Final = (sys.executable, "-P", "-m", "fimble.engine.worker")
"""With -P nothing is imported from the directory it is started in, which is a user's workspace."""
SHORT_SPIN: Final = {"GOMP_SPINCOUNT": "1000"}
"""How long llama.cpp's threads spin at a barrier before they sleep (libgomp; others ignore it).
The default of 300,000 keeps every core busy for milliseconds after each token, when the server
needs one, and costs seconds a token while another program runs. Measured with the 0.5B on two
cores: 20 ms a token either way on a quiet machine; 55 against 830 ms beside a compiler."""
BACKOFF_S: Final = (0.2, 1.0, 3.0, 10.0, 30.0)
"""Pauses before restarts; the last one repeats."""
STABLE_S: Final = 60.0
"""A worker that lived this long after loading starts over with the first pause."""
HANG_S: Final = 120.0
"""A worker that owes an answer and is silent for this long hangs; the slowest supported machine
reads a full context in less."""
KEEP_S: Final = 1.5
"""How long the worker may write KV state at shutdown: 1.5 GB/s make that a dozen files."""
CLOSE_S: Final = 3.0
"""How long the worker may take to leave before it is killed."""
MAX_LOAD_CRASHES: Final = 3
"""Crashes in a row before ever being ready: then the model or the build is bad, not the luck."""


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """Which model to run and how.

    ``load_profile`` and ``save_profile`` keep the calibration between runs; the engine itself
    knows no directories.
    """

    model: Path
    overrides: Overrides = field(default_factory=Overrides)
    load_profile: Callable[[], Profile | None] = lambda: None
    save_profile: Callable[[Profile], None] = lambda _profile: None
    keep: Keep = field(default_factory=Keep)
    command: Sequence[str] = WORKER_COMMAND
    backoff_s: Sequence[float] = BACKOFF_S
    hang_s: float = HANG_S


class WorkerEngine:
    """The real engine: `Engine` over a child process."""

    def __init__(self, config: EngineConfig) -> None:
        self._config = config
        self._status = EngineStatus(State.STOPPED)
        self._listeners: list[Callable[[EngineStatus], None]] = []
        self._inboxes: dict[int, asyncio.Queue[ToServer | EngineError]] = {}
        self._process: asyncio.subprocess.Process | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._last_id = 0
        self._heard_at = 0.0

    @property
    def status(self) -> EngineStatus:
        return self._status

    @property
    def pid(self) -> int | None:
        """The worker's process id, for tests that kill it."""
        return self._process.pid if self._process else None

    def on_status(self, listener: Callable[[EngineStatus], None]) -> None:
        self._listeners.append(listener)

    def start(self) -> None:
        if self._supervisor is None:
            self._set_status(state=State.LOADING)
            self._supervisor = asyncio.get_running_loop().create_task(self._supervise())

    def generate(
        self,
        prompt: Prompt,
        *,
        max_tokens: int,
        priority: Priority = Priority.KEY_PRESS,
        one_line: bool = False,
        sampling: Sampling = GREEDY,
        guess: str = "",
    ) -> WorkerGeneration:
        self._check_ready()
        identifier, inbox = self._open_inbox()
        self._send(Generate(identifier, prompt, max_tokens, priority, one_line, sampling, guess))
        return WorkerGeneration(inbox, lambda cancel: self._forget(identifier, cancel=cancel))

    async def prefill(self, prompt: Prompt, *, priority: Priority = Priority.OPENED) -> None:
        async with self.generate(prompt, max_tokens=0, priority=priority) as generation:
            async for _ in generation:
                pass

    async def rank(
        self,
        prompt: Prompt,
        texts: Sequence[str],
        *,
        max_tokens: int = RANK_TOKENS,
        priority: Priority = Priority.ITEMS,
    ) -> tuple[float, ...]:
        self._check_ready()
        answer = await self._ask(
            lambda identifier: Rank(identifier, prompt, tuple(texts), max_tokens, priority)
        )
        assert isinstance(answer, Ranked), "the worker answers Rank with Ranked"
        return answer.logprobs

    async def surprise(
        self, prompt: Prompt, text: str, *, priority: Priority = Priority.ACTION
    ) -> tuple[Surprise, ...]:
        self._check_ready()
        answer = await self._ask(lambda identifier: Judge(identifier, prompt, text, priority))
        assert isinstance(answer, Judged), "the worker answers Judge with Judged"
        return answer.surprises

    async def unread(self, prompts: Sequence[Prompt]) -> tuple[int, ...]:
        self._check_ready()
        answer = await self._ask(lambda identifier: Count(identifier, tuple(prompts)))
        assert isinstance(answer, Counted), "the worker answers Count with Counted"
        return answer.unread

    async def flush(self) -> None:
        self._check_ready()
        await self._ask(Flush)

    async def stats(self) -> Stats:
        self._check_ready()
        answer = await self._ask(QueryStats)
        assert isinstance(answer, Stats), "the worker answers QueryStats with Stats"
        return answer

    async def close(self) -> None:
        self._fail_all(EngineClosed("The server is shutting down."))
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.gather(self._supervisor, return_exceptions=True)
            self._supervisor = None
        await self._end_process()
        self._set_status(state=State.STOPPED)

    # --- requests -------------------------------------------------------------------------

    def _check_ready(self) -> None:
        status = self._status
        match status.state:
            case State.READY:
                return
            case State.LOADING:
                raise EngineLoading("The model is still loading.")
            case State.STOPPED:
                raise EngineClosed("The engine is not running.")
            case State.DOWN | State.FAILED:
                raise status.error or EngineDown("The model worker is not running.")

    def _open_inbox(self) -> tuple[int, asyncio.Queue[ToServer | EngineError]]:
        if not self._inboxes:
            self._heard_at = time.monotonic()  # it had nothing to say before
        self._last_id += 1
        inbox: asyncio.Queue[ToServer | EngineError] = asyncio.Queue()
        self._inboxes[self._last_id] = inbox
        return self._last_id, inbox

    async def _ask(self, message: Callable[[int], ToWorker]) -> ToServer:
        """Send a message that is answered by exactly one; stop it when nobody waits any more."""
        identifier, inbox = self._open_inbox()
        self._send(message(identifier))
        answer: ToServer | EngineError | None = None
        try:
            answer = await inbox.get()
        finally:
            self._forget(identifier, cancel=answer is None)
        if isinstance(answer, EngineError):
            raise answer
        if isinstance(answer, Failed):
            raise from_name(answer.kind, answer.message, answer.hint)
        return answer

    def _forget(self, identifier: int, *, cancel: bool = False) -> None:
        """Drop a request; with ``cancel`` the worker is told to stop working on it."""
        if self._inboxes.pop(identifier, None) is not None and cancel:
            self._send(Cancel(identifier))

    def _send(self, message: ToWorker) -> None:
        process = self._process
        if process is None or process.stdin is None or process.stdin.is_closing():
            return  # it just died: the supervisor fails every open request
        process.stdin.write(encode(message))

    # --- the worker's life ----------------------------------------------------------------

    async def _supervise(self) -> None:
        """Run workers until closed or until a failure that a restart cannot mend."""
        crashes = 0
        while True:
            ready_at = await self._run_worker()
            if self._status.state is State.FAILED:
                return
            lived = time.monotonic() - ready_at if ready_at else 0.0
            crashes = 1 if lived > STABLE_S else crashes + 1
            if not ready_at and crashes >= MAX_LOAD_CRASHES:
                self._fail(
                    EngineDown(
                        "The model worker crashes while it loads the model.",
                        "Run `fimble doctor`, or choose another model.",
                    )
                )
                return
            pause = self._config.backoff_s[min(crashes, len(self._config.backoff_s)) - 1]
            self._crashed(pause)
            await asyncio.sleep(pause)
            self._set_status(state=State.LOADING, restarts=self._status.restarts + 1)

    async def _run_worker(self) -> float | None:
        """Run one worker to its end; the monotonic time at which it was ready, if it was."""
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._config.command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                env=SHORT_SPIN | os.environ,
            )
        except OSError as error:
            self._fail(EngineDown(f"The model worker cannot be started: {error}."))
            return None
        config = self._config
        self._send(Load(str(config.model), config.overrides, config.load_profile(), config.keep))
        stdout = self._process.stdout
        assert stdout is not None, "stdout is a pipe"
        ready_at = None
        watch = asyncio.create_task(self._watch(self._process))
        try:
            while True:
                length = int.from_bytes(await stdout.readexactly(HEADER_BYTES), "little")
                message = decode(await stdout.readexactly(length))
                self._heard_at = time.monotonic()
                self._receive(message)
                if isinstance(message, Ready):
                    ready_at = time.monotonic()
        except (asyncio.IncompleteReadError, ConnectionError):
            await self._process.wait()
        finally:
            watch.cancel()
        return ready_at

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        """Kill a worker that owes an answer and says nothing; the supervisor starts another."""
        while True:
            await asyncio.sleep(self._config.hang_s / 4)
            silent = time.monotonic() - self._heard_at
            if self._inboxes and silent > self._config.hang_s and process.returncode is None:
                log.error("the model worker has said nothing for %.0f s and is ended", silent)
                process.kill()

    def _receive(self, message: Message) -> None:
        match message:
            case Loading(fraction=fraction, stage=stage):
                self._set_status(progress=fraction, stage=stage)
            case Ready(info=info, profile=profile, measured=measured):
                if measured is not None:
                    self._config.save_profile(measured)
                self._set_status(
                    state=State.READY,
                    progress=1.0,
                    stage="",
                    info=info,
                    profile=profile,
                    error=None,
                )
            case Failed(id=None):
                self._fail(from_name(message.kind, message.message, message.hint))
            case (
                Started()
                | Piece()
                | Finished()
                | Failed()
                | Ranked()
                | Judged()
                | Counted()
                | Stats()
            ):
                inbox = self._inboxes.get(message.id or 0)
                if inbox is not None:
                    inbox.put_nowait(message)
            case _:
                log.error("the worker sent an unexpected %s", type(message).__name__)

    def _crashed(self, pause: float) -> None:
        code = self._process.returncode if self._process else None
        error = EngineDown(
            f"The model crashed; it restarts in {pause:g} s (exit code {code}).",
            "If this goes on, run `fimble doctor`.",
        )
        self._set_status(state=State.DOWN, error=error, progress=0.0)
        self._fail_all(error)

    def _fail(self, error: FimbleError) -> None:
        self._set_status(state=State.FAILED, error=error, progress=0.0)
        self._fail_all(EngineDown(error.message, error.hint))

    def _fail_all(self, error: EngineError) -> None:
        for inbox in self._inboxes.values():
            inbox.put_nowait(error)
        self._inboxes.clear()

    def _set_status(self, **changes: object) -> None:
        self._status = replace(self._status, **changes)  # type: ignore[arg-type]
        for listener in self._listeners:
            listener(self._status)

    async def _end_process(self) -> None:
        """Close stdin, which ends the worker; kill it if it does not listen."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None and not process.stdin.is_closing():
            process.stdin.write(encode(Shutdown(KEEP_S)))
        try:
            await asyncio.wait_for(process.wait(), CLOSE_S)
        except TimeoutError:
            process.kill()
            await process.wait()
