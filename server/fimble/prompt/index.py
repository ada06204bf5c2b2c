"""What a workspace defines and where its names occur: one SQLite file for each folder.

Lies in the cache directory, readable by its owner only, and survives restarts. It holds
signatures and the names that occur, but no other text: snippets are read from the files when
they are wanted. Belongs to one process and thread, the one of `indexer`.
"""

from __future__ import annotations

import hashlib
import logging
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final, NoReturn

from fimble.source.identifiers import identifiers
from fimble.source.outline import Definition
from fimble.source.walk import Found

log = logging.getLogger(__name__)

VERSION: Final = 1
"""Raise when the tables or what goes into them change: older files are then made anew."""
CHUNK_LINES: Final = 12
MIN_NAMES: Final = 3
"""A chunk with fewer names is not worth finding."""
MAX_SAME: Final = 8
"""A name defined more often than this in a workspace says nothing."""
_BUSY_S: Final = 2.0

_TABLES: Final = """
CREATE TABLE files (
    id INTEGER PRIMARY KEY, path TEXT UNIQUE, size INTEGER, mtime_ns INTEGER,
    folder TEXT, stem TEXT, subject TEXT, is_source INTEGER);
CREATE INDEX files_by_stem ON files (stem);
CREATE INDEX files_by_subject ON files (subject);
CREATE TABLE definitions (
    file INTEGER, position INTEGER, name TEXT, kind TEXT, line INTEGER, end INTEGER,
    parent INTEGER, signature TEXT, PRIMARY KEY (file, position)) WITHOUT ROWID;
CREATE INDEX definitions_by_name ON definitions (name);
CREATE TABLE chunks (id INTEGER PRIMARY KEY, file INTEGER, line INTEGER);
CREATE INDEX chunks_by_file ON chunks (file);
CREATE VIRTUAL TABLE words USING fts5 (names, tokenize = "unicode61 tokenchars '_'", detail=none);
"""


@dataclass(frozen=True, slots=True)
class Place:
    """One definition of a name: ``count`` is how many the workspace has under this name."""

    path: str
    position: int
    name: str
    count: int


