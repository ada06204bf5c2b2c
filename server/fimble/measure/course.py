"""What the server holds in the course of a long replay: whether anything grows, dies or fails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import psutil

from fimble.protocol.client import EditorClient

MEGABYTE: Final = 1_000_000
ERROR: Final = " ERROR "
"""How a line of the server's log says that something failed."""


@dataclass(frozen=True, slots=True)
class Look:
    """Memory in megabytes, and the worker's life, after so many keys and with nothing left to do.

    ``parked_mb`` is KV state in the worker's RAM, which is part of ``worker_mb``.
    """

    keys: int
    server_mb: float
    worker_mb: float
    parked_mb: float
    disk_mb: float
    cells: int
    slots: int
    restarts: int
    errors: int

    @property
    def own_mb(self) -> float:
        """Resident memory of both processes but for KV state, which has caps of its own."""
        return self.server_mb + self.worker_mb - self.parked_mb


async def look(editor: EditorClient, keys: int) -> Look:
    """Let background work end, then measure; what the worker cannot tell is 0."""
    await editor.flush()
    status = await editor.status()
    held = status["memory"] or {}
    return Look(
        keys=keys,
        server_mb=_megabytes(psutil.Process(editor.pid).memory_info().rss),
        worker_mb=_megabytes(held.get("rssBytes", 0)),
        parked_mb=_megabytes(held.get("parkedBytes", 0)),
        disk_mb=_megabytes(held.get("diskBytes", 0)),
        cells=held.get("kvCellsUsed", 0),
        slots=held.get("sequences", 0),
        restarts=status["restarts"],
        errors=sum(ERROR in line for line in editor.log),
    )


def course_figures(looks: Sequence[Look]) -> dict[str, Any]:
    """Sum up: growth is from the middle on, when caches have what they usually hold."""
    middle, last = looks[len(looks) // 2], looks[-1]
    return {
        "growth_mb": round(last.own_mb - middle.own_mb, 1),
        "growth_keys": last.keys - middle.keys,
        "restarts": last.restarts,
        "errors": last.errors,
        "looks": [asdict(one) for one in looks],
    }


def _megabytes(size: int) -> float:
    return round(size / MEGABYTE, 1)
