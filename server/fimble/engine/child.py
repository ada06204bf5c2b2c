"""Work in a child process that llama.cpp may bring down: both ends of one question and answer.

The answer is one MessagePack map on stdout, ``done`` or ``failed``. The child leaves when its
parent is gone.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import msgspec

from fimble.engine.messages import Failed
from fimble.errors import EngineDown, FimbleError, from_name

POLL_S: Final = 0.1

Answer = TypeVar("Answer")


def ask(
    module: str,
    arguments: Sequence[str],
    kind: type[Answer],
    *,
    tick: Callable[[], None] = lambda: None,
    timeout_s: float | None = None,
) -> Answer:
    """Run ``python -m module arguments``, calling ``tick`` (which may raise) many times a second.

    Raises what the child raised, or `EngineDown` when it crashed or took too long.
    """
    started = time.monotonic()
    # Not a pipe: a long answer would fill it, and the child would wait for ever.
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.DEVNULL,
        )
        with process:
            try:
                while not _ended(process):
                    tick()
                    if timeout_s is not None and time.monotonic() - started > timeout_s:
                        raise EngineDown(f"llama.cpp did not answer for {timeout_s:g} s.")
            finally:
                process.kill()
        output.seek(0)
        return _read(output.read(), kind, process.returncode)


def _ended(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(POLL_S)
    except subprocess.TimeoutExpired:
        return False
    return True


def _read(output: bytes, kind: type[Answer], code: int) -> Answer:
    try:
        answer = msgspec.msgpack.decode(output, type=dict[str, msgspec.Raw])
    except msgspec.DecodeError as error:
        raise EngineDown(f"llama.cpp crashed (exit code {code}).") from error
    if "done" in answer:
        return msgspec.msgpack.decode(answer["done"], type=kind)
    failed = msgspec.msgpack.decode(answer["failed"], type=Failed)
    raise from_name(failed.kind, failed.message, failed.hint)


def answer(work: Callable[[], object]) -> None:
    """Do the work in the child and print what it returns, or the `FimbleError` it raises."""
    sink = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # llama.cpp may print; the answer must stay alone
    threading.Thread(target=_leave_with_the_parent, daemon=True).start()
    try:
        reply: dict[str, object] = {"done": work()}
    except FimbleError as error:
        reply = {"failed": Failed(None, type(error).__name__, error.message, error.hint)}
    sink.write(msgspec.msgpack.encode(reply))
    sink.flush()


def _leave_with_the_parent() -> None:
    while os.read(0, 1):
        pass
    os._exit(1)
