"""Notebooks: each cell is a document of its own that knows the cells above it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lsprotocol import types

from fimble.protocol import documents

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fimble.protocol.server import FimbleServer

SYNC: Final = types.NotebookDocumentSyncOptions(
    notebook_selector=[types.NotebookDocumentFilterWithNotebook(notebook="*")]
)
"""All cells of all notebooks."""


def register(server: FimbleServer) -> None:
    """Add these handlers to the server."""
    server.feature(types.NOTEBOOK_DOCUMENT_DID_OPEN)(did_open)
    server.feature(types.NOTEBOOK_DOCUMENT_DID_CHANGE)(did_change)
    server.feature(types.NOTEBOOK_DOCUMENT_DID_SAVE)(did_save)
    server.feature(types.NOTEBOOK_DOCUMENT_DID_CLOSE)(did_close)


def did_open(ls: FimbleServer, params: types.DidOpenNotebookDocumentParams) -> None:
    """Follow all cells."""
    notebook = params.notebook_document
    # First the order: it says that these documents are cells.
    ls.session.arrange(notebook.uri, (cell.document for cell in notebook.cells))
    _open(ls, params.cell_text_documents)
    ls.session.arrange(notebook.uri, ls.session.cells(notebook.uri))


def did_change(ls: FimbleServer, params: types.DidChangeNotebookDocumentParams) -> None:
    """Follow cells that came, went, moved or were edited."""
    change, uri = params.change.cells, params.notebook_document.uri
    if change is None:
        return
    if structure := change.structure:
        cells, array = list(ls.session.cells(uri)), structure.array
        come = [cell.document for cell in array.cells or ()]
        cells[array.start : array.start + array.delete_count] = come
        ls.session.arrange(uri, cells)
        _open(ls, structure.did_open or ())
        _close(ls, structure.did_close or ())
        ls.session.arrange(uri, cells)
    for content in change.text_content or ():
        documents.did_change(
            ls, types.DidChangeTextDocumentParams(content.document, content.changes)
        )


def did_save(_ls: FimbleServer, _params: types.DidSaveNotebookDocumentParams) -> None:
    """Do nothing: what counts is what is on screen."""


def did_close(ls: FimbleServer, params: types.DidCloseNotebookDocumentParams) -> None:
    """Forget all cells."""
    _close(ls, params.cell_text_documents)
    ls.session.arrange(params.notebook_document.uri, ())


def _open(ls: FimbleServer, cells: Iterable[types.TextDocumentItem]) -> None:
    for cell in cells:
        documents.did_open(ls, types.DidOpenTextDocumentParams(cell))


def _close(ls: FimbleServer, cells: Iterable[types.TextDocumentIdentifier]) -> None:
    for cell in cells:
        documents.did_close(ls, types.DidCloseTextDocumentParams(cell))
