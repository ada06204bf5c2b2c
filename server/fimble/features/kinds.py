"""The kinds of actions: all that a client has to be told of them when the server starts."""

from __future__ import annotations

from typing import Final

KINDS: Final = (
    "quickfix.fimble.review",
    "quickfix.fimble",
    "refactor.rewrite.fimble.implement",
    "refactor.rewrite.fimble.document",
    "refactor.rewrite.fimble.test",
    "refactor.rewrite.fimble.simplify",
    "refactor.rewrite.fimble.optimize",
    "refactor.rewrite.fimble.types",
    "refactor.rewrite.fimble.instruct",
    "refactor.rewrite.fimble.translate",
    "refactor.rewrite.fimble.custom",
    "source.fimble.explain",
    "source.fimble.review",
)
"""Those of `features/actions.py`, which knows the modules and is imported later."""
