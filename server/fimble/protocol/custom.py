"""Fimble's own requests, such as fimble/status and fimble/explainLast; and two notifications.

fimble/didChangeStatus goes to clients that announce the experimental capability ``fimble.status``,
fimble/didGrow to those that announce ``fimble.grow``: the suggestion that they were given in a
document has more lines by now, and is there for who asks again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from pygls.exceptions import JsonRpcInvalidParams

from fimble import __version__
from fimble.engine.messages import State
from fimble.errors import EngineError, ModelError
from fimble.protocol.logs import logger

if TYPE_CHECKING:
    from fimble.engine.base import EngineStatus
    from fimble.errors import FimbleError
    from fimble.protocol.server import FimbleServer
    from fimble.session import Explanation

STATUS: Final = "fimble/status"
EXPLAIN_LAST: Final = "fimble/explainLast"
LANGUAGES: Final = "fimble/languages"
FLUSH: Final = "fimble/flush"
DID_CHANGE_STATUS: Final = "fimble/didChangeStatus"
DID_GROW: Final = "fimble/didGrow"


def register(server: FimbleServer) -> None:
    """Add these handlers to the server."""
    server.feature(STATUS)(status)
    server.feature(EXPLAIN_LAST)(explain_last)
    server.feature(LANGUAGES)(languages)
    server.feature(FLUSH)(flush)


async def status(ls: FimbleServer, _params: object) -> dict[str, Any]:
    """Tell how the model and the server are."""
    now = ls.engine.status
    return {
        **_short_status(ls, now),
        "model": {"name": ls.session.settings.model, **_model(now)},
        "profile": _profile(now),
        "rates": _rates(now),
        "memory": await _memory(ls),
        "version": __version__,
        "settings": {"problems": [_error(problem) for problem in ls.session.problems]},
    }


def explain_last(ls: FimbleServer, params: object) -> list[dict[str, Any]]:
    """Tell why the last ``count`` requests (1 if not given) were answered as they were."""
    count = params.get("count", 1) if isinstance(params, Mapping) else 1
    if not isinstance(count, int):
        raise JsonRpcInvalidParams("`count` must be a whole number.")
    return [_explanation(explanation) for explanation in ls.session.explanations(count)]


def languages(ls: FimbleServer, _params: object) -> list[dict[str, str]]:
    """Tell which languages code can be translated into, by their names."""
    known = [one for one in ls.session.languages if one.doc_comment is not None]
    named = sorted((one.name, one.lsp_ids[0]) for one in known)
    return [{"id": identifier, "name": name} for name, identifier in named]


async def flush(ls: FimbleServer, _params: object) -> None:
    """Answer when nothing is left to do in the background: loading, parsing, reading ahead."""
    await ls.work.idle()
    await ls.engine.settled()
    await ls.indexing.idle()
    # Reading ahead begins when the model is ready, and again when the workspace is indexed.
    await ls.work.idle()
    try:
        await ls.engine.flush()
    except EngineError:
        logger.debug("the engine went down while it was flushed")


def announces(ls: FimbleServer, ability: str) -> bool:
    """Tell whether the client has an experimental capability of ours: `status`, `ask`, `grow`."""
    experimental = ls.client_capabilities.experimental
    fimble = experimental.get("fimble") if isinstance(experimental, Mapping) else None
    return isinstance(fimble, Mapping) and fimble.get(ability) is True


def tell_status(ls: FimbleServer, now: EngineStatus) -> None:
    """Tell the client that the engine is in another state, or further on in it."""
    if not announces(ls, "status"):
        return
    params = _short_status(ls, now)
    if params != ls.told_status:
        ls.told_status = params
        ls.protocol.notify(DID_CHANGE_STATUS, params)


def tell_growth(ls: FimbleServer, uri: str) -> None:
    """Tell the client that the suggestion in a document is longer than what it was given."""
    ls.protocol.notify(DID_GROW, {"uri": uri})


def _short_status(ls: FimbleServer, now: EngineStatus) -> dict[str, Any]:
    """What costs nothing to tell; the fraction in steps of a hundredth, as it may change often."""
    return {
        "state": now.state,
        "progress": int(now.progress * 100) / 100,
        "stage": now.stage,
        "model": {"name": ls.session.settings.model},
        "restarts": now.restarts,
        "error": None if now.error is None else _error(now.error),
    }


def _explanation(explanation: Explanation) -> dict[str, Any]:
    line, character = explanation.position
    return {
        "uri": explanation.uri,
        "position": {"line": line, "character": character},
        "reason": explanation.reason,
        "detail": explanation.detail,
        "trace": {_camel(name): value for name, value in explanation.trace.items()},
        "totalMs": explanation.total_ms,
        "outsideMs": explanation.outside_ms,
    }


def _model(now: EngineStatus) -> dict[str, Any]:
    if now.info is None:
        return {}
    wanted = ("path", "description", "architecture", "n_ctx_train", "size_bytes", "order")
    return {_camel(name): getattr(now.info, name) for name in wanted}


def _profile(now: EngineStatus) -> dict[str, Any] | None:
    if now.profile is None:
        return None
    return {_camel(name): value for name, value in asdict(now.profile).items()}


def _rates(now: EngineStatus) -> dict[str, float] | None:
    """Tokens per second, as measured when the model was first loaded."""
    if now.profile is None:
        return None
    return {"prefill": now.profile.prefill_rate, "decode": now.profile.decode_rate}


async def _memory(ls: FimbleServer) -> dict[str, int] | None:
    if ls.engine.status.state is not State.READY:
        return None
    try:
        stats = await ls.engine.stats()
    except (EngineError, ModelError):
        return None
    return {_camel(name): value for name, value in asdict(stats).items() if name != "id"}


def _error(error: FimbleError) -> dict[str, str]:
    return {"kind": type(error).__name__, "message": error.message, "hint": error.hint}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
