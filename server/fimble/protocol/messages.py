"""What the user is told in a window: each distinct problem once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from fimble.protocol.logs import logger

if TYPE_CHECKING:
    from fimble.errors import FimbleError
    from fimble.protocol.server import FimbleServer


class Notices:
    """Shows problems in the editor and remembers which were shown."""

    def __init__(self, server: FimbleServer) -> None:
        self._server = server
        self._shown: set[tuple[type[FimbleError], str]] = set()

    def show(self, problem: FimbleError, kind: types.MessageType = types.MessageType.Error) -> None:
        """Show the problem and its hint unless that was done before."""
        key = (type(problem), problem.message)
        if key in self._shown:
            return
        self._shown.add(key)
        logger.warning("%s", problem)
        params = types.ShowMessageParams(type=kind, message=f"Fimble: {problem}")
        self._server.window_show_message(params)

    def forget(self) -> None:
        """Start over, for the user has changed something: what is still wrong is told again."""
        self._shown.clear()
