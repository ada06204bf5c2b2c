"""An editor in miniature, for the demo, the benchmarks and the tests.

It speaks raw JSON over the server's standard streams, so it shares no protocol code with the
server and can also send what no well-behaved editor would.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, Self

from fimble.source.languages import PLAIN
from fimble.source.positions import Encoding, offset_at, position_at
from fimble.source.text import Snapshot

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

TIMEOUT_SECONDS: Final = 30.0
FLUSH_SECONDS: Final = 300.0
"""Background work may read several files, on one slow core."""
CLOSE_SECONDS: Final = 3.0
KEPT_LOG_LINES: Final = 10_000

CAPABILITIES: Final[Mapping[str, Any]] = {
    "general": {"positionEncodings": ["utf-8", "utf-16", "utf-32"]},
    "window": {"workDoneProgress": True, "showMessage": {}, "showDocument": {"support": True}},
    "workspace": {
        "configuration": True,
        "didChangeConfiguration": {"dynamicRegistration": True},
        "didChangeWatchedFiles": {"dynamicRegistration": True},
        "workspaceFolders": True,
        "applyEdit": True,
        "workspaceEdit": {"documentChanges": True, "resourceOperations": ["create"]},
    },
    "textDocument": {
        "synchronization": {"didSave": True},
        "inlineCompletion": {"dynamicRegistration": False},
        "codeAction": {
            "codeActionLiteralSupport": {"codeActionKind": {"valueSet": ["quickfix", "refactor"]}},
            "dataSupport": True,
            "isPreferredSupport": True,
            "resolveSupport": {"properties": ["edit"]},
        },
    },
}


ASKS_AGAIN: Final[Mapping[str, Any]] = {
    **CAPABILITIES,
    "experimental": {"fimble": {"grow": True}},
}
"""Of an editor that takes the first lines of a block first, as our plugin for Neovim does."""


class ServerFailure(Exception):
    """The server answered with an error; ``code`` is JSON-RPC's."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One inline completion: ``text`` replaces the offsets from ``start`` to ``end``."""

    uri: str
    text: str
    start: int
    end: int


