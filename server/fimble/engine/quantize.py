"""Write a model with other tensor types: ``python -m fimble.engine.quantize FROM TO BODY HEAD``.

llama.cpp multiplies some types much faster than others on a given processor: x86 has kernels on
rearranged weights for Q4_0 and IQ4_NL, but none for the Q5_0 and Q8_0 that files called "Q4_K_M"
hold where a model's width is no multiple of 256. Runs in a child process, so that a crash of
llama.cpp is one clear message.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from fimble.engine.child import answer, ask
from fimble.errors import DiskFull, EngineDown, UnsupportedModel

BODIES: Final = ("q4_0", "iq4_nl")
"""The types with fast kernels, the fastest first: an IQ4_NL weight has as many bits as one of
Q4_0 and costs a table look-up more (measured: 1.34 against 1.46 times the rate of Q5_0)."""
HEADS: Final = ("q4_0", "q6_k", "q8_0")
KEPT: Final = "kept"
"""The head stays as it is in the file."""
DISK_RESERVE_BYTES: Final = 16_000_000
"""With less than this free, a write that failed did so because the disk is full."""


@dataclass(frozen=True, slots=True)
class Mix:
    """The types of a model's matrices (``body``) and of its output matrix (``head``).

    The embedding is Q8_0 with every head, where it is a matrix of its own: its rows are only
    looked up, so that its type costs no time.
    """

    body: str
    head: str

    def __str__(self) -> str:
        return f"{self.body}-{self.head}"


def mixes(body: str = "auto", *, keep_head: bool = False) -> tuple[Mix, ...]:
    """What is worth trying, bodies in the order of `BODIES`."""
    bodies = BODIES if body == "auto" else (body,)
    heads = (KEPT,) if keep_head else HEADS
    return tuple(Mix(body, head) for body in bodies for head in heads)


def quantize(source: Path, target: Path, mix: Mix, *, tick: Callable[[int], None]) -> None:
    """Write ``source`` to ``target`` in other types; ``tick`` is told the bytes so far.

    Raises `UnsupportedModel` when the model does not allow this mix, `EngineDown` when llama.cpp
    crashed, `DiskFull`, and what ``tick`` raises.
    """

    def watch() -> None:
        tick(target.stat().st_size if target.exists() else 0)

    arguments = [str(source), str(target), mix.body, mix.head]
    try:
        ask("fimble.engine.quantize", arguments, type(None), tick=watch)
    except (UnsupportedModel, EngineDown) as error:
        if shutil.disk_usage(target.parent).free < DISK_RESERVE_BYTES:
            raise DiskFull(f"The disk of {target.parent} is full.", "Make room.") from error
        raise


def _quantize() -> None:
    from fimble.engine.llama.model import Backend  # noqa: PLC0415  (only the child loads it)
    from fimble.engine.llama.requantize import requantize  # noqa: PLC0415  (only the child loads it)

    source, target, body, head = sys.argv[1:]
    requantize(
        Backend(),
        Path(source),
        Path(target),
        body=body,
        head=None if head == KEPT else head,
        n_threads=psutil.cpu_count(logical=False) or 1,
    )


if __name__ == "__main__":
    answer(_quantize)
