"""What of a workspace may help at a place in a file, the most helpful first.

Four kinds of candidates, each ranked for itself, are shuffled together by their ranks: stubs of
the files that define names seen near the cursor, chunks that share rare names with it, places
the user was at lately, and the file's counterpart (header, test). What is open in the editor counts
a little more.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from fimble.prompt.context import Snippet
from fimble.prompt.index import CHUNK_LINES, Index
from fimble.source.identifiers import identifiers
from fimble.source.outline import Definition, imported, outline

if TYPE_CHECKING:
    from fimble.source.languages import Languages
    from fimble.source.text import Snapshot

NEAR_CHARS: Final = 600
AROUND_CHARS: Final = 2500
"""How far before the cursor names count double and singly; elsewhere in the file a fifth."""
MAX_QUERY: Final = 32
MAX_STUBS: Final = 4
MAX_CHUNKS: Final = 8
MAX_COUNTERPARTS: Final = 2
MAX_CALLERS: Final = 12
"""Chunks that are looked through for calls."""
STUB_CHARS: Final = 640
RECENT_LINES: Final = 8
"""Lines before and after a place the user was at."""

_WEIGHTS: Final = {"stub": 1.0, "chunk": 0.9, "recent": 0.7, "counterpart": 0.5}
_OPEN: Final = 1.2
_IMPORTED: Final = 3.0
_NEIGHBOUR: Final = 1.5
_TEST: Final = 0.5
_CONSTRUCTOR: Final = "__init__"
"""In Python, which says by an underscore what is private, it tells how to make one."""
_IS_TEST: Final = re.compile(r"(?:^|[/_.-])tests?(?:[/_.-]|$)", re.IGNORECASE)
_SEGMENTS: Final = re.compile(r"[^\W\d][\w-]*")


@dataclass(frozen=True, slots=True)
class Spot:
    """A place the user was at in another file: its path below the root and a line."""

    path: str
    line: int


@dataclass(frozen=True, slots=True)
class Word:
    """A word being typed, what it is a member of if so, and how many names are wanted for it."""

    typed: str
    receiver: str | None
    limit: int


def candidates(
    index: Index,
    snapshot: Snapshot,
    place: tuple[str, int],
    *,
    spots: Sequence[Spot],
    tabs: Container[str],
    read: Callable[[str], str | None],
    languages: Languages,
) -> list[Snippet]:
    """Rank what may help at a place of a parsed snapshot: the file's path and an offset.

    Paths are those below the root; ``tabs`` are open, and ``read`` gives the text of another file,
    or None.
    """
    path, offset = place
    weights = _weights(snapshot.text, offset)
    own = {one.name for one in outline(snapshot, languages)}
    foreign = {name: weight for name, weight in weights.items() if name not in own}
    friends = imported_files(index, imported(snapshot, languages), path)
    lists = {
        "stub": _stubs(index, foreign, path, friends, tabs),
        "chunk": _chunks(index, weights, path, read, tabs),
        "recent": _recent(spots, path, read),
        "counterpart": _counterparts(index, path),
    }
    ranked = [
        (_WEIGHTS[kind] / (1 + rank), snippet)
        for kind, snippets in lists.items()
        for rank, snippet in enumerate(snippets)
    ]
    return [snippet for _, snippet in sorted(ranked, key=lambda one: -one[0])]


def _weights(text: str, offset: int) -> dict[str, float]:
    """Return the file's names, those near the cursor heavier."""
    weights = dict.fromkeys(identifiers(text), 0.2)
    around = text[max(offset - AROUND_CHARS, 0) : offset + NEAR_CHARS]
    weights |= dict.fromkeys(identifiers(around), 1.0)
    near = text[max(offset - NEAR_CHARS, 0) : offset + NEAR_CHARS // 4]
    return weights | dict.fromkeys(identifiers(near), 2.0)


def known_names(
    index: Index, snapshot: Snapshot, path: str, languages: Languages, word: Word
) -> list[tuple[str, str]]:
    """Return names with their kinds for a word in a parsed snapshot, which is at ``path``.

    What imported files define comes first, then what is defined anywhere. Members are methods,
    and everything in a file that the receiver is named after.
    """
    members = word.receiver is not None
    friends = imported_files(index, imported(snapshot, languages), path)
    named = [one for one in friends if members and PurePosixPath(one).stem == word.receiver]
    found = [pair for one in sorted(named) for pair in index.names_in(one, word.typed)]
    others = [pair for one in sorted(friends) for pair in index.names_in(one, word.typed)]
    found += [pair for pair in others if (pair[1] == "method") is members]
    if word.typed:
        found += index.names(word.typed, path, word.limit, members=members)
    kinds: dict[str, str] = {}
    for name, kind in found:
        if word.typed or not name.startswith("_"):
            kinds.setdefault(name, kind)
    return list(kinds.items())[: word.limit]


def defined_elsewhere(
    index: Index, snapshot: Snapshot, path: str, languages: Languages, names: Iterable[str]
) -> list[Snippet]:
    """Return the signatures of what is meant by names in a parsed snapshot, which is at ``path``.

    Imported files come first. Of others only what no second file defines counts, and only in the
    same language: the name may mean anything else.
    """
    friends = imported_files(index, imported(snapshot, languages), path)
    scores: dict[str, dict[int, float]] = defaultdict(dict)
    for place in index.defining(names):
        is_only = place.count == 1 and place.path != path
        if place.path in friends or (is_only and _is_alike(languages, path, place.path)):
            scores[place.path][place.position] = 1.0
    chosen = sorted(scores, key=lambda one: one not in friends)[:MAX_STUBS]
    return [Snippet(one, stub(index.outline(one), scores[one])) for one in chosen]


def used_elsewhere(
    index: Index,
    path: str,
    languages: Languages,
    read: Callable[[str], str | None],
    names: Sequence[str],
) -> list[str]:
    """Return lines that call one of the names in other files of the same language, tests first."""
    if not names:
        return []
    found = [
        one for one in index.alike(names, path, MAX_CALLERS) if _is_alike(languages, path, one[0])
    ]
    call = re.compile(rf"\b(?:{'|'.join(map(re.escape, names))})\(")
    lines: list[str] = []
    for other, first, _ in sorted(found, key=lambda one: not _IS_TEST.search(one[0])):
        defining = {one.line for one in index.outline(other) if one.name in names}
        chunk = (read(other) or "").splitlines()[first : first + CHUNK_LINES]
        lines += [
            line.strip()
            for number, line in enumerate(chunk, first)
            if number not in defining and call.search(line)
        ]
    return lines


def _is_alike(languages: Languages, one: str, other: str) -> bool:
    """Tell whether two files are in the same language, or dialects of one."""
    return languages.for_path(one).queries == languages.for_path(other).queries


def imported_files(index: Index, modules: Iterable[str], path: str) -> set[str]:
    """Return the files that the modules stand for: paths that end as the module's name does."""
    files: set[str] = set()
    for module in modules:
        segments = _SEGMENTS.findall(module.removesuffix(".h").removesuffix(".hpp"))
        for end in range(len(segments), max(len(segments) - 2, 0), -1):
            found = index.with_stem(segments[end - 1], 50)
            fits = {one: _agreement(one, segments[: end - 1]) for one in found if one != path}
            best = max(fits.values(), default=0)
            if fits:
                files.update(one for one, fit in fits.items() if fit == best)
                break
    return files


def _agreement(path: str, segments: Sequence[str]) -> int:
    """Count the folders above a file that the module's name has too."""
    folders = PurePosixPath(path).parts[:-1]
    return len(set(folders) & set(segments))


def _stubs(
    index: Index, weights: dict[str, float], path: str, friends: set[str], tabs: Container[str]
) -> list[Snippet]:
    """Return for each of the best files the signatures of what is used of it."""
    scores: dict[str, dict[int, float]] = defaultdict(dict)
    folder = path.rpartition("/")[0]
    for place in index.defining(weights):
        if place.path == path:
            continue
        score = weights[place.name] / place.count
        score *= _IMPORTED if place.path in friends else 1.0
        score *= _OPEN if place.path in tabs else 1.0
        score *= _NEIGHBOUR if place.path.rpartition("/")[0] == folder else 1.0
        score *= _TEST if "test" in place.path.lower() and "test" not in path.lower() else 1.0
        scores[place.path][place.position] = score
    best = sorted(scores, key=lambda one: (-_total(scores[one]), one))[:MAX_STUBS]
    return [Snippet(one, stub(index.outline(one), scores[one])) for one in best]


def _total(scores: dict[int, float]) -> float:
    return sum(sorted(scores.values(), reverse=True)[:4])


def stub(definitions: Sequence[Definition], scores: dict[int, float]) -> str:
    """Write the signatures that score, in the order of the file, each below those around it.

    What stands inside a definition that scores comes with it while there is room.
    """
    order = sorted(scores, key=lambda position: -scores[position])
    members = [
        position
        for chosen in order
        for position, one in enumerate(definitions)
        if one.parent == chosen and (not one.name.startswith("_") or one.name == _CONSTRUCTOR)
    ]
    taken: set[int] = set()
    room = STUB_CHARS
    for position in (*order, *members):
        wanted = {position, *_around(definitions, position)} - taken
        size = sum(len(definitions[one].signature) + 1 for one in wanted)
        if size <= room:
            taken |= wanted
            room -= size
    return "\n".join(definitions[position].signature for position in sorted(taken))


def _around(definitions: Sequence[Definition], position: int) -> Iterable[int]:
    while (position := definitions[position].parent) >= 0:
        yield position


def _chunks(
    index: Index,
    weights: dict[str, float],
    path: str,
    read: Callable[[str], str | None],
    tabs: Container[str],
) -> list[Snippet]:
    names = sorted(weights, key=lambda name: -weights[name])[:MAX_QUERY]
    found = [
        (score * (_OPEN if other in tabs else 1.0), other, line)
        for other, line, score in index.alike(names, path, 2 * MAX_CHUNKS)
    ]
    best = sorted(found, key=lambda one: (-one[0], one[1:]))[:MAX_CHUNKS]
    texts = ((other, read(other), line) for _, other, line in best)
    return [
        Snippet(other, _lines(text, line, line + CHUNK_LINES))
        for other, text, line in texts
        if text is not None
    ]


def _recent(spots: Sequence[Spot], path: str, read: Callable[[str], str | None]) -> list[Snippet]:
    texts = ((spot, read(spot.path)) for spot in spots if spot.path != path)
    return [
        Snippet(
            spot.path,
            _lines(text, max(spot.line - RECENT_LINES, 0), spot.line + RECENT_LINES),
        )
        for spot, text in texts
        if text is not None
    ]


def _counterparts(index: Index, path: str) -> list[Snippet]:
    found = index.counterparts(path, MAX_COUNTERPARTS + 1)
    if len(found) > MAX_COUNTERPARTS:
        return []  # a common name such as `index` or `main`: no pair
    outlines = ((other, index.outline(other)) for other in found)
    return [
        Snippet(other, stub(ones, {i: 1.0 for i, one in enumerate(ones) if one.parent < 0}))
        for other, ones in outlines
        if ones
    ]


def _lines(text: str, start: int, end: int) -> str:
    return "\n".join(text.splitlines()[start:end]).strip("\n")