@dataclass(slots=True)
class EditorClient:
    """Starts a server and edits documents in it; ``async with`` closes it at the end.

    ``settings`` is what the server gets when it pulls the section ``fimble``. What the server
    sends by itself is collected: ``messages`` (window/showMessage), ``progress`` ($/progress
    values), ``shown`` (window/showDocument), ``diagnostics`` (the last of each document),
    ``asked`` (the methods of its requests), ``grown`` (documents whose suggestion became longer)
    and ``log`` (lines of standard error). ``answers`` are what its requests get instead of the
    sensible answer, by method.
    """

    command: Sequence[str]
    environment: Mapping[str, str] | None = None
    settings: Mapping[str, Any] | None = None
    capabilities: Mapping[str, Any] = field(default_factory=lambda: CAPABILITIES)
    messages: list[str] = field(default_factory=list)
    progress: list[dict[str, Any]] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    diagnostics: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    registrations: list[str] = field(default_factory=list)
    grown: list[str] = field(default_factory=list)
    server_capabilities: dict[str, Any] = field(default_factory=dict)
    encoding: Encoding = Encoding.UTF16
    unexpected: list[dict[str, Any]] = field(default_factory=list)
    documents: dict[str, Snapshot] = field(default_factory=dict)
    answers: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    _process: asyncio.subprocess.Process | None = None
    _readers: list[asyncio.Task[None]] = field(default_factory=list)
    _waiting: dict[int, asyncio.Future[Any]] = field(default_factory=dict)
    _last_id: int = 0
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    # --- the process ----------------------------------------------------------------------

    async def start(self) -> None:
        """Start the server's process; say nothing yet."""
        pipe = asyncio.subprocess.PIPE
        environment = None if self.environment is None else dict(self.environment)
        self._process = await asyncio.create_subprocess_exec(
            *self.command, stdin=pipe, stdout=pipe, stderr=pipe, env=environment
        )
        self._readers = [
            asyncio.create_task(self._read_messages()),
            asyncio.create_task(self._read_log()),
        ]

    @property
    def pid(self) -> int:
        """The server's process id."""
        return self._started().pid

    async def initialize(
        self, root: Path | None = None, options: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Say hello and return the server's answer."""
        root_uri = None if root is None else root.as_uri()
        params = {
            "processId": None,
            "rootUri": root_uri,
            "workspaceFolders": [{"uri": root_uri, "name": "root"}] if root_uri else None,
            "capabilities": self.capabilities,
            "initializationOptions": options,
        }
        result: dict[str, Any] = await self.request("initialize", params)
        self.server_capabilities = result["capabilities"]
        self.encoding = Encoding(self.server_capabilities.get("positionEncoding", "utf-16"))
        self.notify("initialized", {})
        return result

    async def shut_down(self) -> int:
        """Say goodbye properly and return the process's exit status."""
        await self.request("shutdown")
        self.notify("exit")
        return await self.ended()

    async def ended(self) -> int:
        """Wait until the process has ended by itself; return its exit status."""
        return await asyncio.wait_for(self._started().wait(), TIMEOUT_SECONDS)

    def hang_up(self) -> None:
        """Close the server's standard input, as an editor that dies does."""
        self._stdin().close()

    async def close(self) -> None:
        """End the process, politely if it lets us, and read what it still said."""
        process = self._process
        if process is None:
            return
        if process.returncode is None:
            with suppress(TimeoutError, ServerFailure, ConnectionError):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await self.shut_down()
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        # A grandchild may hold the pipes open.
        await asyncio.wait(self._readers, timeout=CLOSE_SECONDS)
        for reader in self._readers:
            reader.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)
        self._process = None

    # --- messages -------------------------------------------------------------------------

    async def request(self, method: str, params: Any = None) -> Any:
        """Ask and return the result; raises `ServerFailure`, TimeoutError, ConnectionError."""
        _, answer = self.ask(method, params)
        return await self.wait(answer)

    async def wait(self, answer: asyncio.Future[Any]) -> Any:
        """Return what `ask` promised, or raise as `request` does."""
        return await asyncio.wait_for(answer, TIMEOUT_SECONDS)

    def ask(self, method: str, params: Any = None) -> tuple[int, asyncio.Future[Any]]:
        """Send a request; return its id and what will be its result."""
        self._last_id += 1
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[self._last_id] = future
        self.send({"id": self._last_id, "method": method, "params": params})
        return self._last_id, future

    def cancel(self, request_id: int) -> None:
        """Tell the server that the answer is not wanted any more; it still answers."""
        self.notify("$/cancelRequest", {"id": request_id})

    def notify(self, method: str, params: Any = None) -> None:
        """Send a notification."""
        self.send({"method": method, "params": params})

    def send(self, message: Mapping[str, Any]) -> None:
        """Send any JSON-RPC message; null parameters are left out."""
        content = {key: value for key, value in message.items() if key != "params" or value}
        self.send_raw(json.dumps({"jsonrpc": "2.0", **content}).encode())

    def send_raw(self, body: bytes) -> None:
        """Send a body as it is, with a header."""
        self.send_bytes(b"Content-Length: %d\r\n\r\n" % len(body) + body)

    def send_bytes(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._stdin().write(data)

    async def until(self, condition: Callable[[Self], bool]) -> None:
        """Wait until something that the server sent makes ``condition`` true."""
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while not condition(self):
                self._arrived.clear()
                await self._arrived.wait()

    # --- documents ------------------------------------------------------------------------

    def open(self, uri: str, text: str, language_id: str = "python") -> None:
        """Open a document with this text."""
        self.documents[uri] = Snapshot.open(uri, 1, PLAIN, text)
        item = {"uri": uri, "languageId": language_id, "version": 1, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": item})

    def close_document(self, uri: str, *, forget: bool = True) -> None:
        """Close a document; a clumsy editor does not forget it."""
        if forget:
            del self.documents[uri]
        self.notify("textDocument/didClose", {"textDocument": {"uri": uri}})

    def text(self, uri: str) -> str:
        """Return the document's text as the editor has it."""
        return self.documents[uri].text

    def edit(self, uri: str, start: int, end: int, new_text: str) -> None:
        """Replace the text between two offsets, here and in the server."""
        before = self.documents[uri]
        self.documents[uri] = before.splice(start, end, new_text, before.version + 1)
        place = {"start": self.position(before, start), "end": self.position(before, end)}
        self._change(uri, {"range": place, "text": new_text})

    def replace_all(self, uri: str, text: str) -> None:
        """Replace the whole text, as editors without incremental changes do."""
        before = self.documents[uri]
        self.documents[uri] = before.splice(0, len(before.text), text, before.version + 1)
        self._change(uri, {"text": text})

    def type_text(self, uri: str, offset: int, text: str) -> int:
        """Insert character by character, as a typist would; return the offset behind."""
        for character in text:
            self.edit(uri, offset, offset, character)
            offset += 1
        return offset

    def accept(self, suggestion: Suggestion) -> int:
        """Put the suggestion into its document; return the offset behind it."""
        self.edit(suggestion.uri, suggestion.start, suggestion.end, suggestion.text)
        return suggestion.start + len(suggestion.text)

    async def inline_completion(self, uri: str, offset: int) -> list[Suggestion]:
        """Ask for suggestions at an offset, as automatic triggering would."""
        snapshot = self.documents[uri]
        _, answer = self.ask_inline_completion(uri, offset)
        result = await self.wait(answer)
        return [
            self._suggestion(snapshot, item, offset) for item in (result or {}).get("items", [])
        ]

    async def timed_inline_completion(
        self, uri: str, offset: int
    ) -> tuple[list[Suggestion], float]:
        """Ask for suggestions; return them and the milliseconds from asking to reading them."""
        started = perf_counter()
        suggestions = await self.inline_completion(uri, offset)
        return suggestions, (perf_counter() - started) * 1000

    def ask_inline_completion(self, uri: str, offset: int) -> tuple[int, asyncio.Future[Any]]:
        """Ask without waiting: the request's id and what will be its raw result."""
        params = {
            "textDocument": {"uri": uri},
            "position": self.position(self.documents[uri], offset),
            "context": {"triggerKind": 2},
        }
        return self.ask("textDocument/inlineCompletion", params)

    def position(self, snapshot: Snapshot, offset: int) -> dict[str, int]:
        """Return an offset as the server wants to have it."""
        line, character = position_at(snapshot, offset, self.encoding)
        return {"line": line, "character": character}

    async def code_actions(
        self, uri: str, start: int, end: int, *, diagnostics: Sequence[Any] = (), **context: Any
    ) -> list[dict[str, Any]]:
        """Ask what can be done with a range; ``context`` holds ``only`` and the like."""
        snapshot = self.documents[uri]
        params = {
            "textDocument": {"uri": uri},
            "range": self.range(snapshot, start, end),
            "context": {"diagnostics": list(diagnostics), **context},
        }
        result: list[dict[str, Any]] | None = await self.request("textDocument/codeAction", params)
        return result or []

    def range(self, snapshot: Snapshot, start: int, end: int) -> dict[str, dict[str, int]]:
        """Return two offsets as the server wants to have them."""
        return {"start": self.position(snapshot, start), "end": self.position(snapshot, end)}

    def apply(self, edit: Mapping[str, Any]) -> None:
        """Apply a workspace edit to the open documents that it is about."""
        files = dict(edit.get("changes") or {})
        for change in edit.get("documentChanges") or ():
            if "edits" in change:
                files[change["textDocument"]["uri"]] = change["edits"]
        for uri, edits in files.items():
            before = self.documents.get(uri)
            if before is None:
                self.open(uri, "".join(one["newText"] for one in edits), language_id="")
                continue
            for one in sorted(edits, key=lambda one: self._place(before, one)[0], reverse=True):
                start, end = self._place(before, one)
                self.edit(uri, start, end, one["newText"])

    # --- Fimble's own ---------------------------------------------------------------------

    async def status(self) -> dict[str, Any]:
        """Return ``fimble/status``."""
        result: dict[str, Any] = await self.request("fimble/status", {})
        return result

    async def explain_last(self, count: int = 1) -> list[dict[str, Any]]:
        """Return why the last ``count`` requests were answered as they were, latest first."""
        result: list[dict[str, Any]] = await self.request("fimble/explainLast", {"count": count})
        return result

    async def flush(self) -> None:
        """Wait until the server has nothing left to do in the background."""
        _, answer = self.ask("fimble/flush", {})
        await asyncio.wait_for(answer, FLUSH_SECONDS)

    # --- inside ---------------------------------------------------------------------------

    def _started(self) -> asyncio.subprocess.Process:
        if self._process is None:
            raise ConnectionError("The server was not started.")
        return self._process

    def _change(self, uri: str, change: Mapping[str, Any]) -> None:
        identifier = {"uri": uri, "version": self.documents[uri].version}
        params = {"textDocument": identifier, "contentChanges": [change]}
        self.notify("textDocument/didChange", params)

    def _stdin(self) -> asyncio.StreamWriter:
        stdin = self._started().stdin
        assert stdin is not None, "it is a pipe"
        return stdin

    def _place(self, snapshot: Snapshot, edit: Mapping[str, Any]) -> tuple[int, int]:
        start, end = edit["range"]["start"], edit["range"]["end"]
        return (
            offset_at(snapshot, start["line"], start["character"], self.encoding),
            offset_at(snapshot, end["line"], end["character"], self.encoding),
        )

    def _suggestion(self, snapshot: Snapshot, item: Mapping[str, Any], offset: int) -> Suggestion:
        place = item.get("range")
        if place is None:
            return Suggestion(snapshot.uri, item["insertText"], offset, offset)
        start, end = (
            offset_at(snapshot, side["line"], side["character"], self.encoding)
            for side in (place["start"], place["end"])
        )
        return Suggestion(snapshot.uri, item["insertText"], start, end)

    async def _read_log(self) -> None:
        stderr = self._started().stderr
        assert stderr is not None, "it is a pipe"
        while line := await stderr.readline():
            self.log.append(line.decode(errors="replace").rstrip("\n"))
            del self.log[:-KEPT_LOG_LINES]
            self._arrived.set()

    async def _read_messages(self) -> None:
        stdout = self._started().stdout
        assert stdout is not None, "it is a pipe"
        with suppress(asyncio.IncompleteReadError):
            while True:
                header = await stdout.readuntil(b"\r\n\r\n")
                length = int(header.lower().partition(b"content-length:")[2].split()[0])
                self._take(json.loads(await stdout.readexactly(length)))
                self._arrived.set()
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(ConnectionError("The server ended; its log may say why."))
        self._arrived.set()

    def _take(self, message: dict[str, Any]) -> None:
        if "method" not in message:
            self._take_answer(message)
        elif "id" not in message:
            self._take_notification(message)
        else:
            self.asked.append(message["method"])
            result = self._sensible(message["method"], message.get("params") or {})
            answer = self.answers.get(message["method"], {"result": result})
            self.send({"id": message["id"], **answer})

    def _take_notification(self, message: dict[str, Any]) -> None:
        params = message.get("params") or {}
        match message["method"]:
            case "window/showMessage":
                self.messages.append(params["message"])
            case "$/progress":
                self.progress.append({"token": params["token"], **params["value"]})
            case "textDocument/publishDiagnostics":
                self.diagnostics[params["uri"]] = params["diagnostics"]
            case "fimble/didGrow":
                self.grown.append(params["uri"])
            case _:
                self.unexpected.append(message)

    def _sensible(self, method: str, params: dict[str, Any]) -> Any:
        """Do what the server asks for, and return the answer."""
        result: Any = None
        match method:
            case "window/showDocument":
                self.shown.append(params["uri"])
                result = {"success": True}
            case "workspace/configuration":
                result = [self.settings for _ in params["items"]]
            case "client/registerCapability":
                self.registrations += [one["method"] for one in params["registrations"]]
            case "workspace/applyEdit":
                self.apply(params["edit"])
                result = {"applied": True}
        return result

    def _take_answer(self, message: dict[str, Any]) -> None:
        future = self._waiting.pop(message.get("id") or 0, None)
        if future is None:
            self.unexpected.append(message)
        elif not future.done():
            error = message.get("error")
            if error is None:
                future.set_result(message["result"])
            else:
                future.set_exception(ServerFailure(error["code"], error["message"]))
