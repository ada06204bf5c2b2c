"""The child process that owns llama.cpp: ``python -m fimble.engine.worker``.

Two threads. The reader takes frames from stdin, and ends the process when stdin closes, so that
no orphan survives its parent on any system. The main thread runs inference. They share a queue
and the context's native abort flag, nothing else.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import psutil

from fimble.engine.calibrate import choose_profile, open_context
from fimble.engine.decode import Decoder
from fimble.engine.kv import KVCache
from fimble.engine.llama import ALL_LAYERS, Backend, Context, Model, supports_gpu
from fimble.engine.messages import (
    HEADER_BYTES,
    MAX_FRAME_BYTES,
    Cancel,
    Failed,
    Finished,
    Flush,
    Generate,
    Load,
    Loading,
    Message,
    QueryStats,
    Ready,
    Stats,
    ToServer,
    decode,
    encode,
)
from fimble.engine.scheduler import Job, Scheduler
from fimble.errors import FimbleError

N_SLOTS = 8
"""Sequences in the context: files that stay warm side by side; their cells are shared."""


class Worker:
    """Loads one model and serves requests until its parent goes away."""

    def __init__(self, source: int, sink: BinaryIO) -> None:
        self._source = source  # a file descriptor: a buffered reader's lock breaks interpreter exit
        self._sink = sink
        self._inbox: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._scheduler = Scheduler()
        self._flushes: list[int] = []
        self._running: Job | None = None
        self._context: Context | None = None
        self._reported = 0

    def serve(self) -> None:
        """Run until stdin closes; a failed load is told once and ends the worker."""
        threading.Thread(target=self._read_frames, daemon=True).start()
        first = self._inbox.get()
        if not isinstance(first, Load):
            raise TypeError(f"the first message must be Load, not {type(first).__name__}")
        try:
            self._load(first)
        except FimbleError as error:
            self._send(failure(None, error))
            return
        while True:
            self._take_messages()
            self._step()

    def _load(self, order: Load) -> None:
        self._send(Loading(0.0, "starting llama.cpp"))
        layers = order.overrides.n_gpu_layers
        if layers is None:
            layers = ALL_LAYERS if supports_gpu() else 0
        backend = Backend()
        model = Model(
            backend,
            Path(order.path),
            n_gpu_layers=layers,
            on_progress=self._report_reading,
        )
        info = model.info()
        profile = choose_profile(
            model,
            order.overrides,
            order.profile,
            n_gpu_layers=layers,
            report=lambda: self._send(Loading(0.8, "measuring this machine")),
        )
        self._send(Loading(0.9, "preparing"))
        self._context = open_context(model, profile, n_seq_max=N_SLOTS)
        self._cache = KVCache(self._context, N_SLOTS)
        self._decoder = Decoder(model, self._context, self._cache, info)
        self._send(Ready(info, profile))

    def _report_reading(self, fraction: float) -> None:
        """Tell every twentieth of the file, not every tensor."""
        twentieth = int(20 * fraction)
        if twentieth > self._reported:
            self._reported = twentieth
            self._send(Loading(0.7 * fraction, "reading the model"))

    # --- the inference thread -------------------------------------------------------------

    def _take_messages(self) -> None:
        """Handle what has come in; wait when there is nothing else to do."""
        if self._context:
            self._context.clear_abort()
        while True:
            idle = not self._scheduler
            if idle:
                self._answer_flushes()
            try:
                message = self._inbox.get(block=idle)
            except queue.Empty:
                return
            self._handle(message)

    def _handle(self, message: Message) -> None:
        match message:
            case Generate():
                steps = self._run(message, time.perf_counter())
                self._scheduler.add(message.id, message.priority, steps)
            case Cancel(id=identifier):
                job = self._scheduler.remove(identifier)
                if job is not None:
                    close(job)
                    self._send(Finished(identifier, "cancelled"))
            case Flush(id=identifier):
                self._flushes.append(identifier)
            case QueryStats(id=identifier):
                self._send(self._stats(identifier))
            case _:
                raise TypeError(f"unexpected message {type(message).__name__}")

    def _run(self, request: Generate, queued: float) -> Iterator[ToServer | None]:
        """The request's steps, begun (and its queue time known) when it is first scheduled."""
        queue_ms = (time.perf_counter() - queued) * 1000
        yield from self._decoder.run(request, queue_ms)

    def _step(self) -> None:
        """Advance the most urgent job by one step."""
        job = self._scheduler.current()
        if job is None:
            return
        self._running = job
        try:
            event = next(job.steps, None)
        except FimbleError as error:
            self._scheduler.remove(job.id)
            self._send(failure(job.id, error))
            return
        finally:
            self._running = None
        if event is not None:
            self._send(event)
        if isinstance(event, Finished):
            close(job)
            self._scheduler.remove(job.id)

    def _answer_flushes(self) -> None:
        for identifier in self._flushes:
            self._send(Finished(identifier, "flushed"))
        self._flushes.clear()

    def _stats(self, identifier: int) -> Stats:
        return Stats(
            id=identifier,
            rss_bytes=int(psutil.Process().memory_info().rss),
            kv_cells_used=sum(len(slot.tokens) for slot in self._cache.slots),
            kv_cells_total=self._context.n_ctx if self._context else 0,
            sequences=sum(bool(slot.tokens) for slot in self._cache.slots),
        )

    def _send(self, message: ToServer) -> None:
        self._sink.write(encode(message))
        self._sink.flush()

    # --- the reader thread ----------------------------------------------------------------

    def _read_frames(self) -> None:
        """Queue each frame and, where it makes the running step stale, abort that step."""
        try:
            while True:
                length = int.from_bytes(read_exactly(self._source, HEADER_BYTES), "little")
                if length > MAX_FRAME_BYTES:
                    break
                message = decode(read_exactly(self._source, length))
                self._inbox.put(message)
                if self._is_urgent(message) and self._context:
                    self._context.abort()
        except EOFError:
            pass
        finally:
            # The parent closed the pipe or died: nobody is left to answer. The main thread may
            # be deep inside llama.cpp, so only leaving at once is sure to work.
            os._exit(0)

    def _is_urgent(self, message: Message) -> bool:
        """Whether the step under way should give up for this message."""
        running = self._running
        match message:
            case Cancel(id=identifier):
                return running is not None and running.id == identifier
            case Generate(priority=priority):
                return running is not None and running.priority > priority
            case _:
                return False


def read_exactly(descriptor: int, size: int) -> bytes:
    """Read ``size`` bytes; raises `EOFError` when the other end is gone."""
    data = b""
    while len(data) < size:
        chunk = os.read(descriptor, size - len(data))
        if not chunk:
            raise EOFError
        data += chunk
    return data


def close(job: Job) -> None:
    """End a job's generator so that its KV slot is released."""
    closer = getattr(job.steps, "close", None)
    if closer is not None:
        closer()


def failure(identifier: int | None, error: FimbleError) -> Failed:
    """An exception as a message."""
    return Failed(identifier, type(error).__name__, error.message, error.hint)


def main() -> None:
    """Serve on stdin and stdout; everything that prints goes to stderr instead."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is the parent's to handle
    sink = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    Worker(sys.stdin.fileno(), sink).serve()


if __name__ == "__main__":
    main()
