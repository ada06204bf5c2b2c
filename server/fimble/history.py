"""What became of suggestions, as figures in a SQLite file that never leaves this machine.

No text of anybody's code is kept: a language, lengths, times and an outcome a row. Several servers
may write at once. All methods block for a millisecond or two, so the loop calls them in a thread.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fimble.errors import HistoryError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FILE_NAME: Final = "history.sqlite"
RECENT_DAYS: Final = 30
"""Figures as old as this no longer say what the user wants."""
KEPT_ROWS: Final = 100_000
BUSY_S: Final = 2.0
_DAY_S: Final = 86_400.0
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS suggestions (
    id INTEGER PRIMARY KEY,
    at REAL NOT NULL,
    language TEXT NOT NULL,
    characters INTEGER NOT NULL,
    lines INTEGER NOT NULL,
    kept INTEGER NOT NULL,
    total_ms REAL NOT NULL,
    outcome TEXT NOT NULL,
    after_30_s REAL,
    after_120_s REAL,
    at_close REAL
)
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One suggestion: when it was shown (Unix time), how long it was and what became of it.

    ``kept`` characters of it were taken over at once; ``outcome`` is one of `features.outcome`.
    """

    at: float
    language: str
    characters: int
    lines: int
    kept: int
    total_ms: float
    outcome: str


@dataclass(frozen=True, slots=True)
class Tally:
    """How many suggestions of a language there were, by outcome.

    ``survived`` is the mean share of accepted text that still stood when last looked at, None
    before anybody looked.
    """

    shown: int = 0
    accepted: int = 0
    partial: int = 0
    typed: int = 0
    rejected: int = 0
    survived: float | None = None
    mean_ms: float = 0.0


class History:
    """The file; made with its folder when the first row is written."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def add(self, row: Row) -> int:
        """Write one row and return its id; raises `HistoryError`."""
        with closing(self._open()) as database, database:
            cursor = database.execute(
                "INSERT INTO suggestions"
                " (at, language, characters, lines, kept, total_ms, outcome)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    row.at,
                    row.language,
                    row.characters,
                    row.lines,
                    row.kept,
                    row.total_ms,
                    row.outcome,
                ),
            )
            identifier = int(cursor.lastrowid or 0)
            database.execute("DELETE FROM suggestions WHERE id <= ?", (identifier - KEPT_ROWS,))
        return identifier

    def survived(self, identifier: int, shares: Mapping[str, float]) -> None:
        """Note the share of an accepted text that still stands, by column.

        Raises `HistoryError`.
        """
        with closing(self._open()) as database, database:
            for column, share in shares.items():
                if column not in {"after_30_s", "after_120_s", "at_close"}:
                    raise ValueError(f"there is no column {column}")
                database.execute(
                    f"UPDATE suggestions SET {column} = ? WHERE id = ?",  # noqa: S608
                    (share, identifier),
                )

    def tallies(self, *, days: float = RECENT_DAYS, now: float | None = None) -> dict[str, Tally]:
        """Count the last days by language; empty without a file. Raises `HistoryError`."""
        if not self.file.exists():
            return {}
        since = (time.time() if now is None else now) - days * _DAY_S
        with closing(self._open()) as database:
            rows = database.execute(
                "SELECT language, count(*), sum(outcome = 'accepted'), sum(outcome = 'partial'),"
                " sum(outcome = 'typed'), sum(outcome = 'rejected'),"
                " avg(coalesce(at_close, after_120_s, after_30_s)), avg(total_ms)"
                " FROM suggestions WHERE at >= ? GROUP BY language ORDER BY count(*) DESC",
                (since,),
            ).fetchall()
        return {language: Tally(*counts) for language, *counts in rows}

    def clear(self) -> None:
        """Forget everything."""
        self.file.unlink(missing_ok=True)

    def _open(self) -> sqlite3.Connection:
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            if not self.file.exists():
                os.close(os.open(self.file, os.O_CREAT | os.O_WRONLY, 0o600))
            database = sqlite3.connect(self.file, timeout=BUSY_S)
            database.execute(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise HistoryError(
                f"The history {self.file} cannot be used: {error}.", "Delete it to start afresh."
            ) from error
        return database
