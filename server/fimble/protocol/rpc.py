"""pygls's protocol, tightened: every request gets one answer and nothing is kept twice.

What differs from pygls: malformed messages, and requests before ``initialize`` or after
``shutdown``, are answered with an error; documents are ours alone (pygls would keep a second
copy); the cheapest position encoding the client knows is chosen; ``exit`` ends the loop instead
of the process; and failures are logged without the messages that caused them.
"""

from __future__ import annotations

import asyncio
import hmac
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lsprotocol import types
from pygls.exceptions import (
    JsonRpcException,
    JsonRpcInvalidParams,
    JsonRpcInvalidRequest,
    JsonRpcParseError,
    JsonRpcServerNotInitialized,
)
from pygls.protocol import LanguageServerProtocol, lsp_method
from pygls.protocol.json_rpc import JsonRPCNotification, JsonRPCRequestMessage

from fimble.protocol.logs import logger
from fimble.source.positions import Encoding

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from cattrs import Converter
    from pygls.lsp.server import LanguageServer

# From cheap to dear for a server that counts in code points.
_PREFERENCE: Final = (Encoding.UTF32, Encoding.UTF8, Encoding.UTF16)
MAX_MESSAGE_BYTES: Final = 256 * 1024 * 1024
MAX_STRANGE_BYTES: Final = 1024 * 1024
_OURS: Final = (
    types.TEXT_DOCUMENT_DID_OPEN,
    types.TEXT_DOCUMENT_DID_CHANGE,
    types.TEXT_DOCUMENT_DID_CLOSE,
    types.NOTEBOOK_DOCUMENT_DID_OPEN,
    types.NOTEBOOK_DOCUMENT_DID_CHANGE,
    types.NOTEBOOK_DOCUMENT_DID_CLOSE,
)


@dataclass(slots=True)
class Gate:
    """Lets in the first client that brings the token, and nobody else."""

    token: str
    taken: bool = False

    def admits(self, data: Mapping[str, Any]) -> bool:
        """Tell whether this is an ``initialize`` with ``initializationOptions.token``."""
        params = data.get("params")
        options = params.get("initializationOptions") if isinstance(params, dict) else None
        brought = options.get("token") if isinstance(options, dict) else None
        if (
            self.taken
            or data.get("method") != types.INITIALIZE
            or not isinstance(brought, str)
            or not hmac.compare_digest(brought.encode(errors="replace"), self.token.encode())
        ):
            return False
        self.taken = True
        return True


