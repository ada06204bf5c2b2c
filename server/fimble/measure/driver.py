"""What the demo and the benchmarks share: the server's command, and waiting for the model."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any, Final

from fimble.engine.messages import State
from fimble.errors import FimbleError
from fimble.protocol.client import EditorClient

SERVE: Final = (sys.executable, "-P", "-m", "fimble", "serve")
POLL_SECONDS: Final = 0.1

Show = Callable[[float, str], None]
"""Takes a fraction from 0 to 1 and a few words about what goes on."""


def options(model: str | None, threads: int | None = None) -> dict[str, Any]:
    """Return initializationOptions that suggest everywhere, whatever the user's file says."""
    chosen = {} if model is None else {"model": model}
    return {
        "enabled": True,
        "completion": {"enabled": True},
        "engine": {"threads": threads},
        **chosen,
    }


async def until_ready(editor: EditorClient, show: Show) -> dict[str, Any]:
    """Return ``fimble/status`` once the model answers; raises `FimbleError` if it never will."""
    while True:
        status = await editor.status()
        match status["state"]:
            case State.READY:
                return status
            case State.FAILED:
                error = status["error"] or {"message": "The model could not be loaded."}
                raise FimbleError(error["message"], error.get("hint", ""))
            case State.LOADING:
                show(status["progress"], status["stage"])
        await asyncio.sleep(POLL_SECONDS)
