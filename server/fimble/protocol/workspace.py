"""Edits as the client takes them: versioned where it can tell versions apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from fimble.source.languages import PLAIN
from fimble.source.positions import position_at
from fimble.source.text import Snapshot

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fimble.features.offer import Outcome
    from fimble.protocol.server import FimbleServer
    from fimble.source.edits import Edit


def workspace_edit(
    ls: FimbleServer, snapshot: Snapshot, outcome: Outcome
) -> types.WorkspaceEdit | None:
    """Return the outcome's edits, those of ``snapshot``'s file and of others; None without any."""
    edits = {snapshot.uri: outcome.edits} if outcome.edits else {}
    files = edits | dict(outcome.others)
    if not files:
        return None
    workspace = ls.client_capabilities.workspace
    can = workspace.workspace_edit if workspace else None
    known = {uri: _snapshot(ls, uri) for uri in files}
    if can is None or not can.document_changes:
        changes = {uri: _text_edits(ls, known[uri], files[uri]) for uri in files}
        return types.WorkspaceEdit(changes=changes)
    changed: list[types.TextDocumentEdit | types.CreateFile] = []
    for uri, inside in files.items():
        document = ls.session.document(uri)
        if document is None and types.ResourceOperationKind.Create in (
            can.resource_operations or ()
        ):
            options = types.CreateFileOptions(ignore_if_exists=True)
            changed.append(types.CreateFile(uri=uri, options=options))
        version = None if document is None else document.snapshot.version
        identifier = types.OptionalVersionedTextDocumentIdentifier(uri=uri, version=version)
        changed.append(types.TextDocumentEdit(identifier, [*_text_edits(ls, known[uri], inside)]))
    return types.WorkspaceEdit(document_changes=changed)


def _snapshot(ls: FimbleServer, uri: str) -> Snapshot:
    """Return the open document, or the empty one that is to be made."""
    document = ls.session.document(uri)
    return Snapshot.open(uri, 0, PLAIN, "") if document is None else document.snapshot


def _text_edits(
    ls: FimbleServer, snapshot: Snapshot, edits: Sequence[Edit]
) -> list[types.TextEdit]:
    def position(offset: int) -> types.Position:
        return types.Position(*position_at(snapshot, offset, ls.protocol.encoding))

    return [
        types.TextEdit(types.Range(position(edit.start), position(edit.end)), edit.text)
        for edit in edits
    ]
