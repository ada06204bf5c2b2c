"""Code actions: listed at once, made when they are chosen, never outside the range they name."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from lsprotocol import types
from msgspec import Meta
from pygls.exceptions import JsonRpcException, JsonRpcInvalidParams, JsonRpcRequestCancelled
from pygls.uris import to_fs_path

from fimble.errors import FimbleError
from fimble.features.kinds import KINDS
from fimble.features.offer import Diagnostic, Look, Offer, Other, Outcome, Task
from fimble.protocol.custom import announces
from fimble.protocol.documents import difference, with_tree
from fimble.protocol.indexing import root_of
from fimble.protocol.progress import ProgressBar
from fimble.protocol.shown import show
from fimble.protocol.workspace import creates_files, workspace_edit
from fimble.source.edits import Edit, applied, rebased
from fimble.source.positions import offset_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fimble.protocol.server import FimbleServer
    from fimble.source.text import Snapshot

COMMAND: Final = "fimble.act"
ASK: Final = "fimble.ask"
"""The client's own: it asks its user and then has `COMMAND` carried out."""
KEPT_LISTINGS: Final = 8
"""Texts that actions were listed for and that are kept, to see what has changed since."""
MAX_MESSAGE: Final = 2000
MAX_DIAGNOSTICS: Final = 20
STALE: Final = "The text has changed there meanwhile, so nothing was done. Ask again."
VERIFIED: Final = "It was checked."
CANNOT_CREATE: Final = "This editor cannot create files for us, so the new one is only shown."

Offset = Annotated[int, Meta(ge=0, le=2**31)]
Text = Annotated[str, Meta(max_length=MAX_MESSAGE)]


class Told(msgspec.Struct, frozen=True, omit_defaults=True):
    """A diagnostic on its way through the client."""

    start: Offset
    end: Offset
    message: Text
    code: Text = ""
    source: Text = ""
    related: Annotated[tuple[Text, ...], Meta(max_length=MAX_DIAGNOSTICS)] = ()


