"""The child process that owns llama.cpp: ``python -m fimble.engine.worker``.

Two threads. The reader takes frames from stdin, and ends the process when stdin closes, so that
no orphan survives its parent on any system. The main thread runs inference. They share a queue
and the context's native abort flag, nothing else.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Generator
from pathlib import Path
from typing import BinaryIO

import psutil

from fimble.engine.calibrate import choose_profile, open_context
from fimble.engine.decode import Decoder
from fimble.engine.files import SegmentFiles
from fimble.engine.kv import KVCache
from fimble.engine.llama.context import Context
from fimble.engine.llama.model import ALL_LAYERS, Backend, Model, supports_gpu
from fimble.engine.messages import (
    HEADER_BYTES,
    MAX_FRAME_BYTES,
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
    Priority,
    Profile,
    QueryStats,
    Rank,
    Ranked,
    Ready,
    Shutdown,
    Stats,
    ToServer,
    decode,
    encode,
)
from fimble.engine.pace import Pace
from fimble.engine.scheduler import Job, Scheduler
from fimble.engine.score import Scorer
from fimble.engine.segments import SegmentTree
from fimble.errors import FimbleError

N_SLOTS = 8
"""Sequences in the context: files that stay warm side by side; their cells are shared."""
IDLE_S = 2.0
"""Quiet time after which KV state is copied out of the context: never while somebody types."""
KEY_SAMPLES = 64
KEY_SAMPLE_BYTES = 65536
UPKEEP = -1
"""The job id of that work."""


class Worker:
    """Loads one model and serves requests until its parent goes away."""

    def __init__(self, source: int, sink: BinaryIO) -> None:
        self._source = source  # a file descriptor: a buffered reader's lock breaks interpreter exit
        self._sink = sink
        self._inbox: queue.SimpleQueue[tuple[Message, float]] = queue.SimpleQueue()
        self._scheduler = Scheduler()
        self._flushes: list[int] = []
        self._running: Job | None = None
        self._context: Context | None = None
        self._upkeep_at: float | None = None
        self._reported = 0

    def serve(self) -> None:
        """Run until stdin closes; a failed load is told once and ends the worker."""
        threading.Thread(target=self._read_frames, daemon=True).start()
        first, _ = self._inbox.get()
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
        profile, measured = choose_profile(
            model,
            order.overrides,
            order.profile,
            n_gpu_layers=layers,
            report=lambda: self._send(Loading(0.8, "measuring this machine")),
        )
        self._send(Loading(0.9, "preparing"))
        self._context = open_context(model, profile, n_seq_max=N_SLOTS)
        self._tree = open_tree(model, profile, order.keep)
        self._cache = KVCache(self._context, N_SLOTS, self._tree)
        pace = Pace(profile, self._context.set_threads)
        self._decoder = Decoder(self._context, self._cache, info, profile, pace)
        self._scorer = Scorer(self._context, self._cache, self._decoder, pace)
        self._send(Ready(info, profile, measured))

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
            if idle and self._upkeep_at != 0.0:
                self._answer_flushes()
            try:
                message, arrived = self._inbox.get(idle, self._patience())
            except queue.Empty:
                if idle:
                    self._upkeep_at = None
                    self._scheduler.add(UPKEEP, Priority.PERSIST, self._upkeep())
                return
            self._handle(message, arrived)

    def _patience(self) -> float | None:
        """Seconds until upkeep is due; None when there is nothing to keep."""
        return None if self._upkeep_at is None else max(0.0, self._upkeep_at - time.monotonic())

    def _handle(self, message: Message, arrived: float) -> None:  # noqa: C901  (a case each)
        match message:
            case Generate():
                steps = self._run(message, arrived)
                self._scheduler.add(message.id, message.priority, steps)
            case Rank():
                self._scheduler.add(message.id, message.priority, self._scorer.rank(message))
            case Judge():
                self._scheduler.add(message.id, message.priority, self._scorer.judge(message))
            case Cancel(id=identifier):
                job = self._scheduler.remove(identifier)
                if job is not None:
                    job.steps.close()
                    self._send(Finished(identifier, "cancelled"))
            case Shutdown(seconds=seconds):
                self._leave(seconds)
            case Flush(id=identifier):
                self._flushes.append(identifier)
                if self._upkeep_at is not None:
                    self._upkeep_at = 0.0
            case Count(id=identifier, prompts=prompts):
                self._send(Counted(identifier, tuple(map(self._decoder.unread, prompts))))
            case QueryStats(id=identifier):
                self._send(self._stats(identifier))
            case _:
                raise TypeError(f"unexpected message {type(message).__name__}")

    def _run(self, request: Generate, arrived: float) -> Generator[ToServer | None, None, None]:
        """The request's steps, begun (and its queue time known) when it is first scheduled."""
        queue_ms = (time.perf_counter() - arrived) * 1000
        yield from self._decoder.run(request, queue_ms)

    def _step(self) -> None:
        """Advance the most urgent job by one step."""
        job = self._scheduler.current()
        if job is None:
            return
        self._running = job
        try:
            event = next(job.steps)
        except StopIteration:
            self._scheduler.remove(job.id)
            return
        except FimbleError as error:
            self._scheduler.remove(job.id)
            self._send(failure(job.id, error))
            return
        finally:
            self._running = None
        if event is not None:
            self._send(event)
        if isinstance(event, Finished | Ranked | Judged):
            job.steps.close()
            self._scheduler.remove(job.id)
            self._upkeep_at = time.monotonic() + IDLE_S

    def _upkeep(self, *, tails: bool = False) -> Generator[None, None, None]:
        """Bring what only the context has to RAM and disk, a segment at a time."""
        yield from self._cache.park(tails=tails)
        yield from self._cache.persist()

    def _leave(self, seconds: float) -> None:
        """Keep what there is time for, then end the process."""
        deadline = time.monotonic() + seconds
        while (job := self._scheduler.current()) is not None:
            job.steps.close()
            self._scheduler.remove(job.id)
        for _ in self._upkeep(tails=True):
            if time.monotonic() > deadline:
                break
        os._exit(0)

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
            parked_bytes=self._tree.ram_used,
            disk_bytes=self._tree.disk_used,
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
                self._inbox.put((message, time.perf_counter()))
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
            case Shutdown():
                return True
            case Count():
                return running is not None and running.priority > Priority.KEY_PRESS
            case Generate() | Rank() | Judge():
                return running is not None and running.priority > message.priority
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


