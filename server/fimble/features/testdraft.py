"""Tests in a text: where they are, what is left without some of them, and what they import."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fimble.check.place import indent
from fimble.features.writing import indented
from fimble.source.tree import ByteOffsets, spanned

if TYPE_CHECKING:
    from fimble.source.languages import Framework
    from fimble.source.text import Snapshot


@dataclass(frozen=True, slots=True)
class Test:
    """A test between two offsets, in whole lines."""

    name: str
    start: int
    end: int


def begins(framework: Framework, text: str) -> list[re.Match[str]]:
    """Return where tests begin, which need not be whole."""
    return list(re.finditer(framework.test, text, re.MULTILINE))


def tests_in(snapshot: Snapshot, framework: Framework) -> list[Test]:
    """Return the tests of a parsed text, none of them inside another."""
    if snapshot.tree is None:
        return []
    offsets = ByteOffsets(snapshot.text)
    found: list[Test] = []
    for match in begins(framework, snapshot.text):
        if found and match.start() < found[-1].end:
            continue
        end = spanned(snapshot.tree, offsets, match.start(1), match.end(1))
        line = snapshot.line_of(max(end - 1, 0))
        found.append(Test(match["name"], match.start(), snapshot.line_range(line)[1]))
    return found


def checks(snapshot: Snapshot, framework: Framework, test: Test, subject: str) -> bool:
    """Tell whether a test asserts something and names what it is about."""
    code = snapshot.text[test.start : test.end].replace(test.name, "", 1)
    names = re.search(rf"(?<!\w){re.escape(subject)}(?!\w)", code)
    return bool(names and re.search(framework.assertion, code, re.MULTILINE))


def between(space: str, gap: int) -> str:
    """Return what stands between two tests that are indented by ``space``.

    ``gap`` is how many blank lines there are between those that are not indented.
    """
    return "\n" * (2 if space else gap + 1)


def without(snapshot: Snapshot, tests: list[Test], dropped: Collection[Test], gap: int) -> str:
    """Return the text up to the end of its last test, some of them left out; "" if all are.

    What stands between two tests that are kept is kept too: it may be a helper.
    """
    text = snapshot.text
    kept = [test for test in tests if test not in dropped]
    if not kept:
        return ""
    written = text[: tests[0].start]
    for number, test in enumerate(tests):
        if test in dropped:
            continue
        written += text[test.start : test.end]
        if test is kept[-1]:
            break
        after = tests[number + 1]
        helper = text[test.end : after.start]
        blank = between(indent(text[test.start : test.end]), gap)
        written += helper if helper.strip() and after not in dropped else blank
    return f"{written}\n"


def alone(snapshot: Snapshot, tests: list[Test], space: str, gap: int) -> str:
    """Return just the tests, indented by ``space``."""
    text = snapshot.text
    written = (indented(text[test.start : test.end], space) for test in tests)
    return between(space, gap).join(written)


def missing_import(line: str, known: Collection[str]) -> str:
    """Return what of an import is not ``known``, the words of the imports that are there; or "".

    Its own first word may be in front of all of them. Of names in braces only those are imported
    that are missing.
    """
    if set(re.findall(r"\w+", line)[1:]) <= set(known):
        return ""
    braces = re.search(r"\{(.*?)\}", line)
    if braces is None:
        return line
    names = [name.strip() for name in braces[1].split(",")]
    wanted = [name for name in names if name not in known] or names
    return f"{line[: braces.start()]}{{ {', '.join(wanted)} }}{line[braces.end() :]}"
