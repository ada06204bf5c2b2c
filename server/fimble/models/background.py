"""Reading from something that may hang, without hanging.

A name lookup, a connection or a read can block for minutes and cannot be interrupted. So the
source is read on a daemon thread, and whoever consumes it waits with patience of its own and is
always free to go. An abandoned thread ends at its own time-out and touches nothing but the
connection it holds.
"""

import time
from collections.abc import Callable, Generator
from contextlib import closing
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import Final

QUEUE_CHUNKS: Final = 16
POLL_SECONDS: Final = 0.05

Chunks = Generator[bytes, None, None]


class SourceFailed(Exception):
    """One source did not deliver; ``reason`` is half a sentence for the list of reasons."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def in_background(
    produce: Callable[[], Chunks],
    *,
    check: Callable[[], None],
    first_s: float,
    next_s: float,
) -> Chunks:
    """Yield what ``produce`` yields; ``check`` is called many times a second and may raise.

    Raises `SourceFailed` as ``produce`` does, or when nothing came for ``first_s`` seconds at
    the start or ``next_s`` seconds later.
    """
    queue: Queue[bytes | SourceFailed | None] = Queue(maxsize=QUEUE_CHUNKS)
    abandoned = Event()
    Thread(target=_run, args=(produce, queue, abandoned), daemon=True).start()
    patience = first_s
    try:
        while (item := _next(queue, patience, check)) is not None:
            if isinstance(item, SourceFailed):
                raise item
            yield item
            patience = next_s
    finally:
        abandoned.set()


def _next(
    queue: Queue[bytes | SourceFailed | None], patience: float, check: Callable[[], None]
) -> bytes | SourceFailed | None:
    deadline = time.monotonic() + patience
    while True:
        check()
        try:
            return queue.get(timeout=POLL_SECONDS)
        except Empty:
            if time.monotonic() > deadline:
                raise SourceFailed(f"nothing came for {patience:g} seconds") from None


def _run(
    produce: Callable[[], Chunks],
    queue: Queue[bytes | SourceFailed | None],
    abandoned: Event,
) -> None:
    def put(item: bytes | SourceFailed | None) -> None:
        while not abandoned.is_set():
            try:
                queue.put(item, timeout=POLL_SECONDS)
            except Full:
                continue
            return

    try:
        with closing(produce()) as chunks:
            for chunk in chunks:
                put(chunk)
                if abandoned.is_set():
                    return
    except SourceFailed as error:
        put(error)
    finally:
        # Also after an error nobody foresaw: then the file is found to be cut short.
        put(None)
