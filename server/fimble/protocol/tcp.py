"""``--tcp``: one client on a socket of this machine, let in by a token."""

from __future__ import annotations

import asyncio
import secrets
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fimble.protocol import logs
from fimble.protocol.rpc import Gate
from fimble.protocol.server import create_server
from fimble.protocol.transport import converse

if TYPE_CHECKING:
    from pathlib import Path

    from fimble.protocol.host import Launcher

LOCALHOST: Final = "127.0.0.1"


def serve_tcp(
    launcher: Launcher,
    port: int,
    token: str | None = None,
    *,
    user_directory: Path | None = None,
    cache_directory: Path | None = None,
) -> int:
    """Talk to one client on a socket of this machine; return the process's exit status.

    Every program on the machine can reach the socket, so the client must bring ``token`` in
    ``initializationOptions.token``; without one, one is made. It and the port (a free one for
    port 0) are printed to standard error. Other connections are refused and closed at their
    first message and change nothing; the server ends with the client that it let in.
    """
    logs.set_up()
    gate = Gate(token or secrets.token_urlsafe(24))
    return asyncio.run(_Listener(launcher, gate, user_directory, cache_directory).serve(port))


@dataclass(slots=True)
class _Listener:
    launcher: Launcher
    gate: Gate
    user_directory: Path | None
    cache_directory: Path | None

    async def serve(self, port: int) -> int:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(logs.on_loop_exception)
        ended: asyncio.Future[int] = loop.create_future()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            status = await self._converse(reader, writer)
            if status is not None and not ended.done():
                ended.set_result(status)

        # No `async with`: from Python 3.12 on it would wait for strangers to hang up.
        listener = await asyncio.start_server(connected, LOCALHOST, port)
        try:
            port = listener.sockets[0].getsockname()[1]
            print(
                f"fimble: listening on {LOCALHOST}:{port}, token {self.gate.token}",
                file=sys.stderr,
                flush=True,
            )
            return await ended
        finally:
            listener.close()

    async def _converse(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> int | None:
        """Serve one connection; None if it was none of our client's."""
        server = create_server(
            self.launcher,
            user_directory=self.user_directory,
            cache_directory=self.cache_directory,
        )
        server.protocol.gate = self.gate
        server.protocol.set_writer(writer)
        await converse(reader, server.protocol)
        await server.close()
        writer.close()
        return server.exit_status if server.protocol.initialized else None