def open_tree(model: Model, profile: Profile, keep: Keep) -> SegmentTree:
    """The RAM and disk tiers for this model, this build and this way to run it."""
    if keep.directory is None or keep.disk_bytes <= 0:
        return SegmentTree(ram_bytes=keep.ram_bytes)
    key = kv_key(model.path, profile, keep.layout)
    try:
        files = SegmentFiles(Path(keep.directory), key, cap_bytes=keep.disk_bytes)
        return SegmentTree(ram_bytes=keep.ram_bytes, files=files)
    except OSError as error:
        print(f"fimble: KV state cannot be kept on disk: {error}", file=sys.stderr)
        return SegmentTree(ram_bytes=keep.ram_bytes)


def kv_key(path: Path, profile: Profile, layout: int) -> bytes:
    """Everything that makes cells of one run useless in another.

    The model is known by its size and by samples spread over the file: its whole digest would
    cost the start half a second a gigabyte. RoPE and KV types are llama.cpp's defaults for the
    model; there are no adapters.
    """
    size = path.stat().st_size
    digest = hashlib.blake2b(digest_size=16)
    digest.update(f"{size} f16 {profile.flash_attention} {profile.n_gpu_layers} {layout}".encode())
    digest.update(importlib.metadata.version("llama-cpp-python").encode())
    with path.open("rb") as file:
        for index in range(KEY_SAMPLES):
            file.seek(index * size // KEY_SAMPLES)
            digest.update(file.read(KEY_SAMPLE_BYTES))
    return digest.digest()


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
