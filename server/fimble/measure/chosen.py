"""Settings that a benchmark is told: ``--settings KEY=VALUE``, nested ones merged."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping
from functools import reduce
from typing import Any


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Give a suite the option; its value is a list of nested settings."""
    parser.add_argument(
        "--settings",
        action="append",
        type=setting,
        default=[],
        metavar="KEY=VALUE",
        help="such as completion.multiline=never; may be repeated",
    )


def setting(text: str) -> dict[str, Any]:
    """Read ``a.b=value`` as nested settings; the value is JSON, or a word as it is."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise argparse.ArgumentTypeError(f"{text} is not KEY=VALUE")
    try:
        known: Any = json.loads(value)
    except ValueError:
        known = value
    for part in reversed(key.split(".")):
        known = {part: known}
    return dict(known)


def merged(settings: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return nested settings laid over each other in turn."""
    return reduce(laid_over, settings, dict[str, Any]())


def laid_over(base: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested settings with others laid over them."""
    result = dict(base)
    for key, value in more.items():
        old = result.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            value = laid_over(old, value)  # noqa: PLW2901
        result[key] = value
    return result
