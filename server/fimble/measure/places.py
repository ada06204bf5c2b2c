"""Where the demo types: places marked in the example files, or found in the user's own."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fimble.errors import FimbleError
from fimble.measure.once import read_text

EXAMPLES: Final = Path(__file__).parents[3] / "tests" / "data" / "demo"
"""Where the example files are in a source checkout; wheels do not carry them."""
MIN_WORTHY_CHARS: Final = 16
"""A line of somebody's file that is worth completing has at least this much to say."""
OWN_KEYS: Final = 4


@dataclass(frozen=True, slots=True)
class Place:
    """At ``offset``, take ``removed`` characters away, then press ``keys`` one by one."""

    offset: int
    keys: tuple[str, ...]
    removed: int = 0
    accept: bool = False


@dataclass(frozen=True, slots=True)
class Example:
    """A file and the places in it, each an offset in the text as it was read."""

    path: Path
    text: str
    places: tuple[Place, ...]


def examples(directory: Path = EXAMPLES) -> list[Example]:
    """Return the example files; raises `FimbleError` where there are none."""
    listing = directory / "places.toml"
    if not listing.is_file():
        raise FimbleError(
            "The example files are not here: they come with the source code.",
            "Name files of your own, as in `fimble demo src/main.py`; they are not changed.",
        )
    by_file: dict[str, list[dict[str, str]]] = {}
    for entry in tomllib.loads(listing.read_text(encoding="utf-8"))["places"]:
        by_file.setdefault(entry["file"], []).append(entry)
    return [_example(directory / name, entries) for name, entries in by_file.items()]


def own_files(paths: Sequence[Path]) -> list[Example]:
    """Return places in the user's files: ends of lines that are taken away and typed again.

    Raises `FimbleError` for a file that cannot be read or has no line long enough.
    """
    result = []
    for path in paths:
        text = read_text(path)
        places = tuple(_own_places(text))
        if not places:
            raise FimbleError(f"{path} has no line that is worth completing.")
        result.append(Example(path.absolute(), text, places))
    return result


def keys_of(text: str) -> tuple[str, ...]:
    """Split into key presses; a line break brings its indentation along, as in editors."""
    return tuple(re.findall(r"\r?\n[ \t]*|.", text))


def _example(path: Path, entries: Sequence[dict[str, str]]) -> Example:
    text = read_text(path)
    places = []
    for entry in entries:
        after = entry["after"].rstrip("\n")
        if text.count(after) != 1:
            raise FimbleError(f"{path.name} must have this once: {after!r}.")
        offset = text.index(after) + len(after)
        places.append(
            Place(offset, keys_of(entry["keys"]), accept=bool(entry.get("accept", False)))
        )
    return Example(path, text, tuple(places))


def _own_places(text: str) -> Iterator[Place]:
    """Yield a place in the middle of each third of the file, in a line that is long enough."""
    lines = [match.span() for match in re.finditer(r"[^\r\n]+", text)]
    worthy = [
        (start, end) for start, end in lines if len(text[start:end].strip()) >= MIN_WORTHY_CHARS
    ]
    for index in sorted({len(worthy) * part // 6 for part in (1, 3, 5)} if worthy else ()):
        start, end = worthy[index]
        indent = len(text[start:end]) - len(text[start:end].lstrip())
        cut = start + indent + (end - start - indent) // 2
        yield Place(cut, keys_of(text[cut : cut + OWN_KEYS]), removed=end - cut)