class Data(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What an action carries through the client to be made from; all offsets are ours.

    What is empty is left out: Emacs would send an empty object back as null.
    """

    uri: Annotated[str, Meta(max_length=8192)]
    version: int
    kind: Annotated[str, Meta(max_length=100)]
    start: Offset
    end: Offset
    diagnostics: Annotated[tuple[Told, ...], Meta(max_length=MAX_DIAGNOSTICS)] = ()
    options: Annotated[dict[str, Text], Meta(max_length=20)] = {}


@dataclass(slots=True)
class Listings:
    """The texts of the last listings, by document and version."""

    _kept: OrderedDict[tuple[str, int], Snapshot] = field(default_factory=OrderedDict)

    def keep(self, snapshot: Snapshot) -> None:
        """Remember this text; the oldest is forgotten."""
        self._kept[snapshot.uri, snapshot.version] = snapshot
        self._kept.move_to_end((snapshot.uri, snapshot.version))
        while len(self._kept) > KEPT_LISTINGS:
            self._kept.popitem(last=False)

    def find(self, uri: str, version: int) -> Snapshot | None:
        """Return the text of a listing, if it is still known."""
        return self._kept.get((uri, version))


def register(server: FimbleServer) -> None:
    """Add these handlers to the server."""
    options = types.CodeActionOptions(code_action_kinds=list(KINDS), resolve_provider=True)
    server.feature(types.TEXT_DOCUMENT_CODE_ACTION, options)(code_action)
    server.feature(types.CODE_ACTION_RESOLVE)(resolve)
    server.command(COMMAND)(act)


async def prepare() -> None:
    """Import what actions are made of, beside the loop: it takes as long as all the rest."""
    await asyncio.to_thread(import_module, "fimble.features.actions")


async def code_action(
    ls: FimbleServer, params: types.CodeActionParams
) -> list[types.CodeAction | types.Command] | None:
    """List what applies; the model is not asked."""
    document = ls.session.document(params.text_document.uri)
    if document is None:
        raise JsonRpcInvalidParams("This document is not open.")
    snapshot = document.snapshot
    look = _look(ls, snapshot, params)
    ls.indexing.visited(snapshot, params.range.start.line)
    only = [str(getattr(kind, "value", kind)) for kind in params.context.only or ()]
    await prepare()
    from fimble.features import actions  # noqa: PLC0415  (not at the start, see above)
    from fimble.source.around import QUERIES  # noqa: PLC0415

    if snapshot.tree is None and snapshot.language.grammar_package:
        snapshot = await with_tree(ls, snapshot)
        look = _look(ls, snapshot, params)
    for query in QUERIES:
        await asyncio.to_thread(ls.session.languages.query, snapshot.language, query)
    ls.listings.keep(snapshot)
    return [_listed(ls, snapshot, offer, params) for offer in actions.offers(look, only)]


async def resolve(ls: FimbleServer, action: types.CodeAction) -> types.CodeAction:
    """Make the edit of an action that was chosen."""
    if action.edit is not None or action.command is not None:
        return action
    data = _data(action.data)
    snapshot, outcome = await _made(ls, data)
    action.edit = workspace_edit(ls, snapshot, outcome)
    if outcome.verified and outcome.edits:
        # Only fixes may be preferred, so other actions are said to be verified in their data.
        action.data = {"verified": True}
        if data.kind.startswith("quickfix."):
            action.is_preferred = True
    return action


async def act(ls: FimbleServer, params: types.ExecuteCommandParams) -> None:
    """Do the same for a client that cannot resolve actions, and ask it to apply the edit."""
    data = _data(params.arguments[0] if params.arguments else None)
    await perform(ls, data, params.work_done_token)


async def perform(ls: FimbleServer, data: Data, token: types.ProgressToken | None) -> None:
    """Make what the data asks for, and ask the client to apply the edit if there is one."""
    snapshot, outcome = await _made(ls, data, token)
    edit = workspace_edit(ls, snapshot, outcome)
    if edit is None:
        return
    wish = types.ApplyWorkspaceEditParams(edit=edit, label="Fimble")
    answer = await ls.workspace_apply_edit_async(wish)
    if not answer.applied:
        _say(ls, "The editor did not apply the edit.")


async def _made(
    ls: FimbleServer, data: Data, token: types.ProgressToken | None = None
) -> tuple[Snapshot, Outcome]:
    """Make what the data asks for, as edits of the text as it is when they are done."""
    document = ls.session.document(data.uri)
    if document is None:
        raise JsonRpcInvalidParams("This document is not open.")
    snapshot = document.snapshot
    try:
        return await _carried_out(ls, snapshot, _offer(ls, snapshot, data), token)
    except _Stale:
        # As an error, "content modified", some clients would say nothing and others say it twice.
        _say(ls, STALE)
        return snapshot, Outcome()


async def _carried_out(
    ls: FimbleServer, snapshot: Snapshot, offer: Offer, token: types.ProgressToken | None
) -> tuple[Snapshot, Outcome]:
    making: asyncio.Task[Outcome]
    bar = ProgressBar(ls, lambda: making.cancel(), token=token)  # noqa: PLW0108  (not made yet)
    making = asyncio.create_task(_make(ls, snapshot, offer, bar))
    bar.show(0.0, offer.title, cancellable=True)
    last = ""
    try:
        outcome = await making
        last = VERIFIED if outcome.verified and outcome.edits else ""
    except asyncio.CancelledError:
        making.cancel()
        own = asyncio.current_task()
        if own is not None and own.cancelling():
            raise
        raise JsonRpcRequestCancelled("It was cancelled.") from None
    except FimbleError as error:
        raise JsonRpcException(str(error)) from error
    finally:
        bar.end(last)
    if outcome.other is not None and outcome.other.is_new and not creates_files(ls):
        outcome = _shown_instead(outcome, outcome.other)
    if outcome.message:
        _say(ls, outcome.message)
    if outcome.shown:
        await show(ls, offer.title, outcome.shown)
    if outcome.found is not None:
        ls.hints.show(ls, snapshot, outcome.found)
    return _up_to_date(ls, snapshot, outcome)


async def _make(ls: FimbleServer, snapshot: Snapshot, offer: Offer, bar: ProgressBar) -> Outcome:
    await prepare()
    from fimble.features import actions  # noqa: PLC0415  (not at the start, see above)
    from fimble.features.writing import path_of  # noqa: PLC0415

    snapshot = await with_tree(ls, snapshot)
    task = Task(
        snapshot=snapshot,
        offer=offer,
        languages=ls.session.languages,
        settings=ls.session.settings,
        engine=ls.engine,
        report=lambda words, fraction: bar.show(fraction, words, cancellable=True),
        may_run=lambda: ls.permissions.may_run(ls, snapshot.uri),
        root=root_of(ls, snapshot.uri),
        opened={path: one.snapshot for one in ls.session if (path := path_of(one.snapshot))},
        elsewhere=partial(ls.indexing.about, ls, snapshot),
    )
    outcome = await actions.make(task)
    if outcome is None:
        raise JsonRpcInvalidParams("There is no such action.")
    return outcome


def _offer(ls: FimbleServer, now: Snapshot, data: Data) -> Offer:
    """Return the offer where it lies in the current text."""
    then = now if now.version == data.version else ls.listings.find(data.uri, data.version)
    if then is None:
        raise _Stale
    places = [(data.start, data.end), *((one.start, one.end) for one in data.diagnostics)]
    if any(start > end or end > len(then.text) for start, end in places):
        raise JsonRpcInvalidParams("The action's data does not fit its document.")
    moved: Sequence[Edit] | None = [Edit(start, end, "") for start, end in places]
    if then.text != now.text:
        moved = rebased(moved or (), Edit(*difference(then.text, now.text)))
    if moved is None:
        raise _Stale
    diagnostics = tuple(
        Diagnostic(at.start, at.end, one.message, one.code, one.source, one.related)
        for at, one in zip(moved[1:], data.diagnostics, strict=True)
    )
    title = data.kind.rpartition(".")[2]
    return Offer(data.kind, title, moved[0].start, moved[0].end, diagnostics, dict(data.options))


def _shown_instead(outcome: Outcome, other: Other) -> Outcome:
    """Return what the user is shown of a file that the client cannot create."""
    path = to_fs_path(other.snapshot.uri) or other.snapshot.uri
    code = applied(other.snapshot.text, other.edits)
    shown = f"`{path}`\n\n```{other.snapshot.language.id}\n{code.rstrip()}\n```"
    return replace(outcome, other=None, shown=shown, message=outcome.message or CANNOT_CREATE)


def _up_to_date(ls: FimbleServer, snapshot: Snapshot, outcome: Outcome) -> tuple[Snapshot, Outcome]:
    """Move the edits to where they belong in the text as it is by now."""
    document = ls.session.document(snapshot.uri)
    if document is None:
        raise JsonRpcInvalidParams("This document was closed meanwhile.")
    now = document.snapshot
    if outcome.other is not None and not _is_as_read(ls, outcome.other):
        raise _Stale
    if now.text == snapshot.text or not outcome.edits:
        return now, outcome
    edits = rebased(outcome.edits, Edit(*difference(snapshot.text, now.text)))
    if edits is None:
        raise _Stale
    return now, replace(outcome, edits=edits)


def _is_as_read(ls: FimbleServer, other: Other) -> bool:
    """Tell whether another file, if it is open, has the text that its edits are about."""
    document = ls.session.document(other.snapshot.uri)
    return document is None or document.snapshot.text == other.snapshot.text


def _look(ls: FimbleServer, snapshot: Snapshot, params: types.CodeActionParams) -> Look:
    start, end = _offsets(ls, snapshot, params.range)
    first, last = snapshot.line_of(start), snapshot.line_of(end)
    told = (_diagnostic(ls, snapshot, one) for one in params.context.diagnostics)
    return Look(
        snapshot=snapshot,
        start=start,
        end=end,
        languages=ls.session.languages,
        settings=ls.session.settings,
        # Some clients send all of the file, others those of the cursor's line.
        diagnostics=tuple(
            one
            for one in told
            if snapshot.line_of(one.start) <= last and snapshot.line_of(one.end) >= first
        ),
        # Who does not know the model yet offers what most models can.
        talks=ls.engine.status.info is None or bool(ls.engine.status.info.chat_template),
        asks=announces(ls, "ask"),
    )


def _diagnostic(ls: FimbleServer, snapshot: Snapshot, told: types.Diagnostic) -> Diagnostic:
    start, end = _offsets(ls, snapshot, told.range)
    others = told.related_information or ()
    related = (_related(ls, one, told.range)[:MAX_MESSAGE] for one in others)
    message = told.message if isinstance(told.message, str) else told.message.value
    return Diagnostic(
        start=start,
        end=end,
        message=message[:MAX_MESSAGE],
        code="" if told.code is None else str(told.code)[:MAX_MESSAGE],
        source=(told.source or "")[:MAX_MESSAGE],
        related=tuple(related)[:MAX_DIAGNOSTICS],
    )


def _related(ls: FimbleServer, told: types.DiagnosticRelatedInformation, own: types.Range) -> str:
    """Return what is said of another place, with its line if that file is open.

    What is said of the diagnostic's own place stands for itself, as in our hints.
    """
    document = ls.session.document(told.location.uri)
    number = told.location.range.start.line
    if told.location.range == own or document is None or number >= document.snapshot.line_count:
        return told.message
    return f"{told.message}: {document.snapshot.line_text(number).strip()}"


def _offsets(ls: FimbleServer, snapshot: Snapshot, place: types.Range) -> tuple[int, int]:
    encoding = ls.protocol.encoding
    start = offset_at(snapshot, place.start.line, place.start.character, encoding)
    end = offset_at(snapshot, place.end.line, place.end.character, encoding)
    return start, max(start, end)


def _listed(
    ls: FimbleServer, snapshot: Snapshot, offer: Offer, params: types.CodeActionParams
) -> types.CodeAction | types.Command:
    """Return the offer in the form that this client can take."""
    data = msgspec.to_builtins(
        Data(
            uri=snapshot.uri,
            version=snapshot.version,
            kind=offer.kind,
            start=offer.start,
            end=offer.end,
            diagnostics=tuple(Told(**asdict(one)) for one in offer.diagnostics),
            options=dict(offer.options),
        )
    )
    command = types.Command(title=offer.title, command=COMMAND, arguments=[data])
    if offer.asks:
        command = types.Command(
            title=offer.title, command=ASK, arguments=[data, offer.asks, offer.title]
        )
    can = ls.client_capabilities.text_document
    can_act = can.code_action if can else None
    if can_act is None or can_act.code_action_literal_support is None:
        return command
    about = [
        one
        for one in params.context.diagnostics
        if _diagnostic(ls, snapshot, one) in offer.diagnostics
    ]
    action = types.CodeAction(title=offer.title, kind=offer.kind, diagnostics=about or None)
    properties = can_act.resolve_support.properties if can_act.resolve_support else ()
    if "edit" in properties and can_act.data_support and not offer.asks:
        action.data = data
    else:
        action.command = command
    return action


def _data(raw: object) -> Data:
    try:
        return msgspec.convert(raw, Data)
    except msgspec.ValidationError:
        raise JsonRpcInvalidParams("The action's data is not what Fimble gave out.") from None


def _say(ls: FimbleServer, message: str) -> None:
    params = types.ShowMessageParams(type=types.MessageType.Info, message=f"Fimble: {message}")
    ls.window_show_message(params)


class _Stale(Exception):
    """The text where an action belongs is not the one that it was made for."""