class FimbleProtocol(LanguageServerProtocol):
    """One connection's state. ``gate`` keeps strangers out, where they could get in."""

    def __init__(self, server: LanguageServer, converter: Converter) -> None:
        # pygls reads every attribute while it looks for handlers, so these come first.
        self.gate: Gate | None = None
        self.encoding = Encoding.UTF16
        self.initialized = False
        self.closed = False
        self._shutdown = False
        super().__init__(server, converter)
        for method in _OURS:
            self.fm.builtin_features.pop(method)

    @property
    def limit(self) -> int:
        """The longest message to read, in bytes: short as long as a stranger may send it."""
        is_stranger = self.gate is not None and not self.initialized
        return MAX_STRANGE_BYTES if is_stranger else MAX_MESSAGE_BYTES

    @property
    def was_shut_down(self) -> bool:
        """Whether the client said goodbye as the protocol wants it."""
        return self._shutdown

    def receive(self, body: bytes) -> None:
        """Take one message, whatever it is; never raises because of what it says."""
        try:
            data = json.loads(body)
        except (ValueError, RecursionError):
            self._refuse(None, JsonRpcParseError("The message is no JSON."))
            return
        if not isinstance(data, dict) or not _is_rpc(data):
            self._refuse(data, JsonRpcInvalidRequest("The message is no JSON-RPC 2.0."))
            return
        if (refusal := self._refusal(data)) is not None:
            self._refuse(data, refusal)
            return
        try:
            message = self._structured(data)
        except JsonRpcException as error:
            self._malformed(data, error)
            return
        self.handle_message(message)

    def _structured(self, data: dict[str, Any]) -> Any:
        method = data.get("method")
        if method is None:
            return self.structure_message(data)
        if self.get_message_type(method) is not None:
            # Some clients leave out parameters that have no fields.
            return self.structure_message({"params": None if _is_bare(method) else {}} | data)
        # For methods that are not LSP's, pygls would turn the parameters into a named tuple.
        if "id" in data:
            return JsonRPCRequestMessage(data["id"], method, self.VERSION, data.get("params"))
        return JsonRPCNotification(method, self.VERSION, data.get("params"))

    def _refusal(self, data: Mapping[str, Any]) -> JsonRpcException | None:
        """Say why this message may not come now, or None."""
        method = data.get("method")
        if not self.initialized and self.gate is not None and not self.gate.admits(data):
            self.closed = True
            return JsonRpcInvalidRequest("initializationOptions.token is missing or wrong.")
        if method == types.EXIT:
            return None
        if not self.initialized:
            if method != types.INITIALIZE:
                return JsonRpcServerNotInitialized("Send initialize first.")
        elif method == types.INITIALIZE:
            return JsonRpcInvalidRequest("The server is initialized already.")
        elif self._shutdown:
            return JsonRpcInvalidRequest("The server is shutting down.")
        return None

    def _refuse(self, data: object, error: JsonRpcException) -> None:
        """Answer a request, or what may be one, with an error; drop everything else."""
        logger.warning("refused a message: %s", error.message)
        fields = data if isinstance(data, dict) else {}
        if _is_rpc(fields) and not ("id" in fields and "method" in fields):
            return
        request_id = fields.get("id")
        request_id = request_id if isinstance(request_id, int | str) else None
        response = {"jsonrpc": self.VERSION, "id": request_id, "error": error.to_response_error()}
        self._send_data(response)

    def _malformed(self, data: dict[str, Any], error: JsonRpcException) -> None:
        """Answer a request with bad parameters; let a waiting caller know of a bad answer."""
        method = data.get("method")
        if method is not None:
            self._refuse(data, JsonRpcInvalidParams(f"The parameters of {method} are malformed."))
            return
        future = self._request_futures.pop(data["id"], None)
        if future is not None and not future.done():
            future.set_exception(error)

    def _handle_response(
        self, msg_id: str | int, result: Any = None, error: types.ResponseError | None = None
    ) -> None:
        """Take an answer of the client unless nobody waits for it any more."""
        future = self._request_futures.get(msg_id)
        if future is None or future.done() or isinstance(future, asyncio.Task):
            logger.debug("the client answered what nobody asked")
            return
        super()._handle_response(msg_id, result, error)

    @lsp_method(types.INITIALIZE)
    def lsp_initialize(
        self, params: types.InitializeParams
    ) -> Generator[Any, Any, types.InitializeResult]:
        """Agree on the position encoding, then do what pygls does."""
        self.encoding = choose_encoding(params.capabilities)
        result = yield from super().lsp_initialize(params)
        result.capabilities.position_encoding = self.encoding.value
        self.initialized = True
        return result

    @lsp_method(types.WORKSPACE_EXECUTE_COMMAND)
    def lsp_workspace__execute_command(
        self, params: types.ExecuteCommandParams
    ) -> Generator[Any, Any, Any]:
        """Give a command's handler the whole parameters, as every other handler gets them.

        pygls unpacks the arguments, which loses the token of the client's progress bar.
        """
        handler = self.fm.commands.get(params.command)
        if handler is None:
            raise JsonRpcInvalidParams("There is no such command.")
        return (yield handler, (params,), None)

    @lsp_method(types.EXIT)
    def lsp_exit(self, *_: Any) -> None:  # type: ignore[override]
        """End the conversation; the process ends when the loop has cleaned up."""
        self.closed = True


def choose_encoding(capabilities: types.ClientCapabilities) -> Encoding:
    """Return the cheapest encoding the client offers; UTF-16 where it offers none."""
    general = capabilities.general
    offered = (general.position_encodings if general else None) or ()
    return next((encoding for encoding in _PREFERENCE if encoding in offered), Encoding.UTF16)


def _is_bare(method: str) -> bool:
    return method in (types.SHUTDOWN, types.EXIT)


def _is_rpc(data: Mapping[str, Any]) -> bool:
    request_id = data.get("id", 0)
    return (
        data.get("jsonrpc") == FimbleProtocol.VERSION
        and isinstance(request_id, int | str)
        and ("id" in data or "method" in data)
        and isinstance(data.get("method", ""), str)
    )
