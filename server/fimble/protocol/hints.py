"""What a review found, as diagnostics of the kind that is hardly seen: hints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from fimble.source.positions import position_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fimble.features.offer import Diagnostic
    from fimble.protocol.server import FimbleServer
    from fimble.source.text import Snapshot


def publish(ls: FimbleServer, snapshot: Snapshot, found: Sequence[Diagnostic]) -> None:
    """Show these and no earlier ones; each brings its replacement as related information."""
    params = types.PublishDiagnosticsParams(
        uri=snapshot.uri,
        diagnostics=[_hint(ls, snapshot, one) for one in found],
        version=snapshot.version,
    )
    ls.text_document_publish_diagnostics(params)


def _hint(ls: FimbleServer, snapshot: Snapshot, one: Diagnostic) -> types.Diagnostic:
    first = position_at(snapshot, one.start, ls.protocol.encoding)
    last = position_at(snapshot, one.end, ls.protocol.encoding)
    place = types.Range(types.Position(*first), types.Position(*last))
    here = types.Location(uri=snapshot.uri, range=place)
    return types.Diagnostic(
        range=place,
        message=one.message,
        severity=types.DiagnosticSeverity.Hint,
        code=one.code,
        source=one.source,
        related_information=[
            types.DiagnosticRelatedInformation(location=here, message=text) for text in one.related
        ],
    )
