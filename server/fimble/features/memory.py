"""What is remembered of a file from one request to the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fimble.features.written import Written
    from fimble.prompt.layout import Layout


@dataclass(frozen=True, slots=True)
class Shown:
    """The last suggestion, and what stood on both sides of it."""

    uri: str
    start: int
    text: str
    left: str
    right: str


@dataclass(frozen=True, slots=True)
class Memory:
    """What the next request in the same file can build on.

    ``ahead`` are suggestions for what the user may do next, made before they are asked for.
    """

    layout: Layout | None = None
    shown: Shown | None = None
    written: Written | None = None
    ahead: tuple[Shown | Written, ...] = ()
