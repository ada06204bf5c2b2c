"""Edits as the client takes them: versioned where it can tell versions apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from fimble.features.offer import Other
from fimble.source.positions import position_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fimble.features.offer import Outcome
    from fimble.protocol.server import FimbleServer
    from fimble.source.edits import Edit
    from fimble.source.text import Snapshot


def workspace_edit(
    ls: FimbleServer, snapshot: Snapshot, outcome: Outcome
) -> types.WorkspaceEdit | None:
    """Return the outcome's edits, those of ``snapshot``'s file and of others; None without any."""
    files = [Other(snapshot, outcome.edits)] if outcome.edits else []
    if outcome.other is not None:
        files.append(outcome.other)
    if not files:
        return None
    can = _can_edit(ls)
    creates = creates_files(ls) and any(one.is_new for one in files)
    if not (creates or (can is not None and can.document_changes)):
        changes = {one.snapshot.uri: _text_edits(ls, one.snapshot, one.edits) for one in files}
        return types.WorkspaceEdit(changes=changes)
    changed: list[types.TextDocumentEdit | types.CreateFile] = []
    for one in files:
        uri = one.snapshot.uri
        if one.is_new:
            options = types.CreateFileOptions(ignore_if_exists=True)
            changed.append(types.CreateFile(uri=uri, options=options))
        document = ls.session.document(uri)
        version = None if document is None else document.snapshot.version
        identifier = types.OptionalVersionedTextDocumentIdentifier(uri=uri, version=version)
        edits = _text_edits(ls, one.snapshot, one.edits)
        changed.append(types.TextDocumentEdit(identifier, [*edits]))
    return types.WorkspaceEdit(document_changes=changed)


def creates_files(ls: FimbleServer) -> bool:
    """Tell whether the client can make a file that an edit asks for.

    Who can do so takes document changes, which hold such orders, whether it says so or not.
    """
    can = _can_edit(ls)
    operations = can.resource_operations if can is not None else None
    return types.ResourceOperationKind.Create in (operations or ())


def _can_edit(ls: FimbleServer) -> types.WorkspaceEditClientCapabilities | None:
    workspace = ls.client_capabilities.workspace
    return workspace.workspace_edit if workspace else None


def _text_edits(
    ls: FimbleServer, snapshot: Snapshot, edits: Sequence[Edit]
) -> list[types.TextEdit]:
    def position(offset: int) -> types.Position:
        return types.Position(*position_at(snapshot, offset, ls.protocol.encoding))

    return [
        types.TextEdit(types.Range(position(edit.start), position(edit.end)), edit.text)
        for edit in edits
    ]
