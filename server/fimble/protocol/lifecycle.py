"""From hello to goodbye: initialize, initialized, shutdown; exit is in `rpc.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from fimble.protocol import actions, configuration

if TYPE_CHECKING:
    from fimble.protocol.server import FimbleServer


def register(server: FimbleServer) -> None:
    """Add these handlers to the server."""
    server.feature(types.INITIALIZE)(initialize)
    server.feature(types.INITIALIZED)(initialized)
    server.feature(types.SHUTDOWN)(shutdown)


def initialize(ls: FimbleServer, params: types.InitializeParams) -> None:
    """Read the settings there are by now; pygls makes the answer."""
    configuration.on_initialize(ls, params)


def initialized(ls: FimbleServer, _params: types.InitializedParams) -> None:
    """Begin to work, in the background."""
    ls.work.start("starting", _start(ls))


async def shutdown(ls: FimbleServer, _params: None) -> None:
    """Give the machine its memory back; the client will send exit next."""
    await ls.close()


async def _start(ls: FimbleServer) -> None:
    """Ask for the rest of the settings, then bring up the model."""
    await configuration.pull(ls)
    configuration.apply(ls)
    await ls.outcomes.load()
    await configuration.watch(ls)
    # Editors ask what can be done wherever the cursor goes: the first answer need not be late.
    await actions.prepare()
