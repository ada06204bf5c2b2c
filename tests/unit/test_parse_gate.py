import pytest

from fimble.check.grow import Growth
from fimble.check.parse import clean_part, closed, parses_no_worse
from fimble.check.place import look
from fimble.check.stop import Mode
from fimble.source.text import Snapshot
from goldens import snapshot_of


@pytest.mark.parametrize(
    ("name", "marked", "text", "expected"),
    [
        ("a.py", "def f():\n    █\n", "return 1", True),
        ("a.py", "def f():\n    █\n", "return 1)", False),
        ("a.py", "f(█\n", "a, b)", True),
        ("a.py", "f(█\n", "a, b", True),
        ("a.py", "def g(:\n    x\n\ny = █\n", "1", True),
        ("a.js", "function f() {\n  █\n}\n", "return 1;", True),
        ("a.js", "function f() {\n  █\n}\n", "return 1;\n}", False),
        ("a.go", "package a\n\nfunc f() int {\n\t█\n}\n", "return 1", True),
        ("a.txt", "█", ")))", True),
    ],
)
async def test_parses_no_worse(name, marked, text, expected):
    snapshot, offset = snapshot_of(name, marked)

    assert await parses_no_worse(snapshot, offset, offset, text) is expected


async def test_a_replaced_range():
    snapshot, offset = snapshot_of("a.py", "f(█)\n")

    assert await parses_no_worse(snapshot, offset, offset + 1, "a)")
    assert not await parses_no_worse(snapshot, offset, offset, "a)")


async def test_unparsed_text_is_not_judged():
    parsed, offset = snapshot_of("a.py", "x = █")
    snapshot = Snapshot.open(parsed.uri, 1, parsed.language, parsed.text)

    assert await parses_no_worse(snapshot, offset, offset, ")))")


@pytest.mark.parametrize(
    ("name", "marked", "text", "part"),
    [
        ("a.py", "def f():\n    █\n", "a = 1\n    b = )\n    c = 2", "a = 1"),
        ("a.py", "def f():\n    █\n", "a = )", ""),
        ("a.py", "x = █\n", "f(", "f("),
        ("a.py", "x = 1\n█\n", "f(", "f()"),
        ("a.js", "█\n", "if (a) {\n  b();", "if (a) {\n  b();\n}"),
        ("a.rb", "█\n", "if a\n  b", "if a\n  b\nend"),
        ("a.py", "def f():█\n", "\n    )", ""),
    ],
)
async def test_clean_part(name, marked, text, part):
    snapshot, offset = snapshot_of(name, marked)

    assert await clean_part(snapshot, offset, offset, text) == part


@pytest.mark.parametrize(
    ("name", "text", "whole"),
    [
        ("a.py", "f([", "f([])"),
        ("a.py", "f(a,", "f(a)"),
        ("a.py", "f(a)", "f(a)"),
        ("a.js", "if (a) {\n  b(", "if (a) {\n  b()}"),
        ("a.js", "if (a) {", "if (a) {\n}"),
        ("a.rb", "def f", "def f\nend"),
    ],
)
def test_closed(name, text, whole):
    snapshot, _ = snapshot_of(name, "█\n")

    assert closed(text, snapshot, 0) == whole


@pytest.mark.parametrize(
    ("name", "marked", "text", "rule"),
    [
        ("a.js", "const f = (a) => {█\n\nlet b;\n", "\n  return a;\n}", "closed"),
        ("a.js", "if (a) {█\n", "\n  b();\n} else {", ""),
        ("a.js", "function f() {█\n}\n", "\n  if (a) {\n    b();\n  }", ""),
        ("a.rb", "def f█\n", "\n  1\nend", "closed"),
        ("a.py", "def f():█\n", "\n    return 1", ""),
        ("a.py", "def f():█\n", "\n    a b\n    c d\n    e f", "parse"),
        ("a.py", "def f():█\n", '\n    """\n    a b\n    c d\n    e f', ""),
        ("a.c", "int f(void) {█\n}\n", "\n  /* a b\n   c d e\n   f g", ""),
        ("a.txt", "(█", "a\n(\n(\n(", ""),
    ],
)
def test_growth(name, marked, text, rule):
    snapshot, offset = snapshot_of(name, marked)
    growth = Growth(snapshot, offset, look(snapshot, offset), Mode.BODY)
    lines = text.split("\n")

    said = [growth("\n".join(lines[:count])) for count in range(1, len(lines) + 1)]

    assert said == [""] * (len(lines) - 1) + [rule]
