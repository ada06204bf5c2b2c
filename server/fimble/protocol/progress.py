"""One progress bar in the editor: getting and loading the model, with a button to stop it."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Final

from lsprotocol import types
from pygls.exceptions import JsonRpcException

if TYPE_CHECKING:
    from collections.abc import Callable

    from fimble.protocol.server import FimbleServer

_TITLE: Final = "Fimble"


class ProgressBar:
    """Shown from the first `show` until `end`; nothing where the client has no progress bars.

    ``on_cancel`` is called when the user presses the button. ``token`` is a bar that the client
    has made for its request.
    """

    def __init__(
        self,
        server: FimbleServer,
        on_cancel: Callable[[], object],
        token: types.ProgressToken | None = None,
    ) -> None:
        self._server = server
        self._on_cancel = on_cancel
        self._given = token
        self._token: types.ProgressToken | None = None
        self._is_open = False
        self._wanted = (0, "", False)
        self._sent = self._wanted

    def show(self, fraction: float, stage: str, *, cancellable: bool) -> None:
        """Set the bar, 0.0 to 1.0, and the words beside it; opens it if need be."""
        self._wanted = (int(min(max(fraction, 0.0), 1.0) * 100), stage, cancellable)
        if self._token is None and self._given is not None:
            self._token = self._given
            self._begin(self._token)
        elif self._token is None and self._is_supported():
            token = self._token = f"fimble-{uuid.uuid4()}"
            self._server.work.start("showing progress", self._open(token))
        elif self._is_open and self._token is not None and self._wanted != self._sent:
            self._report(self._token)

    def end(self, message: str) -> None:
        """Close the bar with a last word."""
        token, self._token = self._token, None
        if token is not None and self._is_open:
            self._end(token, message)
        self._is_open = False

    def _is_supported(self) -> bool:
        window = self._server.client_capabilities.window
        return bool(window and window.work_done_progress)

    async def _open(self, token: types.ProgressToken) -> None:
        progress = self._server.work_done_progress
        try:
            await progress.create_async(token)
        except JsonRpcException:
            # The client refused; the token stays, so that it is not asked again.
            return
        if token != self._token:
            progress.tokens.pop(token, None)
            return
        self._begin(token)

    def _begin(self, token: types.ProgressToken) -> None:
        progress = self._server.work_done_progress
        percentage, stage, cancellable = self._sent = self._wanted
        begin = types.WorkDoneProgressBegin(
            title=_TITLE, message=stage, percentage=percentage, cancellable=cancellable
        )
        progress.begin(token, begin)
        progress.tokens[token].add_done_callback(self._cancelled)
        self._is_open = True

    def _cancelled(self, _future: object) -> None:
        self._on_cancel()

    def _report(self, token: types.ProgressToken) -> None:
        percentage, stage, cancellable = self._sent = self._wanted
        report = types.WorkDoneProgressReport(
            message=stage, percentage=percentage, cancellable=cancellable
        )
        self._server.work_done_progress.report(token, report)

    def _end(self, token: types.ProgressToken, message: str) -> None:
        progress = self._server.work_done_progress
        progress.end(token, types.WorkDoneProgressEnd(message=message))
        progress.tokens.pop(token, None)
