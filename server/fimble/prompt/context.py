"""Text from elsewhere in the workspace that the model reads before the file, and how much of it.

A context stands at the very beginning of the prompt, so any change of it costs reading everything
anew. It is therefore chosen in the background and kept for as long as it is half good.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from fimble.source.identifiers import identifiers

SAME: Final = 0.8
"""Share of a snippet's names, found in another or in the file's window, that makes it no news."""
KEEP: Final = 0.5
"""Share of a better context, in characters, that an older one must hold to be kept."""


@dataclass(frozen=True, slots=True)
class Snippet:
    """A piece of another file: its path below the workspace folder, with ``/``, and its text."""

    path: str
    text: str

    @property
    def size(self) -> int:
        """Characters it takes in the prompt, its path included."""
        return len(self.path) + len(self.text) + 2


@dataclass(frozen=True, slots=True)
class Context:
    """What stands before a file: snippets in the order of the prompt.

    ``repository`` is the bare name of the workspace folder, ``path`` the file's own below it.
    ``comment`` opens and closes a comment line of the file's language, for models that were not
    trained on whole repositories.
    """

    repository: str = ""
    path: str = ""
    snippets: tuple[Snippet, ...] = ()
    comment: tuple[str, str] = ("#", "")

    def __bool__(self) -> bool:
        return bool(self.snippets)

    @property
    def size(self) -> int:
        """Characters of all snippets."""
        return sum(snippet.size for snippet in self.snippets)


NO_CONTEXT: Final = Context()


def choose(candidates: Iterable[Snippet], chars: int, known: str) -> tuple[Snippet, ...]:
    """Take the best of the candidates, the best first, that say something new, within ``chars``.

    ``known`` is what the model sees of the file itself. The best comes last in the result: what
    stands nearer to the file counts more.
    """
    seen = set(identifiers(known))
    lines = {line.strip() for line in known.splitlines()}
    taken: list[Snippet] = []
    room = chars
    for one in candidates:
        if one.size > room or not _is_news(one.text, seen, lines):
            continue
        taken.append(one)
        room -= one.size
        seen.update(identifiers(one.text))
        lines.update(line.strip() for line in one.text.splitlines())
    return tuple(reversed(taken))


def refreshed(old: Context, new: Context, chars: int) -> Context:
    """Return the context to go on with: ``old`` itself where it is still half of what is wanted.

    Otherwise what both hold stays where it was, and what is new comes after it.
    """
    wanted = set(new.snippets)
    kept = tuple(snippet for snippet in old.snippets if snippet in wanted)
    shared = sum(snippet.size for snippet in kept)
    if not new or (old.path == new.path and shared >= KEEP * new.size):
        return old
    added = tuple(snippet for snippet in new.snippets if snippet not in kept)
    while added and shared + sum(snippet.size for snippet in added) > chars:
        added = added[1:]
    return replace(new, snippets=(*kept, *added))


def _is_news(text: str, seen: set[str], lines: set[str]) -> bool:
    own = [line.strip() for line in text.splitlines() if line.strip()]
    if not own or sum(line in lines for line in own) > SAME * len(own):
        return False
    names = identifiers(text)
    return any(name not in seen for name in names)
