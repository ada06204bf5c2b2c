"""Actions as commands, for what a client asks its user first: `fimble.instruct` and its like."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from msgspec import Meta
from pygls.exceptions import JsonRpcInvalidParams

from fimble.protocol.actions import Data, Text, perform, prepare
from fimble.source.positions import offset_at

if TYPE_CHECKING:
    from lsprotocol import types

    from fimble.protocol.server import FimbleServer

INSTRUCT: Final = "fimble.instruct"
EXPLAIN: Final = "fimble.explain"
TRANSLATE: Final = "fimble.translate"
Number = Annotated[int, Meta(ge=0, le=2**31 - 1)]


class At(msgspec.Struct, frozen=True):
    """A position of LSP."""

    line: Number
    character: Number


class Between(msgspec.Struct, frozen=True):
    """A range of LSP."""

    start: At
    end: At


class Wish(msgspec.Struct, frozen=True):
    """What the commands take: a place in an open document, and what the user typed.

    ``action`` names an action of the user's own that wants the instruction, ``to`` a language.
    """

    uri: Annotated[str, Meta(max_length=8192)]
    range: Between
    instruction: Text = ""
    action: Annotated[str, Meta(max_length=60)] = ""
    to: Annotated[str, Meta(max_length=60)] = ""


def register(server: FimbleServer) -> None:
    """Add these handlers to the server."""
    server.command(INSTRUCT)(on_instruct)
    server.command(EXPLAIN)(on_explain)
    server.command(TRANSLATE)(on_translate)


async def on_instruct(ls: FimbleServer, params: types.ExecuteCommandParams) -> None:
    """Edit a range as an instruction says, and ask the client to apply the edit."""
    await _perform(ls, INSTRUCT, params)


async def on_explain(ls: FimbleServer, params: types.ExecuteCommandParams) -> None:
    """Explain a range and show the explanation."""
    await _perform(ls, EXPLAIN, params)


async def on_translate(ls: FimbleServer, params: types.ExecuteCommandParams) -> None:
    """Translate a range and show it, or the whole file for an empty one into a new file."""
    await _perform(ls, TRANSLATE, params)


async def _perform(ls: FimbleServer, command: str, params: types.ExecuteCommandParams) -> None:
    try:
        wish = msgspec.convert(params.arguments[0] if params.arguments else None, Wish)
    except msgspec.ValidationError as error:
        raise JsonRpcInvalidParams(f"The command's argument is not right: {error}.") from None
    document = ls.session.document(wish.uri)
    if document is None:
        raise JsonRpcInvalidParams("This document is not open.")
    snapshot, encoding = document.snapshot, ls.protocol.encoding
    start, end = (
        offset_at(snapshot, at.line, at.character, encoding)
        for at in (wish.range.start, wish.range.end)
    )
    ls.listings.keep(snapshot)
    await prepare()
    from fimble.features import custom, explain, instruct, translate  # noqa: PLC0415

    kinds = {INSTRUCT: instruct.KIND, EXPLAIN: explain.KIND, TRANSLATE: translate.KIND}
    kind = kinds[command]
    if wish.action and command == INSTRUCT:
        kind = custom.kind_of(wish.action)
    options = {instruct.INSTRUCTION: wish.instruction, translate.TO: wish.to}
    data = Data(
        uri=wish.uri,
        version=snapshot.version,
        kind=kind,
        start=min(start, end),
        end=max(start, end),
        options={name: value for name, value in options.items() if value},
    )
    await perform(ls, data, params.work_done_token)