class Index:
    """Opens the index of ``root``, or makes it; a damaged or outdated one is thrown away."""

    def __init__(self, directory: Path, root: Path) -> None:
        key = hashlib.sha256(str(root).encode("utf-8", "surrogatepass")).hexdigest()[:16]
        self.file = directory / f"{root.name[:32]}-{key}.sqlite"
        self.root = root
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            self._db = self._open()
        except sqlite3.DatabaseError:
            self._discard()
            self._db = self._open()

    def close(self) -> None:
        self._db.commit()
        self._db.close()

    def commit(self) -> None:
        """Make what was put since the last time durable."""
        self._db.commit()

    def known(self) -> dict[str, tuple[int, int]]:
        """Return every file with the size and time it had when it was read."""
        rows = self._db.execute("SELECT path, size, mtime_ns FROM files")
        return {path: (size, mtime) for path, size, mtime in rows}

    def put(self, found: Found, text: str | None, outline: Sequence[Definition]) -> None:
        """Take a file anew; with ``text`` None only remember that it is not for reading."""
        self.remove(found.path)
        path = PurePosixPath(found.path)
        folder = "" if path.parent.name == "" else path.parent.as_posix()
        row = (found.path, found.size, found.mtime_ns, folder, path.stem.split(".")[0])
        cursor = self._db.execute(
            "INSERT INTO files (path, size, mtime_ns, folder, stem, subject, is_source)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (*row, subject_of(path.name), text is not None),
        )
        file = cursor.lastrowid
        assert file is not None, "a row was inserted"
        if text is None:
            return
        self._db.executemany(
            "INSERT INTO definitions VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (file, position, one.name, one.kind, one.line, one.end, one.parent, one.signature)
                for position, one in enumerate(outline)
            ),
        )
        for line, names in _chunks(text):
            chunk = self._db.execute(
                "INSERT INTO chunks (file, line) VALUES (?, ?)", (file, line)
            ).lastrowid
            self._db.execute("INSERT INTO words (rowid, names) VALUES (?, ?)", (chunk, names))

    def remove(self, path: str) -> None:
        """Forget a file, if it is known."""
        row = self._db.execute("SELECT id FROM files WHERE path = ?", (path,)).fetchone()
        if row is None:
            return
        self._db.execute(
            "DELETE FROM words WHERE rowid IN (SELECT id FROM chunks WHERE file = ?)", row
        )
        for table in ("chunks", "definitions"):
            self._db.execute(f"DELETE FROM {table} WHERE file = ?", row)  # noqa: S608  (ours)
        self._db.execute("DELETE FROM files WHERE id = ?", row)

    def defining(self, names: Iterable[str]) -> Iterator[Place]:
        """Yield where these names are defined, but for those that are defined all over."""
        for name in names:
            rows = self._db.execute(
                "SELECT path, position FROM definitions JOIN files ON id = file WHERE name = ?"
                " ORDER BY path, position LIMIT ?",
                (name, MAX_SAME + 1),
            ).fetchall()
            if len(rows) <= MAX_SAME:
                for path, position in rows:
                    yield Place(path, position, name, len(rows))

    def outline(self, path: str) -> list[Definition]:
        """Return the definitions of a file, in the order of its text."""
        rows = self._db.execute(
            "SELECT name, kind, line, end, parent, signature FROM definitions JOIN files"
            " ON id = file WHERE path = ? ORDER BY position",
            (path,),
        )
        return [Definition(name, kind, *rest) for name, kind, *rest in rows]

    def names_in(self, path: str, typed: str) -> list[tuple[str, str]]:
        """Return the names a file defines that begin with ``typed``, each with its kind."""
        return self._db.execute(
            "SELECT name, kind FROM definitions JOIN files ON id = file"
            " WHERE path = ? AND name GLOB ? ORDER BY position",
            (path, f"{typed}*"),
        ).fetchall()

    def names(self, typed: str, own: str, limit: int, *, members: bool) -> list[tuple[str, str]]:
        """Return names that begin with ``typed`` and that other files than ``own`` define.

        In alphabetical order, each with its kind: methods for ``members``, else everything but
        them.
        """
        return self._db.execute(
            "SELECT DISTINCT name, kind FROM definitions JOIN files ON id = file"
            " WHERE name GLOB ? AND (kind = 'method') = ? AND path <> ? ORDER BY name LIMIT ?",
            (f"{typed}*", members, own, limit),
        ).fetchall()

    def alike(self, names: Sequence[str], own: str, limit: int) -> list[tuple[str, int, float]]:
        """Return chunks of other files than ``own`` that share many rare names, the best first.

        A chunk is a path, its first line and how well it fits, and `CHUNK_LINES` long.
        """
        if not names:
            return []
        query = " OR ".join(f'"{name}"' for name in names)
        return self._db.execute(
            "SELECT path, line, -bm25(words) FROM words JOIN chunks ON chunks.id = words.rowid"
            " JOIN files ON files.id = chunks.file WHERE words MATCH ? AND path <> ?"
            " ORDER BY bm25(words), path, line LIMIT ?",
            (query, own, limit),
        ).fetchall()

    def with_stem(self, stem: str, limit: int) -> list[str]:
        """Return files of this name without extension, and packages: folders of this name."""
        rows = self._db.execute(
            "SELECT path FROM files WHERE is_source AND (stem = ?"
            " OR (stem IN ('__init__', 'index', 'mod') AND (folder = ? OR folder LIKE ?)))"
            " ORDER BY path LIMIT ?",
            (stem, stem, f"%/{stem}", limit),
        )
        return [path for (path,) in rows]

    def counterparts(self, path: str, limit: int) -> list[str]:
        """Return the header of a source, the test of a subject, and the other way round."""
        rows = self._db.execute(
            "SELECT path FROM files WHERE is_source AND subject = ? AND path <> ?"
            " ORDER BY path LIMIT ?",
            (subject_of(PurePosixPath(path).name), path, limit),
        )
        return [other for (other,) in rows]

    def _open(self) -> sqlite3.Connection:
        # Made by hand, because SQLite would let others of the group read it.
        os.close(os.open(self.file, os.O_RDWR | os.O_CREAT, 0o600))
        db = sqlite3.connect(self.file, timeout=_BUSY_S)
        try:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version == 0:
                db.executescript(f"{_TABLES} PRAGMA user_version = {VERSION};")
            elif version != VERSION:
                _refuse(version)
        except sqlite3.DatabaseError:
            db.close()
            raise
        return db

    def _discard(self) -> None:
        log.info("the index is made anew")
        for ending in ("", "-wal", "-shm"):
            self.file.with_name(f"{self.file.name}{ending}").unlink(missing_ok=True)


def subject_of(name: str) -> str:
    """Return what a file is about: its name without extension and the marks of a test."""
    stem = name.split(".", maxsplit=1)[0].lower()
    for mark in ("test_", "tests_"):
        stem = stem.removeprefix(mark)
    for mark in ("_test", "_tests", "_spec", "tests", "test"):
        stem = stem.removesuffix(mark) or stem
    return stem


def _refuse(version: int) -> NoReturn:
    raise sqlite3.DatabaseError(f"an index of version {version}")


def _chunks(text: str) -> Iterator[tuple[int, str]]:
    """Yield the first line of each chunk and its names."""
    lines = text.splitlines()
    for line in range(0, len(lines), CHUNK_LINES):
        names = identifiers("\n".join(lines[line : line + CHUNK_LINES]))
        if len(names) >= MIN_NAMES:
            yield line, " ".join(names)
