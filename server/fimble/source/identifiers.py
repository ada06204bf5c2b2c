"""The names in a text, for finding where else they occur; the same in every language."""

from __future__ import annotations

import re
from typing import Final

MIN_CHARS: Final = 3
"""Shorter names (``i``, ``id``) occur everywhere and say nothing of where they come from."""

_NAME: Final = re.compile(rf"\b[^\W\d]\w{{{MIN_CHARS - 1},}}")


def identifiers(text: str) -> tuple[str, ...]:
    """Return the names in a text, each once, in the order of their first occurrence."""
    return tuple(dict.fromkeys(_NAME.findall(text)))
