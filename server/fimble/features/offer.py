"""What actions are made of: what is asked, what is offered, and what comes of an offer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from fimble.source.edits import Edit

if TYPE_CHECKING:
    from pathlib import Path

    from fimble.engine.base import Engine
    from fimble.prompt.context import Snippet
    from fimble.settings import Settings
    from fimble.source.languages import Languages
    from fimble.source.text import Snapshot

SOURCE: Final = "fimble"
"""Where diagnostics say they come from if they are ours."""


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """What some linter, compiler or type checker says of a range; it is data, never an order."""

    start: int
    end: int
    message: str
    code: str = ""
    source: str = ""
    related: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Look:
    """What actions are asked for: a range of a parsed text, and what is wrong there.

    ``talks`` tells whether the model follows instructions, ``asks`` whether the client can ask its
    user for what an action needs to know.
    """

    snapshot: Snapshot
    start: int
    end: int
    languages: Languages
    settings: Settings
    diagnostics: tuple[Diagnostic, ...] = ()
    talks: bool = True
    asks: bool = False


@dataclass(frozen=True, slots=True)
class Offer:
    """An action that applies, found without the model.

    ``start`` and ``end`` are the range it is about: nothing outside is changed but imports.
    ``options`` are the action's own; they travel through the client, so judge them as input.
    ``asks`` names the option that the client has to ask its user for first, "" if there is none.
    """

    kind: str
    title: str
    start: int
    end: int
    diagnostics: tuple[Diagnostic, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    asks: str = ""


async def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What other files of the workspace say of names: signatures, and lines that call them."""

    definitions: tuple[Snippet, ...] = ()
    uses: tuple[str, ...] = ()


class AskElsewhere(Protocol):
    """Asks the workspace how it defines names, and which lines call others."""

    async def __call__(self, names: Sequence[str], called: Sequence[str] = ()) -> Elsewhere:
        """Return what it knows, which may be nothing."""
        ...


async def _nothing(names: Sequence[str], called: Sequence[str] = ()) -> Elsewhere:  # noqa: ARG001
    return Elsewhere()


@dataclass(frozen=True, slots=True)
class Task:
    """An offer that was taken: everything needed to make the edit.

    ``report`` tells the user how it goes: a few words, and how much is done, 0.0 to 1.0.
    ``may_run`` tells whether code may be run in the sandbox, which the user may have to be asked.
    ``root`` is the workspace folder that holds the file, ``opened`` are the open files by path, and
    ``elsewhere`` tells what all the other files of the workspace say of names.
    """

    snapshot: Snapshot
    offer: Offer
    languages: Languages
    settings: Settings
    engine: Engine
    report: Callable[[str, float], None] = lambda _words, _fraction: None
    may_run: Callable[[], Awaitable[bool]] = _never
    root: Path | None = None
    opened: Mapping[str, Snapshot] = field(default_factory=dict)
    elsewhere: AskElsewhere = _nothing


@dataclass(frozen=True, slots=True)
class Other:
    """Edits of another file, whose text is ``snapshot``; ``is_new`` if it is to be created."""

    snapshot: Snapshot
    edits: tuple[Edit, ...]
    is_new: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a task: edits of its file, or none.

    ``message`` is a sentence that says why there are none, or what is wrong with them.
    ``verified`` means that what was asked for is known to be reached. ``other`` are edits of
    another file, ``shown`` is Markdown to be shown.
    ``found`` are hints of ours to be shown instead of earlier ones; None leaves those.
    """

    edits: tuple[Edit, ...] = ()
    message: str = ""
    verified: bool = False
    other: Other | None = None
    shown: str = ""
    found: tuple[Diagnostic, ...] | None = None


class Action(Protocol):
    """A module with an action: `features.fix`, `features.implement`."""

    def offers(self, look: Look) -> Iterable[Offer]:
        """Say what applies, within a few milliseconds and without the model."""
        ...

    async def make(self, task: Task) -> Outcome:
        """Make the edit; raises `FimbleError` when there is nobody to ask."""
        ...
