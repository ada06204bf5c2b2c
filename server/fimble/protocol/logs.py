"""The log on standard error, built so that the text of files cannot get into it.

pygls logs message bodies at every level, so it is silenced; what fails is reported here by the
exception's type and where it was raised, never by its message, which may quote user code.
"""

from __future__ import annotations

import logging
import sys
import traceback
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio
    from types import TracebackType

logger = logging.getLogger("fimble")


def set_up(level: str = "info") -> None:
    """Send all logging to standard error in our format; for processes that are a server."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.root.handlers[:] = [handler]
    logging.root.setLevel(logging.WARNING)
    logging.getLogger("pygls").setLevel(logging.CRITICAL + 1)
    set_level(level)


def set_level(level: str) -> None:
    """Log what is at least of this level, named as in the settings."""
    logger.setLevel(level.upper())


def failure(what: str, error: BaseException) -> None:
    """Log that ``what`` failed: the kind of error and the call stack, not its message."""
    logger.error("%s failed", what, exc_info=error)


def on_loop_exception(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Report what nobody awaited; an exception handler for the event loop."""
    error = context.get("exception")
    logger.error("%s", context["message"], exc_info=error)


class _Formatter(logging.Formatter):
    """Shows exceptions without their messages."""

    def formatException(  # noqa: N802  (the name is logging's)
        self,
        ei: tuple[type[BaseException], BaseException, TracebackType | None]
        | tuple[None, None, None],
    ) -> str:
        kind, _, frames = ei
        name = "no exception" if kind is None else kind.__qualname__
        places = [
            f"  {frame.filename}:{frame.lineno} in {frame.name}"
            for frame in traceback.extract_tb(frames)
        ]
        return "\n".join([name, *places])
