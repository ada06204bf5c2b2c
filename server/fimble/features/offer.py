"""What actions are made of: what is asked, what is offered, and what comes of an offer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from fimble.source.edits import Edit

if TYPE_CHECKING:
    from fimble.engine.base import Engine
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

    ``talks`` tells whether the model follows instructions.
    """

    snapshot: Snapshot
    start: int
    end: int
    languages: Languages
    settings: Settings
    diagnostics: tuple[Diagnostic, ...] = ()
    talks: bool = True


@dataclass(frozen=True, slots=True)
class Offer:
    """An action that applies, found without the model.

    ``start`` and ``end`` are the range it is about: nothing outside is changed but imports.
    ``options`` are the action's own; they travel through the client, so judge them as input.
    """

    kind: str
    title: str
    start: int
    end: int
    diagnostics: tuple[Diagnostic, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Task:
    """An offer that was taken: everything needed to make the edit.

    ``report`` tells the user how it goes: a few words, and how much is done, 0.0 to 1.0.
    """

    snapshot: Snapshot
    offer: Offer
    languages: Languages
    settings: Settings
    engine: Engine
    report: Callable[[str, float], None] = lambda _words, _fraction: None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a task: edits of its file, or none and ``message``, a sentence, that says why.

    ``verified`` means that what was asked for is known to be reached. ``others`` are edits of
    other files by URI (one that does not exist yet is created), ``shown`` is Markdown to be shown.
    ``found`` are hints of ours to be shown instead of earlier ones; None leaves those.
    """

    edits: tuple[Edit, ...] = ()
    message: str = ""
    verified: bool = False
    others: Mapping[str, tuple[Edit, ...]] = field(default_factory=dict)
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
