"""What a review found, as diagnostics of the kind that is hardly seen: hints."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from lsprotocol import types

from fimble.protocol.documents import difference
from fimble.source.around import line_end, line_start
from fimble.source.edits import Edit, rebased
from fimble.source.positions import position_at

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fimble.features.offer import Diagnostic
    from fimble.protocol.server import FimbleServer
    from fimble.source.text import Snapshot


@dataclass(slots=True)
class Hints:
    """The hints on screen, by document, with the text in which they have their places."""

    _shown: dict[str, tuple[Snapshot, tuple[Diagnostic, ...]]] = field(default_factory=dict)

    def show(self, ls: FimbleServer, snapshot: Snapshot, found: Sequence[Diagnostic]) -> None:
        """Show these instead of earlier ones, without those whose lines have changed meanwhile."""
        document = ls.session.document(snapshot.uri)
        if document is not None:
            now = document.snapshot
            _publish(ls, now, self._keep(now, tuple(_moved(found, snapshot, now))))

    def change(self, ls: FimbleServer, snapshot: Snapshot) -> None:
        """Take back those whose lines the change touched; clients move the others themselves."""
        if snapshot.uri not in self._shown:
            return
        then, found = self._shown[snapshot.uri]
        left = self._keep(snapshot, tuple(_moved(found, then, snapshot)))
        if len(left) < len(found):
            _publish(ls, snapshot, left)

    def close(self, ls: FimbleServer, uri: str) -> None:
        """Take back all of a document."""
        if shown := self._shown.pop(uri, None):
            _publish(ls, shown[0], ())

    def _keep(self, snapshot: Snapshot, found: tuple[Diagnostic, ...]) -> tuple[Diagnostic, ...]:
        self._shown[snapshot.uri] = snapshot, found
        if not found:
            del self._shown[snapshot.uri]
        return found


def _moved(found: Sequence[Diagnostic], then: Snapshot, now: Snapshot) -> Iterator[Diagnostic]:
    """Yield the hints where they are by now, without those whose lines have changed."""
    change = Edit(*difference(then.text, now.text))
    for one in found:
        line = Edit(line_start(then, one.start), line_end(then, one.end), "")
        moved = (line,) if then.text == now.text else rebased((line,), change)
        if moved is not None:
            shift = moved[0].start - line.start
            yield replace(one, start=one.start + shift, end=one.end + shift)


def _publish(ls: FimbleServer, snapshot: Snapshot, found: Sequence[Diagnostic]) -> None:
    params = types.PublishDiagnosticsParams(
        uri=snapshot.uri,
        diagnostics=[_hint(ls, snapshot, one) for one in found],
        version=snapshot.version,
    )
    ls.text_document_publish_diagnostics(params)


def _hint(ls: FimbleServer, snapshot: Snapshot, one: Diagnostic) -> types.Diagnostic:
    """Return one hint; its replacement comes back from the client as related information."""
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
