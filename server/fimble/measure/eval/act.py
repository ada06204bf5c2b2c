"""Lets the whole server carry out actions, as an editor does: list, choose, resolve, apply."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from time import perf_counter
from typing import Any, Final

from fimble.measure.eval.ask import Tick, running, workspace, write_files
from fimble.measure.eval.tasks import TaskRow
from fimble.measure.typist import open_document
from fimble.protocol.client import EditorClient, ServerFailure
from fimble.source.positions import offset_at

RESOLVE_SECONDS: Final = 180.0
"""Several candidates of several hundred tokens, on a slow machine."""
LATE: Final = "It takes too long."


@dataclass(frozen=True, slots=True)
class Deed:
    """What came of an action: the whole text, None if nothing was done, and ``said`` says why.

    ``edits`` are its parts, offsets in the old text. ``list_ms`` is the time until the action was
    offered, ``first_ms`` until its first progress was shown, ``ms`` until its edit was there.
    """

    text: str | None
    edits: tuple[tuple[int, int, str], ...] = ()
    said: str = ""
    verified: bool = False
    ms: float = 0.0
    list_ms: float = 0.0
    first_ms: float | None = None


async def act_on_rows(
    rows: Sequence[TaskRow], settings: Mapping[str, Any], tick: Tick
) -> tuple[list[Deed], dict[str, Any]]:
    """Act on all rows, one after the other; return what came of it and the last ``fimble/status``.

    Raises `FimbleError` if the server cannot answer.
    """
    deeds: dict[int, Deed] = {}
    status: dict[str, Any] = {}
    order = sorted(range(len(rows)), key=lambda index: rows[index].files)
    for files, batch in groupby(order, key=lambda index: rows[index].files):
        with workspace() as folder:
            write_files(folder, files)
            async with running(settings, folder) as (editor, status):
                for index in batch:
                    tick(len(deeds))
                    deeds[index] = await _act(editor, rows[index], folder)
    tick(len(deeds))
    return [deeds[index] for index in range(len(rows))], status


async def _act(editor: EditorClient, row: TaskRow, folder: Path) -> Deed:
    file = folder / row.path
    write_files(folder, ((row.path, row.text),))
    uri = file.as_uri()
    try:
        open_document(editor, uri, row.text)
        await editor.flush()
        deed = await carried_out(editor, row, uri)
        editor.close_document(uri)
    finally:
        file.unlink()
    return deed


async def carried_out(editor: EditorClient, row: TaskRow, uri: str) -> Deed:
    """Let the server do what a row wants in an open document; what is late counts as not done."""
    started = perf_counter()
    listed = await editor.code_actions(uri, row.start, row.end, diagnostics=_told(editor, row, uri))
    list_ms = _ms_since(started)
    chosen = next((one for one in listed if one.get("kind") == row.kind), None)
    if chosen is None:
        return Deed(None, said="It is not offered.", list_ms=list_ms)
    started, shown = perf_counter(), len(editor.messages)
    request, answer = editor.ask("codeAction/resolve", chosen)
    first = asyncio.create_task(_first_progress(editor, len(editor.progress), started))
    try:
        made = await asyncio.wait_for(answer, RESOLVE_SECONDS)
    except TimeoutError:
        editor.cancel(request)
        return Deed(None, said=LATE, ms=_ms_since(started), list_ms=list_ms)
    except ServerFailure as failure:
        return Deed(None, said=failure.message, ms=_ms_since(started), list_ms=list_ms)
    finally:
        first.cancel()
    ms = _ms_since(started)
    first_ms = first.result() if first.done() and not first.cancelled() else None
    said = " ".join(editor.messages[shown:])
    edit = made.get("edit")
    if not edit:
        return Deed(None, said=said, ms=ms, list_ms=list_ms, first_ms=first_ms)
    edits = _edits(editor, uri, edit)
    editor.apply(edit)
    verified = bool(made.get("data", {}).get("verified"))
    return Deed(editor.text(uri), edits, said, verified, ms, list_ms, first_ms)


def _edits(
    editor: EditorClient, uri: str, edit: Mapping[str, Any]
) -> tuple[tuple[int, int, str], ...]:
    """Return what a workspace edit does to a document, by offsets."""
    snapshot = editor.documents[uri]
    changes = [
        one
        for change in edit["documentChanges"]
        if change.get("textDocument", {}).get("uri") == uri
        for one in change["edits"]
    ]
    places = [
        [
            offset_at(snapshot, side["line"], side["character"], editor.encoding)
            for side in (one["range"]["start"], one["range"]["end"])
        ]
        for one in changes
    ]
    texts = (one["newText"] for one in changes)
    return tuple((start, end, text) for (start, end), text in zip(places, texts, strict=True))


def _told(editor: EditorClient, row: TaskRow, uri: str) -> list[dict[str, Any]]:
    """Return the diagnostic, as a linter or a test runner publishes it."""
    if not row.message:
        return []
    place = editor.range(editor.documents[uri], row.start, row.end)
    told = {"range": place, "message": row.message, "severity": 1, "source": "test"}
    if row.about is not None:
        told |= {"code": row.about.code, "source": "Ruff"}
    return [told]


async def _first_progress(editor: EditorClient, known: int, started: float) -> float:
    await editor.until(lambda one: len(one.progress) > known)
    return _ms_since(started)


def _ms_since(started: float) -> float:
    return (perf_counter() - started) * 1000
