"""Lets the whole server answer rows: a real file in a workspace, opened, and asked for once."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Final

from fimble.errors import FimbleError
from fimble.features.early import GOES_ON
from fimble.measure.driver import SERVE, until_ready
from fimble.measure.eval.rows import Judge, Row
from fimble.measure.eval.score import Edit
from fimble.measure.typist import fresh_cache, open_document
from fimble.protocol.client import ASKS_AGAIN, EditorClient, ServerFailure
from fimble.source.positions import offset_at

INLINE_COMPLETION: Final = "textDocument/inlineCompletion"
INVOKED: Final = 1
AUTOMATIC: Final = 2
"""LSP's numbers for a key that asks for suggestions, and for mere typing."""
LISTED: Final = 5
"""How far down a list of items one looks."""

Tick = Callable[[int], None]
"""Is told how many rows are done."""


@dataclass(frozen=True, slots=True)
class Way:
    """How the server is run and asked.

    With ``warm`` the file is open without the character before the cursor, was read, there was a
    request from the line above, all background work is done, and then that key is pressed.
    Otherwise the request is the first thing after opening.
    """

    settings: Mapping[str, Any]
    warm: bool = False
    invoked: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the first suggestion if any, and for a list of items the first few.

    A block is judged whole; ``ms`` is the time until its first lines were there.
    ``reason`` and ``detail`` are those of ``fimble/explainLast``.
    """

    edits: tuple[Edit, ...]
    ms: float
    reason: str = ""
    detail: str = ""
    evaluated: int = 0

    @property
    def edit(self) -> Edit | None:
        """What would be shown, or is first in the list."""
        return self.edits[0] if self.edits else None


async def answer_rows(
    rows: Sequence[Row], way: Way, tick: Tick
) -> tuple[list[Answer], dict[str, Any]]:
    """Ask for all rows, one after the other; return the answers and the last ``fimble/status``.

    Rows with files of their own get a server of their own, so that no project knows another.
    Raises `FimbleError` if the server cannot answer.
    """
    answers: list[Answer] = []
    status: dict[str, Any] = {}
    alone = [row for row in rows if row.files]
    batches = [[row] for row in rows] if alone else [list(rows)]
    for batch in batches:
        with workspace() as folder:
            write_files(folder, batch[0].files)
            async with running(way.settings, folder if alone else None) as (editor, status):
                for row in batch:
                    tick(len(answers))
                    answers.append(await _answer(editor, row, folder, way))
    tick(len(answers))
    return answers, status


@contextmanager
def workspace() -> Iterator[Path]:
    """Yield an empty folder."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        # Its name may be a link, and the server must see one path.
        yield Path(name).resolve()


@asynccontextmanager
async def running(
    settings: Mapping[str, Any], root: Path | None
) -> AsyncIterator[tuple[EditorClient, dict[str, Any]]]:
    """Run a server until its model answers; yield it with its ``fimble/status``.

    Raises `FimbleError` if it cannot answer, and if it refuses the settings.
    """
    with fresh_cache() as environment:
        async with EditorClient(SERVE, environment, capabilities=ASKS_AGAIN) as editor:
            await editor.initialize(root, settings)
            status = await until_ready(editor, lambda _fraction, _stage: None)
            _complain(editor)
            try:
                yield editor, status
            except (TimeoutError, ServerFailure) as error:
                said = str(error) or "it took too long"
                raise FimbleError(f"The server does not answer: {said}.") from error
            await editor.shut_down()


def _complain(editor: EditorClient) -> None:
    """Refuse to measure settings that the server has refused."""
    if wrong := [message for message in editor.messages if "is no setting" in message]:
        raise FimbleError(wrong[0])


async def _answer(editor: EditorClient, row: Row, folder: Path, way: Way) -> Answer:
    file = folder / row.path
    write_files(folder, ((row.path, row.text),))
    uri, at = file.as_uri(), len(row.before)
    ask = _ask_items if row.judge is Judge.NAME else _ask_inline
    try:
        if way.warm and row.before:
            open_document(editor, uri, row.before[:-1] + row.after)
            await editor.flush()
            # From the line above: what is suggested there is not typed along, so the answer that
            # counts is made after everything was read.
            await ask(editor, uri, max(row.before.rfind("\n", 0, at - 1), 0), way)
            await editor.flush()
            editor.edit(uri, at - 1, at - 1, row.before[-1])
        else:
            open_document(editor, uri, row.text)
        answer = await ask(editor, uri, at, way)
        editor.close_document(uri)
    finally:
        file.unlink()
    return answer


async def _ask_inline(editor: EditorClient, uri: str, at: int, way: Way) -> Answer:
    context = {"triggerKind": INVOKED if way.invoked else AUTOMATIC}
    result, ms = await _timed(editor, INLINE_COMPLETION, uri, at, context)
    explanation = (await editor.explain_last())[0]
    if explanation["detail"] == GOES_ON:
        await editor.flush()
        result, _ = await _timed(editor, INLINE_COMPLETION, uri, at, context)
    items = result if isinstance(result, list) else (result or {}).get("items", [])
    edits = tuple(_edit(editor, uri, at, item["insertText"], item.get("range")) for item in items)
    return Answer(
        edits=edits[:1],
        ms=ms,
        reason=explanation["reason"],
        detail=explanation["detail"],
        evaluated=explanation["trace"]["evaluated"],
    )


async def _ask_items(editor: EditorClient, uri: str, at: int, _way: Way) -> Answer:
    if "completionProvider" not in editor.server_capabilities:
        raise FimbleError("This server offers no list of completion items.")
    result, ms = await _timed(editor, "textDocument/completion", uri, at, {"triggerKind": 1})
    items = result if isinstance(result, list) else (result or {}).get("items", [])
    typed = _word_before(editor.text(uri), at)
    listed = [item for item in items if _matches(item, typed)]
    listed.sort(key=lambda item: item.get("sortText") or item["label"])
    edits = []
    for item in listed[:LISTED]:
        change = item.get("textEdit") or {}
        text = change.get("newText") or item.get("insertText") or item["label"]
        place = change.get("range") or change.get("replace")
        word = _edit(editor, uri, at, text, place)
        edits.append(word if place else Edit(text, at - len(typed), at))
    return Answer(tuple(edits), ms)


async def _timed(
    editor: EditorClient, method: str, uri: str, at: int, context: Mapping[str, Any]
) -> tuple[Any, float]:
    params = {
        "textDocument": {"uri": uri},
        "position": editor.position(editor.documents[uri], at),
        "context": context,
    }
    started = perf_counter()
    result = await editor.request(method, params)
    return result, (perf_counter() - started) * 1000


def _edit(editor: EditorClient, uri: str, at: int, text: str, place: Any) -> Edit:
    if place is None:
        return Edit(text, at, at)
    snapshot = editor.documents[uri]
    start, end = (
        offset_at(snapshot, side["line"], side["character"], editor.encoding)
        for side in (place["start"], place["end"])
    )
    return Edit(text, start, end)


def _matches(item: Mapping[str, Any], typed: str) -> bool:
    """Tell whether an editor would still list it after what was typed."""
    return str(item.get("filterText") or item["label"]).lower().startswith(typed.lower())


def _word_before(text: str, at: int) -> str:
    start = at
    while start and (text[start - 1].isalnum() or text[start - 1] == "_"):
        start -= 1
    return text[start:at]


def write_files(folder: Path, files: Sequence[tuple[str, str]]) -> None:
    """Write files, by their paths in the folder."""
    for path, text in files:
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8", newline="")
