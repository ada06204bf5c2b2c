"""One workspace folder kept indexed: what is to be read, what editors say, what was found."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from fimble.prompt.context import Snippet, choose
from fimble.prompt.index import Index
from fimble.prompt.retrieve import (
    Spot,
    Word,
    candidates,
    defined_elsewhere,
    known_names,
    used_elsewhere,
)
from fimble.source.identifiers import identifiers
from fimble.source.languages import Language, Languages
from fimble.source.outline import outline
from fimble.source.text import Snapshot
from fimble.source.walk import IGNORE_FILES, Found, Rules, is_source, read_source, stat

log = logging.getLogger(__name__)

COMMIT_FILES: Final = 200


class Library:
    """The files of one folder. ``steps`` is an endless supply of small pieces of work."""

    def __init__(
        self,
        directory: Path,
        root: Path,
        languages: Languages,
        *,
        exclude: Sequence[str],
        max_files: int,
        max_bytes: int,
    ) -> None:
        self.root = root
        self._index = Index(directory, root)
        self._languages = languages
        self._exclude = exclude
        self._max_files = max_files
        self._max_bytes = max_bytes
        self._rules = Rules(root, exclude)
        self._open: dict[str, Snapshot] = {}
        self._count = 0

    @property
    def count(self) -> int:
        """Files seen at the last walk."""
        return self._count

    def close(self) -> None:
        """Keep what was read."""
        self._index.close()

    def scan(self) -> Iterator[None]:
        """Bring the index up to date with the disk, pausing (yielding) after each file."""
        self._rules = Rules(self.root, self._exclude)
        known = self._index.known()
        seen: set[str] = set()
        for found in self._rules.walk():
            yield
            if len(seen) >= self._max_files:
                log.warning("a workspace has more than %d files; the rest is left out", len(seen))
                break
            if not self._is_code(self._languages.for_path(found.path)):
                continue
            seen.add(found.path)
            if known.get(found.path) != (found.size, found.mtime_ns):
                self._read(found)
            if len(seen) % COMMIT_FILES == 0:
                self._index.commit()
        for path in known.keys() - seen - self._open.keys():
            self._index.remove(path)
            yield
        self._index.commit()
        self._count = len(seen)

    def look_again(self, path: str) -> bool:
        """Read a file (below the root) again, or forget it; True if everything must be rescanned.

        A folder that was deleted or an ignore file that changed says nothing of single files.
        """
        if path.rpartition("/")[2] in IGNORE_FILES:
            return True
        if path in self._open:
            return False
        found = stat(self.root, path)
        if found is None or not self._rules.allow(path):
            self._index.remove(path)
        elif self._is_code(self._languages.for_path(path)):
            self._read(found)
        self._index.commit()
        return False

    def take(self, path: str, language: str, text: str) -> None:
        """Let an editor's text count instead of the file's; it may be new or not saved.

        What would not be read from the disk, such as a key, is not for other files either.
        """
        if not self._rules.allow(path):
            self._open.pop(path, None)
            self._forget(path)
            return
        snapshot = self._parsed(path, self._languages.get(language), text)
        self._open[path] = snapshot
        if not is_source(text.encode()):
            self._forget(path)
        elif self._is_code(snapshot.language):
            # A time that no file has: after a crash the file on disk is read again.
            self._index.put(Found(path, -1, -1), text, outline(snapshot, self._languages))
            self._index.commit()

    def give_back(self, path: str) -> None:
        """Let the file on disk count again."""
        if self._open.pop(path, None) is not None:
            self.look_again(path)

    def find(
        self,
        path: str,
        offset: int,
        *,
        window: tuple[int, int],
        chars: int,
        spots: Sequence[Spot],
    ) -> tuple[Snippet, ...]:
        """Choose snippets for a place in a file that was taken; none for files left out."""
        snapshot = self._open.get(path)
        if snapshot is None:
            return ()
        ranked = candidates(
            self._index,
            snapshot,
            (path, offset),
            spots=spots,
            tabs=self._open,
            read=self._text,
            languages=self._languages,
        )
        start, end = window
        return choose(ranked, chars, snapshot.text[start:end])

    def names(self, path: str, word: Word) -> list[tuple[str, str]]:
        """Return names other files define, with their kinds; none for files left out."""
        snapshot = self._open.get(path)
        if snapshot is None:
            return []
        return known_names(self._index, snapshot, path, self._languages, word)

    def about(
        self, path: str, names: Sequence[str], called: Sequence[str]
    ) -> tuple[list[Snippet], list[str]]:
        """Return how other files define names, and lines that call others; none for files left out.

        What a file defines itself is not looked for elsewhere.
        """
        snapshot = self._open.get(path)
        if snapshot is None:
            return [], []
        own = {one.name for one in outline(snapshot, self._languages)}
        foreign = [name for name in identifiers(" ".join(names)) if name not in own]
        defined = defined_elsewhere(self._index, snapshot, path, self._languages, foreign)
        # Only real names reach the index, whose queries have a language of their own.
        known = identifiers(" ".join(called))
        return defined, used_elsewhere(self._index, path, self._languages, self._text, known)

    def _text(self, path: str) -> str | None:
        """Return the text of a file that may be sent, as it is now."""
        if path in self._open:
            text = self._open[path].text
            return text if is_source(text.encode()) else None
        if not self._rules.allow(path):
            return None
        return read_source(self.root / path, self._max_bytes)

    def _forget(self, path: str) -> None:
        self._index.remove(path)
        self._index.commit()

    def _read(self, found: Found) -> None:
        text = None
        if found.size <= self._max_bytes and found.path not in self._open:
            text = read_source(self.root / found.path, self._max_bytes)
        if text is None:
            self._index.put(found, None, ())
            return
        snapshot = self._parsed(found.path, self._languages.for_path(found.path), text)
        self._index.put(found, text, outline(snapshot, self._languages))

    def _parsed(self, path: str, language: Language, text: str) -> Snapshot:
        grammar = self._languages.grammar(language)
        return Snapshot.open(path, 0, language, text).parse(grammar)

    def _is_code(self, language: Language) -> bool:
        """Tell programs from data and prose: only for them anybody writes documentation."""
        return language.doc_comment is not None and bool(language.grammar_package)


def open_library(
    directory: Path,
    root: Path,
    languages: Languages,
    *,
    exclude: Sequence[str],
    max_files: int,
    max_bytes: int,
) -> Library | None:
    """Open one, or log why its folder cannot be indexed."""
    try:
        return Library(
            directory,
            root,
            languages,
            exclude=exclude,
            max_files=max_files,
            max_bytes=max_bytes,
        )
    except (OSError, sqlite3.Error) as error:
        log.warning("a workspace cannot be indexed: %s", type(error).__name__)
        return None
