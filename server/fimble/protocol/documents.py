"""Open, change, save, close: the session follows the client's documents.

These handlers are no coroutines, so changes count in the order in which they come.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from lsprotocol import types

from fimble.engine.messages import Priority, State
from fimble.errors import EngineError, ModelError
from fimble.features.memory import Memory
from fimble.features.shape import excluded
from fimble.features.windows import read_ahead
from fimble.protocol import configuration
from fimble.protocol.logs import logger
from fimble.protocol.power import may_work_ahead
from fimble.settings import FILE_NAME
from fimble.source.around import QUERIES
from fimble.source.positions import Encoding, offset_at
from fimble.source.tree import SLICE_MS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fimble.protocol.server import FimbleServer
    from fimble.session import Document
    from fimble.source.text import Snapshot

FIRST_TREE_S: Final = 0.3
"""How long the first request in a file waits for its syntax tree: the model takes longer there."""
READ_AT_MOST: Final = 4
"""Files that are read in advance at a time: whoever opens a hundred types in one of the last."""
QUIET_S: Final = 0.03
"""Pause before a parse that took too long for the change itself."""


def register(server: FimbleServer) -> None:
    """Add these handlers to the server."""
    server.feature(types.TEXT_DOCUMENT_DID_OPEN)(did_open)
    server.feature(types.TEXT_DOCUMENT_DID_CHANGE)(did_change)
    server.feature(types.TEXT_DOCUMENT_DID_SAVE)(did_save)
    server.feature(types.TEXT_DOCUMENT_DID_CLOSE)(did_close)


def did_open(ls: FimbleServer, params: types.DidOpenTextDocumentParams) -> None:
    """Follow the document, parse it, and let the model read it."""
    item = params.text_document
    ls.work.supersede(item.uri)
    ls.flights.stop(item.uri)
    snapshot = ls.session.open(item.uri, item.version, item.language_id, item.text)
    parse_later(ls, snapshot)
    ls.indexing.opened(snapshot)
    warm_later(ls, snapshot)


def did_change(ls: FimbleServer, params: types.DidChangeTextDocumentParams) -> None:
    """Take the changes; answers that are on their way to the old text are stale now."""
    uri, version = params.text_document.uri, params.text_document.version
    document = ls.session.document(uri)
    if document is None:
        logger.warning("a document that is not open was changed")
        return
    snapshot = document.snapshot
    if version <= snapshot.version:
        logger.warning("version %d of a document came after %d", version, snapshot.version)
    for change in params.content_changes:
        snapshot = changed(snapshot, change, version, ls.protocol.encoding)
    ls.work.supersede(uri)
    ls.flights.keep_if_led_to(snapshot)
    snapshot = snapshot.parse(budget_ms=SLICE_MS)
    ls.session.change(snapshot)
    ls.outcomes.change(ls, snapshot)
    ls.hints.change(ls, snapshot)
    ls.indexing.changed(snapshot, _start_of(params.content_changes[-1:]))
    parse_later(ls, snapshot)


def did_save(ls: FimbleServer, params: types.DidSaveTextDocumentParams) -> None:
    """Notice new settings even in editors that watch no files."""
    if params.text_document.uri.endswith(f"/{FILE_NAME}"):
        configuration.apply(ls)


def did_close(ls: FimbleServer, params: types.DidCloseTextDocumentParams) -> None:
    """Forget the document, and do not go on to read it."""
    ls.work.forget(params.text_document.uri)
    ls.flights.stop(params.text_document.uri)
    ls.survey.forget(params.text_document.uri)
    ls.hints.close(ls, params.text_document.uri)
    if document := ls.session.document(params.text_document.uri):
        ls.outcomes.close(ls, document.snapshot)
    if not ls.session.close(params.text_document.uri):
        logger.warning("a document that is not open was closed")
    ls.indexing.closed(params.text_document.uri)


def changed(
    snapshot: Snapshot,
    change: types.TextDocumentContentChangeEvent,
    version: int,
    encoding: Encoding,
) -> Snapshot:
    """Return the snapshot after one change event, not parsed yet."""
    if not isinstance(change, types.TextDocumentContentChangePartial):
        return snapshot.splice(*difference(snapshot.text, change.text), version)
    first, last = change.range.start, change.range.end
    start = offset_at(snapshot, first.line, first.character, encoding)
    end = max(start, offset_at(snapshot, last.line, last.character, encoding))
    return snapshot.splice(start, end, change.text, version)


def difference(old: str, new: str) -> tuple[int, int, str]:
    """Return the one replacement that makes ``new`` of ``old``: start, end, and the new text.

    For editors that send the whole text at each key: what stayed need not be parsed again.
    """
    shorter = min(len(old), len(new))
    start = _common(shorter, lambda low, high: old[low:high] == new[low:high])
    left = shorter - start
    behind = _common(
        left,
        lambda low, high: (
            old[len(old) - high : len(old) - low] == new[len(new) - high : len(new) - low]
        ),
    )
    return start, len(old) - behind, new[start : len(new) - behind]


def _start_of(changes: Sequence[types.TextDocumentContentChangeEvent]) -> int | None:
    """Return the line where the last of the changes begins; None if the client does not tell."""
    last = changes[-1] if changes else None
    if not isinstance(last, types.TextDocumentContentChangePartial):
        return None
    return last.range.start.line


def _common(limit: int, are_equal: Callable[[int, int], bool]) -> int:
    """Return how far, up to ``limit``, all is equal; each step compares half of what is left."""
    low, high = 0, limit
    while low < high:
        middle = (low + high + 1) // 2
        if are_equal(low, middle):
            low = middle
        else:
            high = middle - 1
    return low


def parse_later(ls: FimbleServer, snapshot: Snapshot) -> None:
    """Make the syntax tree in the background if it is missing and there can be one."""
    if snapshot.tree is None and snapshot.language.grammar_package:
        ls.work.start("parsing", _parse(ls, snapshot.uri))


async def with_tree(ls: FimbleServer, snapshot: Snapshot) -> Snapshot:
    """Return a snapshot with its syntax tree, if its language has a grammar."""
    grammar = await asyncio.to_thread(ls.session.languages.grammar, snapshot.language)
    return await snapshot.parse_in_slices(grammar)


async def first_tree(ls: FimbleServer, document: Document[Memory]) -> Document[Memory]:
    """Return a document with its tree if it never had one and that does not take too long.

    Without it nobody could tell what fits there, or when the model has written enough.
    """
    snapshot = document.snapshot
    if snapshot.tree or snapshot.stale or not snapshot.language.grammar_package:
        return document
    with suppress(TimeoutError):
        async with asyncio.timeout(FIRST_TREE_S):
            ls.session.parsed(await with_tree(ls, snapshot))
    return ls.session.document(snapshot.uri) or document


def warm_later(ls: FimbleServer, snapshot: Snapshot) -> None:
    """Let the model read a document in the background, before the user types in it."""
    settings, uri = ls.session.settings, snapshot.uri
    is_wanted = not excluded(snapshot, settings.completion) and may_work_ahead(settings)
    if ls.session.is_cell(uri):  # a notebook opens all at once, and may have hundreds
        return
    if is_wanted and ls.engine.status.state is State.READY:
        ls.work.start("warming up", _warm(ls, uri), while_open=uri, at_most=READ_AT_MOST)


async def _parse(ls: FimbleServer, uri: str) -> None:
    # The request that follows a key goes first, and then one document after the other: each takes
    # its slice of every turn of the loop.
    await asyncio.sleep(QUIET_S)
    async with ls.parsing:
        while (document := ls.session.document(uri)) and document.snapshot.tree is None:
            language = document.snapshot.language
            grammar = await asyncio.to_thread(ls.session.languages.grammar, language)
            if grammar is None:
                return
            for query in QUERIES:
                # Compiling keeps the interpreter lock, and later somebody would wait for it.
                await asyncio.to_thread(ls.session.languages.query, language, query)
            ls.session.parsed(await document.snapshot.parse_in_slices(grammar))


async def _warm(ls: FimbleServer, uri: str) -> None:
    document = ls.session.document(uri)
    if document is None:
        return
    context = None
    if document.memory is None:  # where it was typed in already, `ahead` looks after the context
        context = await ls.indexing.choose(ls, document.snapshot, 0, None)
    ahead = read_ahead(document.snapshot, ls.engine, context)
    if ahead is None:
        return
    prompt, layout = ahead
    try:
        await ls.engine.prefill(prompt, priority=Priority.OPENED)
    except (EngineError, ModelError):
        logger.debug("a document could not be read ahead")
        return
    now = ls.session.document(uri)
    if now is not None and now.memory is None and layout.context:
        ls.session.amend(uri, Memory(layout=layout))
