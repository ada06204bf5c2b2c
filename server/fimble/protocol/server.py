"""The server: what one connection owns, and how it is started on stdio or a local socket."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer

from fimble import __version__
from fimble.engine.messages import State
from fimble.features.items import Survey
from fimble.features.memory import Memory
from fimble.history import FILE_NAME, History
from fimble.protocol import (
    actions,
    commands,
    configuration,
    custom,
    documents,
    indexing,
    inline,
    items,
    lifecycle,
    logs,
    notebooks,
)
from fimble.protocol.ahead import Ahead
from fimble.protocol.flights import Flights
from fimble.protocol.hints import Hints
from fimble.protocol.host import EngineHost, Launcher
from fimble.protocol.messages import Notices
from fimble.protocol.outcomes import Outcomes
from fimble.protocol.permission import Permissions
from fimble.protocol.progress import ProgressBar
from fimble.protocol.rpc import FimbleProtocol
from fimble.protocol.transport import StdoutWriter, converse, stdin_reader
from fimble.protocol.work import Work
from fimble.session import Session
from fimble.source.languages import Languages

if TYPE_CHECKING:
    from pathlib import Path

    from fimble.engine.base import EngineStatus

CLOSE_SECONDS: Final = 5.0
_GROUPS: Final = (
    lifecycle,
    documents,
    notebooks,
    inline,
    items,
    actions,
    commands,
    configuration,
    indexing,
    custom,
)


class FimbleServer(LanguageServer):
    """One client's server. Everything that changes lives here and in the `Session`."""

    protocol: FimbleProtocol

    def __init__(
        self,
        launcher: Launcher,
        *,
        user_directory: Path | None = None,
        cache_directory: Path | None = None,
    ) -> None:
        super().__init__(
            "fimble",
            __version__,
            text_document_sync_kind=types.TextDocumentSyncKind.Incremental,
            notebook_document_sync=notebooks.SYNC,
            protocol_cls=FimbleProtocol,
        )
        self.session: Session[Memory] = Session(Languages.load())
        self.survey = Survey(self.session.languages)
        self.listings = actions.Listings()
        self.hints = Hints()
        self.work = Work()
        self.flights = Flights()
        self.ahead = Ahead()
        self.outcomes = Outcomes(History(cache_directory / FILE_NAME) if cache_directory else None)
        self.engine = EngineHost(launcher, self.work)
        self.notices = Notices(self)
        self.configuration = configuration.Configuration(user_directory=user_directory)
        self.parsing = asyncio.Lock()
        self.cache_directory = cache_directory
        self.indexing = indexing.Indexing(
            cache_directory / "index" if cache_directory else None,
            warm=self.warm_all,
            again=self.index_workspace,
        )
        self.permissions = Permissions(cache_directory / "permissions" if cache_directory else None)
        self.told_status: dict[str, Any] | None = None
        self._progress = ProgressBar(self, self.engine.stop_fetching)
        self.engine.on_status(self._on_engine_status)

    def report_server_error(self, error: Exception, source: type[Exception]) -> None:
        """Log what pygls caught; a client that asked has its answer already."""
        del source
        data = error.data if isinstance(error, JsonRpcException) else None
        places = "".join(data["traceback"]) if isinstance(data, dict) else ""
        logs.logger.error("a message could not be handled: %s\n%s", type(error).__name__, places)

    @property
    def exit_status(self) -> int:
        """The process's exit status: 0 after a proper goodbye."""
        return 0 if self.protocol.was_shut_down else 1

    async def close(self) -> None:
        """End all work and the engine, but do not wait for ever."""
        self.outcomes.stop()
        self.permissions.close()
        for document in self.session:
            self.outcomes.close(self, document.snapshot)
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self.outcomes.written()
                await self.work.close()
                await self.indexing.close()
                await self.engine.close()
        except TimeoutError:
            logs.logger.warning("the engine did not end in time")

    def warm_all(self) -> None:
        """Let the model read the open documents, with what is known of the workspace by now."""
        for document in self.session:
            documents.warm_later(self, document.snapshot)

    def index_workspace(self) -> None:
        """Let the index follow what the client's folders and the settings are now."""
        self.work.start("indexing", self.indexing.follow(self))

    def _on_engine_status(self, status: EngineStatus) -> None:
        if not self.protocol.initialized:
            return  # the engine ends as well where nobody has ever said hello
        custom.tell_status(self, status)
        match status.state:
            case State.LOADING:
                cancellable = self.engine.is_fetching
                if status.stage:
                    self._progress.show(status.progress, status.stage, cancellable=cancellable)
            case State.READY:
                self._progress.end("ready")
                self.warm_all()
            case State.FAILED | State.DOWN:
                self._progress.end("failed")
                if status.error is not None:
                    self.notices.show(status.error)
            case State.STOPPED:
                self._progress.end("stopped")


def create_server(
    launcher: Launcher,
    *,
    user_directory: Path | None = None,
    cache_directory: Path | None = None,
) -> FimbleServer:
    """Make a server with all its handlers.

    ``user_directory`` holds the user's ``fimble.toml``; None means where the system keeps such
    files. ``cache_directory`` keeps indexes of workspaces, the history of suggestions and texts to
    be shown; None means that there are none.
    """
    server = FimbleServer(launcher, user_directory=user_directory, cache_directory=cache_directory)
    for group in _GROUPS:
        group.register(server)
    return server


def serve_stdio(
    launcher: Launcher,
    *,
    user_directory: Path | None = None,
    cache_directory: Path | None = None,
) -> int:
    """Talk to one client on standard input and output; return the process's exit status."""
    logs.set_up()
    return asyncio.run(_serve_stdio(launcher, user_directory, cache_directory))


async def _serve_stdio(
    launcher: Launcher, user_directory: Path | None, cache_directory: Path | None
) -> int:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(logs.on_loop_exception)
    server = create_server(launcher, user_directory=user_directory, cache_directory=cache_directory)
    writer = StdoutWriter()
    server.protocol.set_writer(writer)
    await converse(stdin_reader(loop), server.protocol)
    if not server.protocol.initialized:
        logs.logger.warning("nobody said hello: editors start `fimble serve` themselves")
    await server.close()
    writer.close()
    return server.exit_status
