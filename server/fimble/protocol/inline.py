"""textDocument/inlineCompletion: the request everything else is built for."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from time import perf_counter
from typing import TYPE_CHECKING

from lsprotocol import types
from pygls.exceptions import JsonRpcInvalidParams

from fimble.engine.base import Trace
from fimble.features.choices import Selected, beyond, choices
from fimble.features.complete import Completion, Reason
from fimble.features.windows import warm
from fimble.protocol.documents import first_tree
from fimble.protocol.logs import logger
from fimble.session import Explanation
from fimble.source.positions import offset_at, position_at

if TYPE_CHECKING:
    from fimble.features.memory import Memory
    from fimble.protocol.server import FimbleServer
    from fimble.session import Document
    from fimble.source.text import Snapshot


def register(server: FimbleServer) -> None:
    """Add the handler; without options, pygls would not announce it to the client."""
    options = types.InlineCompletionOptions()
    server.feature(types.TEXT_DOCUMENT_INLINE_COMPLETION, options)(inline_completion)


async def inline_completion(
    ls: FimbleServer, params: types.InlineCompletionParams
) -> types.InlineCompletionList | None:
    """Suggest what comes next at the cursor, or answer nothing and remember why."""
    uri, position = params.text_document.uri, params.position
    snapshot = _document(ls, uri).snapshot
    offset = offset_at(snapshot, position.line, position.character, ls.protocol.encoding)
    if not await _loaded(ls, params, offset):
        return None
    started = perf_counter()
    document = _document(ls, uri)
    try:
        completions = await _complete(ls, document, offset, params.context)
    except asyncio.CancelledError:
        _explain(ls, params, _nothing(offset, Reason.CANCELLED), started)
        raise
    _explain(ls, params, completions[0], started)
    _watch(ls, snapshot, completions[0], started)
    if completions[0].reason is not Reason.STALE and not completions[0].goes_on:
        ls.ahead.follow(ls, snapshot, completions[0])
    return _answer(ls, snapshot, completions)


async def _loaded(ls: FimbleServer, params: types.InlineCompletionParams, offset: int) -> bool:
    """Wait for a model that is being loaded; false if the text has changed before it was there.

    No editor asks again by itself: who typed and stopped would never see a suggestion.
    """
    if not (ls.engine.is_coming or ls.engine.may_have_come):
        return True
    waiting = _settled(ls, params, offset)
    return await ls.work.until_stale(params.text_document.uri, waiting) is not None


async def _settled(ls: FimbleServer, params: types.InlineCompletionParams, offset: int) -> bool:
    await ls.engine.look_again()
    if ls.engine.is_coming:
        loading = _nothing(offset, Reason.LOADING, ls.engine.status.stage)
        _explain(ls, params, loading, perf_counter())
        await ls.engine.settled()
    return True


async def _complete(
    ls: FimbleServer,
    document: Document[Memory],
    offset: int,
    context: types.InlineCompletionContext,
) -> tuple[Completion, ...]:
    """Ask the feature; whatever it says of a text that has changed meanwhile is stale."""
    snapshot = document.snapshot
    try:
        result = await ls.work.until_stale(snapshot.uri, _ask(ls, document, offset, context))
    except asyncio.CancelledError:
        _remember_anchor(ls, document, offset)
        raise
    if result is None:
        _remember_anchor(ls, document, offset)
        return (_nothing(offset, Reason.STALE),)
    completions, memory = result
    ls.session.remember(snapshot, memory)
    return completions if ls.session.is_current(snapshot) else (_nothing(offset, Reason.STALE),)


async def _ask(
    ls: FimbleServer,
    document: Document[Memory],
    offset: int,
    context: types.InlineCompletionContext,
) -> tuple[tuple[Completion, ...], Memory]:
    """Ask for one suggestion, for some to choose from, or for more than the selected item."""
    document = await first_tree(ls, document)
    snapshot, memory, engine, settings = (
        document.snapshot,
        document.memory,
        ls.engine,
        ls.session.settings,
    )
    if info := context.selected_completion_info:
        ls.flights.stop()
        selected = _selected(ls, snapshot, info)
        completion, memory = await beyond(selected, snapshot, memory, engine, settings)
        return (completion,), memory
    if context.trigger_kind is types.InlineCompletionTriggerKind.Invoked:
        ls.flights.stop()
        return await choices(snapshot, offset, memory, engine, settings)
    completion, memory = await ls.flights.answer(ls, document, offset)
    return (completion,), memory


def _selected(ls: FimbleServer, snapshot: Snapshot, info: types.SelectedCompletionInfo) -> Selected:
    start, end = (
        offset_at(snapshot, place.line, place.character, ls.protocol.encoding)
        for place in (info.range.start, info.range.end)
    )
    return Selected(min(start, end), max(start, end), info.text)


def _remember_anchor(ls: FimbleServer, document: Document[Memory], offset: int) -> None:
    # The model has read (a part of) what abandoned work laid out, so the next request had better
    # lay it out alike.
    _, memory = warm(document.snapshot, offset, document.memory, ls.engine)
    ls.session.remember(document.snapshot, memory)


def _watch(ls: FimbleServer, snapshot: Snapshot, completion: Completion, started: float) -> None:
    """Follow what becomes of a suggestion that is shown."""
    document = ls.session.document(snapshot.uri)
    if completion.reason is Reason.SHOWN and document is not None and document.memory is not None:
        shown = document.memory.shown
        if shown is not None:
            ls.outcomes.show(ls, snapshot, shown, (perf_counter() - started) * 1000)


def _document(ls: FimbleServer, uri: str) -> Document[Memory]:
    document = ls.session.document(uri)
    if document is None:
        raise JsonRpcInvalidParams("This document is not open.")
    return document


def _nothing(offset: int, reason: Reason, detail: str = "") -> Completion:
    return Completion("", offset, offset, reason, Trace(), detail)


def _answer(
    ls: FimbleServer, snapshot: Snapshot, completions: tuple[Completion, ...]
) -> types.InlineCompletionList | None:
    items = [_item(ls, snapshot, completion) for completion in completions if completion.text]
    return types.InlineCompletionList(items) if items else None


def _item(
    ls: FimbleServer, snapshot: Snapshot, completion: Completion
) -> types.InlineCompletionItem:
    start = position_at(snapshot, completion.start, ls.protocol.encoding)
    end = position_at(snapshot, completion.end, ls.protocol.encoding)
    place = types.Range(types.Position(*start), types.Position(*end))
    return types.InlineCompletionItem(completion.text, range=place)


def _explain(
    ls: FimbleServer, params: types.InlineCompletionParams, completion: Completion, started: float
) -> None:
    trace = completion.trace
    total_ms = (perf_counter() - started) * 1000
    explanation = Explanation(
        uri=params.text_document.uri,
        position=(params.position.line, params.position.character),
        reason=completion.reason,
        detail=completion.detail,
        trace=asdict(trace),
        total_ms=total_ms,
        outside_ms=max(total_ms - trace.queue_ms - trace.model_ms, 0.0),
    )
    ls.session.explain(explanation)
    logger.debug(
        "inline completion: %s %s in %.1f ms", completion.reason, completion.detail, total_ms
    )
