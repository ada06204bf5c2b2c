"""The workspace index follows the client: folders, watched files, documents, where one types."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lsprotocol import types
from pygls.uris import to_fs_path

from fimble.features.context import WorkspaceIndex, is_due
from fimble.protocol.power import may_work_ahead

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from fimble.features.context import Context
    from fimble.features.items import Spot
    from fimble.features.memory import Memory
    from fimble.features.offer import Elsewhere
    from fimble.protocol.server import FimbleServer
    from fimble.source.text import Snapshot

KEPT_SPOTS: Final = 8
NEAR_LINES: Final = 10
"""Edits this near to each other are one place."""


class Indexing:
    """What the index was told and asked, by document; the index itself is another process."""

    def __init__(
        self, directory: Path | None, *, warm: Callable[[], None], again: Callable[[], None]
    ) -> None:
        self._warm = warm
        self._index = WorkspaceIndex(directory, self._on_indexed, again)
        self._asked: dict[str, int] = {}
        self._unsaid: set[str] = set()
        self._spots: deque[tuple[str, int]] = deque(maxlen=KEPT_SPOTS)
        self._visits: dict[str, int] = {}

    async def follow(self, ls: FimbleServer) -> None:
        """Index what the client's folders and the settings are now."""
        await self._index.follow(_roots(ls), ls.session.settings)
        for document in ls.session:
            self.opened(document.snapshot)

    def opened(self, snapshot: Snapshot) -> None:
        """Take a document's text instead of what is on disk."""
        if path := path_of(snapshot.uri):
            self._index.opened(path, snapshot)

    def changed(self, snapshot: Snapshot, line: int | None) -> None:
        """Note that somebody types, and where if known; the text is told when it matters."""
        self._index.typing()
        path = path_of(snapshot.uri)
        if path is None:
            return
        self._unsaid.add(snapshot.uri)
        if line is None:
            return
        if self._spots and _are_near(self._spots[0], (path, line)):
            self._spots.popleft()
        self._spots.appendleft((path, line))

    def visited(self, snapshot: Snapshot, line: int) -> None:
        """Note where the cursor is in a file, without a change."""
        if path := path_of(snapshot.uri):
            self._visits.pop(path, None)
            self._visits[path] = line

    def closed(self, uri: str) -> None:
        """Let the file on disk count again."""
        self._asked.pop(uri, None)
        self._unsaid.discard(uri)
        if path := path_of(uri):
            self._visits.pop(path, None)
            self._index.closed(path)

    def touched(self, uris: Sequence[str]) -> None:
        """Look at files again that the client saw changing."""
        self._index.touched([path for uri in uris if (path := path_of(uri))])

    async def choose(
        self, ls: FimbleServer, snapshot: Snapshot, offset: int, memory: Memory | None
    ) -> Context | None:
        """Choose the context of a document; None for what it has, if that was chosen near here."""
        layout = memory.layout if memory is not None else None
        path = path_of(snapshot.uri)
        asked = self._asked.get(snapshot.uri)
        if path is None or not may_work_ahead(ls.session.settings):
            return None
        if not is_due(layout, snapshot, offset, asked):
            return None
        self._tell_changes(ls, but=snapshot.uri)
        context = await self._index.context(
            path,
            snapshot,
            offset,
            ls.engine.status.profile,
            layout=layout,
            spots=[spot for spot in self._seen() if spot[0] != path],
        )
        if memory is not None:  # else nobody knows yet where in the file the cursor will be
            self._asked[snapshot.uri] = snapshot.line_of(offset)
            self.visited(snapshot, snapshot.line_of(offset))
        return context

    async def names(self, snapshot: Snapshot, spot: Spot) -> Sequence[tuple[str, str]]:
        """Return names that other files define for the word being typed, with their kinds."""
        path = path_of(snapshot.uri)
        return await self._index.names(path, spot) if path else ()

    async def about(
        self, ls: FimbleServer, snapshot: Snapshot, names: Sequence[str], called: Sequence[str] = ()
    ) -> Elsewhere:
        """Return how the other files of a document's workspace define names and call others."""
        self._tell_changes(ls)
        return await self._index.about(path_of(snapshot.uri) or "", names, called)

    async def idle(self) -> None:
        """Return when the index is up to date."""
        await self._index.idle()

    async def close(self) -> None:
        """End the index process."""
        await self._index.close()

    def _seen(self) -> list[tuple[str, int]]:
        """Return where the user was, the latest first: places of edits, then of visits."""
        visits = reversed(self._visits.items())
        new = [spot for spot in visits if not any(_are_near(spot, edit) for edit in self._spots)]
        return [*self._spots, *new[:KEPT_SPOTS]]

    def _tell_changes(self, ls: FimbleServer, but: str = "") -> None:
        for uri in self._unsaid - {but}:
            document = ls.session.document(uri)
            if document is not None:
                self.opened(document.snapshot)
        self._unsaid.intersection_update({but})

    def _on_indexed(self) -> None:
        self._asked.clear()
        self._warm()


def register(server: FimbleServer) -> None:
    """Add this handler to the server."""
    server.feature(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS)(did_change_workspace_folders)


async def did_change_workspace_folders(
    ls: FimbleServer, _params: types.DidChangeWorkspaceFoldersParams
) -> None:
    """Index the folders there are now; pygls has noted them."""
    await ls.indexing.follow(ls)


def watched_globs(ls: FimbleServer) -> Iterator[str]:
    """Yield patterns of the files whose changes count: programs, and what says to ignore some."""
    if ls.session.settings.context.enabled:
        endings = (
            ending.removeprefix(".")
            for language in ls.session.languages
            if language.doc_comment is not None
            for ending in language.extensions
        )
        yield f"**/*.{{{','.join(sorted(set(endings)))}}}"
        yield "**/{.gitignore,.ignore}"


def path_of(uri: str) -> str | None:
    """Return the path of a document that is a file."""
    return to_fs_path(uri) if uri.startswith("file:") else None


def root_of(ls: FimbleServer, uri: str) -> Path | None:
    """Return the innermost of the client's folders that holds a document."""
    path = path_of(uri)
    holding = [root for root in _roots(ls) if path and Path(path).is_relative_to(root)]
    return max(holding, key=lambda root: len(root.parts), default=None)


def _roots(ls: FimbleServer) -> list[Path]:
    uris = list(ls.workspace.folders) or [ls.workspace.root_uri or ""]
    return [Path(path) for uri in uris if (path := path_of(uri))]


def _are_near(one: tuple[str, int], other: tuple[str, int]) -> bool:
    return one[0] == other[0] and abs(one[1] - other[1]) <= NEAR_LINES
