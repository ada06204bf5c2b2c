"""The one owner of mutable state on the loop thread: documents, settings, what was answered.

Everybody else works on the frozen `Snapshot`s that are handed out here.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from fimble.settings import DEFAULTS, Settings
from fimble.source.text import Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from fimble.errors import SettingsError
    from fimble.source.languages import Languages

Memory = TypeVar("Memory")

KEPT_EXPLANATIONS: Final = 100
LEAD_CHARS: Final = 4000
"""How much of a notebook's earlier cells a cell knows: a little more than a prompt takes."""


@dataclass(frozen=True, slots=True)
class Document(Generic[Memory]):
    """An open file: its text now, and what a feature remembers of the last answer in it."""

    snapshot: Snapshot
    memory: Memory | None = None
    memory_version: int = -1


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a request was answered as it was; ``fimble/explainLast`` shows it.

    ``position`` is a line and a character as the client counts them. ``trace`` holds tokens and
    milliseconds by name. ``outside_ms`` is what neither the queue nor the model took.
    """

    uri: str
    position: tuple[int, int]
    reason: str
    detail: str
    trace: Mapping[str, float]
    total_ms: float
    outside_ms: float


@dataclass(slots=True)
class Session(Generic[Memory]):
    """Open documents and settings. Not for other threads."""

    languages: Languages
    settings: Settings = DEFAULTS
    problems: tuple[SettingsError, ...] = ()
    _documents: dict[str, Document[Memory]] = field(default_factory=dict)
    _notebooks: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _explanations: deque[Explanation] = field(
        default_factory=lambda: deque(maxlen=KEPT_EXPLANATIONS)
    )

    def __iter__(self) -> Iterator[Document[Memory]]:
        return iter(tuple(self._documents.values()))

    def document(self, uri: str) -> Document[Memory] | None:
        """Return the open document, or None."""
        return self._documents.get(uri)

    def open(self, uri: str, version: int, language_id: str, text: str) -> Snapshot:
        """Begin to follow a document; opening it again starts afresh."""
        language = self.languages.for_document(language_id, uri)
        snapshot = Snapshot.open(uri, version, language, text)
        self._documents[uri] = Document(snapshot)
        return snapshot

    def change(self, snapshot: Snapshot) -> None:
        """Take the next state of an open document; what is remembered stays."""
        document = self._documents[snapshot.uri]
        self._documents[snapshot.uri] = replace(document, snapshot=snapshot)
        for cells in self._notebooks.values():
            if snapshot.uri in cells:
                self._tell_cells(cells)

    def close(self, uri: str) -> bool:
        """Forget the document; False when it was not open."""
        return self._documents.pop(uri, None) is not None

    def arrange(self, notebook: str, cells: Iterable[str]) -> None:
        """Take the order of a notebook's cells, by their URIs; without any it is forgotten."""
        self._notebooks[notebook] = tuple(cells)
        self._tell_cells(self._notebooks[notebook])
        if not self._notebooks[notebook]:
            del self._notebooks[notebook]

    def cells(self, notebook: str) -> tuple[str, ...]:
        """Return the URIs of a notebook's cells, in their order."""
        return self._notebooks.get(notebook, ())

    def is_cell(self, uri: str) -> bool:
        """Tell whether a document is a cell of a notebook."""
        return any(uri in cells for cells in self._notebooks.values())

    def is_current(self, snapshot: Snapshot) -> bool:
        """Tell whether the document still has the text of ``snapshot``."""
        document = self._documents.get(snapshot.uri)
        return document is not None and document.snapshot.text is snapshot.text

    def parsed(self, snapshot: Snapshot) -> bool:
        """Take the same text with its syntax tree; False when the document has moved on."""
        if not self.is_current(snapshot):
            return False
        self.change(snapshot)
        return True

    def remember(self, snapshot: Snapshot, memory: Memory) -> None:
        """Keep what a feature learned at ``snapshot`` unless it knows something newer."""
        document = self._documents.get(snapshot.uri)
        if document is None or document.memory_version > snapshot.version:
            return
        self._documents[snapshot.uri] = replace(
            document, memory=memory, memory_version=snapshot.version
        )

    def amend(self, uri: str, memory: Memory) -> None:
        """Replace what is remembered of a document, whatever its version is by now."""
        document = self._documents.get(uri)
        if document is not None:
            self._documents[uri] = replace(document, memory=memory)

    def configure(self, settings: Settings, problems: Iterable[SettingsError]) -> None:
        """Replace the settings and what was wrong with them."""
        self.settings = settings
        self.problems = tuple(problems)

    def explain(self, explanation: Explanation) -> None:
        """Note how a request was answered; only the last ones are kept."""
        self._explanations.append(explanation)

    def explanations(self, count: int) -> tuple[Explanation, ...]:
        """Return the last ``count`` notes, the latest first."""
        latest = tuple(reversed(self._explanations))
        return latest[: max(count, 0)]

    def _tell_cells(self, cells: Iterable[str]) -> None:
        """Let each cell know what stands in those before it that have its language."""
        leads: dict[str, str] = {}
        for document in filter(None, map(self._documents.get, cells)):
            snapshot = document.snapshot
            lead = leads.get(snapshot.language.id, "")
            if snapshot.lead != lead:
                led = replace(document, snapshot=replace(snapshot, lead=lead))
                self._documents[snapshot.uri] = led
            leads[snapshot.language.id] = f"{lead}{snapshot.text}\n\n"[-LEAD_CHARS:]
