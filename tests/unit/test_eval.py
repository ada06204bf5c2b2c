"""`fimble eval`: reading rows, judging answers, and the statistics."""

import argparse
import asyncio
import gzip
import json
from dataclasses import replace
from pathlib import Path

import pytest

from fimble.check.place import closes
from fimble.errors import FimbleError
from fimble.measure.chosen import laid_over, setting
from fimble.measure.eval.ask import Answer
from fimble.measure.eval.execute import PYTHON, Program, Runner
from fimble.measure.eval.figures import FIMBLE, RAW, Judged, comparison, figures
from fimble.measure.eval.raw import first_block, first_line
from fimble.measure.eval.report import summed_up
from fimble.measure.eval.rows import Cursor, Judge, Row, Suite, load, with_oracle
from fimble.measure.eval.score import (
    Edit,
    Score,
    identifier_f1,
    score,
    score_items,
    similarity,
)
from fimble.measure.eval.stats import Rate, paired, rate
from fimble.source.languages import Languages

LANGUAGES = Languages.load()
DATA = Path(__file__).parents[1] / "data" / "eval"
FILES = {
    "infilling-single": "human-eval-infilling/HumanEval-SingleLineInfilling",
    "infilling-span": "human-eval-infilling/HumanEval-RandomSpanInfilling",
    "derived-js": "fim-singleline-derived/js",
    "postcutoff": "fim-postcutoff/python",
    "crossfile": "crosscodeeval-mini/python",
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """The tiny rows, packed as the real ones are."""
    folder = tmp_path_factory.mktemp("data")
    for plain, packed in FILES.items():
        file = folder / f"{packed}.jsonl.gz"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(gzip.compress((DATA / f"{plain}.jsonl").read_bytes()))
    return folder


# --- statistics -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hits", "count", "low", "high"),
    [
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (5, 10, 0.2366, 0.7634),
        (81, 263, 0.2553, 0.3662),
    ],
)
def test_wilson_interval(hits, count, low, high):
    assert Rate(hits, count).interval == pytest.approx((low, high), abs=1e-4)


def test_of_nothing_nothing_is_known():
    assert rate([]).share == 0
    assert rate([]).interval == (0, 1)
    assert paired([]).interval == (-1, 1)
    assert paired([]).p == 1


@pytest.mark.parametrize(
    ("first", "second", "p"),
    [(0, 0, 1.0), (5, 5, 1.0), (1, 0, 1.0), (6, 0, 0.03125), (10, 2, 0.038574), (2, 10, 0.038574)],
)
def test_mcnemar_exact(first, second, p):
    pairs = [(True, False)] * first + [(False, True)] * second + [(True, True)] * 7
    assert paired(pairs).p == pytest.approx(p, abs=1e-6)


def test_paired_difference():
    found = paired([(True, False)] * 12 + [(False, True)] * 4 + [(True, True)] * 84)
    assert found.difference == pytest.approx(0.08)
    assert found.interval == pytest.approx((0.0032, 0.1568), abs=1e-4)
    assert str(found) == "+8.0 points (+0 to +16), p = 0.077"


# --- scores ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [("", "", 1), ("abc", "abc", 1), ("abc", "xyz", 0), ("ab", "abc", 0.8), ("", "a", 0)],
)
def test_edit_similarity(one, other, expected):
    assert similarity(one, other) == pytest.approx(expected)
    assert similarity(other, one) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("foo(bar)", "foo(bar, 1)", 1),
        ("foo(bar)", "foo(baz)", 0.5),
        ("f('x y')", "f('z')", 1),
        ("1 + 2", "3", 1),
        ("a", "1", 0),
    ],
)
def test_identifier_f1(one, other, expected):
    assert identifier_f1(one, other) == pytest.approx(expected)


def row_of(marked, judge=Judge.LINES, path="a.py", test=""):
    """Make a row of a text whose missing part stands between « and »."""
    before, _, rest = marked.partition("«")
    missing, _, after = rest.partition("»")
    return Row("id", "group", path, before, after, missing, judge, test)


def judged(row, text, left=0, right=0):
    at = len(row.before)
    edit = Edit(text, at - left, at + right)
    return asyncio.run(score(row, edit, LANGUAGES, Runner(shut_in=False)))


LINE = "def f(a):\n    x = g«et(a)»\n    return x\n"
EMPTY_LINE = "def f(a):\n«    x = a»\n    return x\n"
CLOSED = "print(«value»)\n"
BLOCK = "def f(a):\n«    x = a\n    y = x»\n    return y\n"


@pytest.mark.parametrize(
    ("marked", "judge", "text", "exact"),
    [
        (LINE, Judge.LINES, "et(a)", True),
        (LINE, Judge.LINES, "et(a)  ", True),
        (LINE, Judge.LINES, "et(a)\n    y = 1", True),
        (LINE, Judge.LINES, "et(a, b)", False),
        (LINE, Judge.LINES, " et(a)", False),
        (EMPTY_LINE, Judge.LINES, "    x = a", True),
        (EMPTY_LINE, Judge.LINES, "\n    x = a", True),
        (EMPTY_LINE, Judge.LINES, "x = a", False),
        (EMPTY_LINE, Judge.BARE_LINES, "x = a", True),
        (CLOSED, Judge.LINES, "value", True),
        (CLOSED, Judge.LINES, "value)", False),
        (BLOCK, Judge.BLOCK, "    x = a\n    y = x", True),
        (BLOCK, Judge.BLOCK, "    x = a \n    y = x", True),
        (BLOCK, Judge.BLOCK, "    x = a", False),
        (BLOCK, Judge.BLOCK, "    x = a\n    y = x\n    z = y", False),
        ("«a {\n  b»\n}\n", Judge.LINES, "a {\n  b\n  c", True),
        ("«a {\n  b»\n}\n", Judge.LINES, "a {", False),
    ],
)
def test_exact(marked, judge, text, exact):
    found = judged(row_of(marked, judge), text)
    assert found.shown
    assert found.exact is exact
    assert (found.similarity == pytest.approx(1)) is exact


def test_a_closer_that_is_replaced_is_no_mistake():
    assert judged(row_of(CLOSED), "value)", right=1).exact


def test_what_is_left_of_the_cursor_may_be_rewritten_as_it_was():
    assert judged(row_of(LINE), "get(a)", left=1).exact
    assert not judged(row_of(LINE), "set(a)", left=1).exact


async def test_nothing_is_wrong_but_harmless():
    runner = Runner(shut_in=False)
    assert await score(row_of(LINE), None, LANGUAGES, runner) == Score()
    assert not (await score(row_of(LINE, test="\n1/0"), None, LANGUAGES, runner)).passed


def test_white_space_is_nothing():
    assert not judged(row_of(LINE), "  \n").shown


def test_another_solution_passes_the_test():
    row = row_of("def f(a):\n    return «a + 1»\n", Judge.BLOCK, test="\nassert f(1) == 2\n")
    good, bad = judged(row, "1 + a"), judged(row, "a")
    assert (good.exact, good.passed, good.right) == (False, True, True)
    assert (bad.exact, bad.passed, bad.right) == (False, False, False)


@pytest.mark.parametrize(
    ("text", "worse", "worse_closed"),
    [("et(a)", False, False), ("et(a", True, False), ("et(a))", True, True)],
)
def test_parses_worse(text, worse, worse_closed):
    found = judged(row_of(LINE), text)
    assert (found.worse, found.worse_closed) == (worse, worse_closed)


def test_what_was_broken_before_is_not_blamed():
    assert not judged(row_of("x = (\ny = «1»\n"), "1").worse


def test_special_tokens_leak_unless_they_belong_there():
    assert judged(row_of(LINE), "et(a)<|fim_pad|>").leaked
    assert not judged(row_of("end = «'<|endoftext|>'»\n"), "'<|endoftext|>'").leaked


@pytest.mark.parametrize(
    ("marked", "text", "repeats"),
    [
        (LINE, "et(a)\n    return x", True),
        (LINE, "et(a)\n    return y", False),
        (EMPTY_LINE, "    return x", True),
        ("«a()»\na()\n", "a()", False),
        ("if (a) {\n  «b();»\n}\n", "b();\n}", False),
    ],
)
def test_the_line_below_is_doubled(marked, text, repeats):
    assert judged(row_of(marked), text).repeats is repeats


ITEM = "total = 1\nprint(to«tal»)\n"


@pytest.mark.parametrize(
    ("texts", "first", "listed"),
    [
        (["total"], True, True),
        (["total + 1"], True, True),
        (["totals", "total"], False, True),
        (["totals"], False, False),
        ([], False, False),
    ],
)
def test_items(texts, first, listed):
    row = row_of(ITEM, Judge.NAME)
    at = len(row.before)
    found = score_items(row, [Edit(text, at - 2, at) for text in texts])
    assert (found.exact, found.listed, found.shown) == (first, listed, bool(texts))


# --- the raw model's text -------------------------------------------------------------------------


def test_first_line():
    assert first_line("\n\n  a\nb") == "  a"
    assert first_line("\n ") == ""


@pytest.mark.parametrize(
    ("before", "text", "expected"),
    [
        ("if a:\n", "    b\n    c\nd", "    b\n    c"),
        ("if a:\n", "\n    b\n\n    c", "    b"),
        ("x = [", "\n  1,\n]\ny", "\n  1,\n]\ny"),
        ("  x = f(", "1)\n  y\nz", "1)\n  y"),
    ],
)
def test_first_block(before, text, expected):
    assert first_block(text, before) == expected


# --- rows -----------------------------------------------------------------------------------------


async def test_infilling_rows(data):
    runner = Runner(shut_in=False)
    rows = {row.id: row for row in load(Suite.INFILLING, data, Cursor.START, 0)}

    line = rows["SingleLineInfilling/HumanEval/0/L1"]
    assert (line.missing, line.after) == ("    return a + b", "\n")
    assert await runner.passes(line.whole + line.test)
    assert not await runner.passes(line.text + line.test)
    span = rows["RandomSpanInfilling/HumanEval/0/1"]
    assert (span.missing, span.judge) == ("turn a +", Judge.BLOCK)
    assert await runner.passes(span.whole + span.test)
    derived = rows["derived/JavaScript/0/L1"]
    assert (derived.path, derived.missing) == ("solution.js", "  const sum = a + b;")
    assert derived.whole.endswith("  return sum;\n}\n")
    assert not any("L2" in name for name in rows), "trivial rows are left out"


@pytest.mark.parametrize("suite", [Suite.INFILLING, Suite.POSTCUTOFF])
@pytest.mark.parametrize("cursor", Cursor)
def test_the_cursor_moves_within_the_line(data, suite, cursor):
    whole = {row.id: row for row in load(suite, data, Cursor.START, 0)}
    for seed in range(20):
        for row in load(suite, data, cursor, seed):
            assert row.whole == whole[row.id].whole
            if row.judge is not Judge.BLOCK and cursor is Cursor.GAP:
                assert not closes(row.after.partition("\n")[0])
            elif row.judge is not Judge.BLOCK and cursor is not Cursor.START:
                assert row.before.rsplit("\n", 1)[-1].strip()
            if row.judge is not Judge.BLOCK and cursor is Cursor.WORD:
                assert (row.before[-1] + row.missing[0]).isidentifier()


def test_postcutoff_brings_its_own_cut(data):
    (row,) = load(Suite.POSTCUTOFF, data, Cursor.INLINE, 0)
    assert row.before.endswith("    value = ")
    assert row.missing == "compute(1)"


def test_crossfile_rows_bring_their_files(data):
    (row,) = load(Suite.CROSSFILE, data, Cursor.START, 0)
    assert row.path == "app/main.py"
    assert row.files == (("app/util.py", "def one(): ...\n\n\ndef two(): ...\n\n"),)


def test_an_oracle_shows_what_is_needed_and_nothing_else():
    filler = "".join(f"line{n}\n" for n in range(9))
    files = (("util.py", f"{filler}def shared(): ...\n{filler}"), ("other.py", filler))
    row = Row("1", "g", "main.py", "known(", ")", "shared(known)", Judge.LINES, files=files)
    helped = with_oracle(row)
    assert helped is not None
    [(path, text)] = helped.files
    assert path == "util.py"
    assert text.split() == [
        *("line5", "line6", "line7", "line8", "def", "shared():", "..."),
        *("line0", "line1", "line2", "line3"),
    ]
    assert with_oracle(replace(row, before="shared(known(")) is None


def test_items_take_known_identifiers(data):
    rows = load(Suite.ITEMS, data, Cursor.START, 0)
    assert rows
    for row in rows:
        name = row.before[-2:] + row.missing
        assert row.missing.isidentifier()
        assert row.judge is Judge.NAME
        assert any(name.endswith(word) for word in ("compute", "value", "const")), name


def test_the_same_seed_gives_the_same_sample(data):
    first, again = (load(Suite.INFILLING, data, Cursor.WORD, 3) for _ in range(2))
    assert first == again
    groups = [row.group for row in first]
    assert len(set(groups[:3])) == 3, "groups take turns"


def test_missing_data_is_said(tmp_path):
    with pytest.raises(FimbleError, match="no rows for crossfile"):
        load(Suite.CROSSFILE, tmp_path, Cursor.START, 0)


def test_damaged_data_is_said(tmp_path):
    file = tmp_path / "fim-postcutoff" / "python.jsonl.gz"
    file.parent.mkdir()
    file.write_bytes(b"no gzip")
    with pytest.raises(FimbleError, match="cannot be read"):
        load(Suite.POSTCUTOFF, tmp_path, Cursor.START, 0)


# --- summing up -----------------------------------------------------------------------------------


def test_what_many_answers_come_to():
    row = row_of(LINE)
    good = Judged(row, Answer((), 10.0, "shown"), Score(shown=True, exact=True, similarity=1.0))
    poor = Judged(row, Answer((), 30.0, "shown"), Score(shown=True, worse=True))
    none = Judged(row, Answer((), 20.0, "empty"), Score())

    report = summed_up({FIMBLE: [good, poor, none], RAW: [good, good, none]}, figures, comparison)

    found = report["groups"]["group"][FIMBLE]
    assert found["shown"]["share"] == pytest.approx(2 / 3)
    assert found["exact"]["share"] == pytest.approx(1 / 3)
    assert found["right_of_shown"]["share"] == pytest.approx(1 / 2)
    assert found["parses_no_worse"]["hits"] == 1
    assert found["passed"] is None
    assert (found["ms_p50"], found["ms_p95"]) == (20.0, 30.0)
    assert found["reasons"] == {"shown": 2, "empty": 1}
    assert report["paired"]["group"][RAW]["exact"]["difference"] == pytest.approx(-1 / 3)
    json.dumps(report)


# --- running, and the command line ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("program", "ends_well"),
    [
        ("x = 1", True),
        ("1/0", False),
        ("x = '", False),
        ("with open('f', 'w') as f: f.write('x')", False),
    ],
)
async def test_programs_run_in_a_child(program, ends_well):
    assert await Runner(shut_in=False).passes(program) is ends_well


@pytest.mark.parametrize(
    ("test", "said"),
    [
        ("assert f(1) == 2", ""),
        ("assert f(1) == 3", "f(1) gives 2, not 3."),
        ("assert f('a') == 3", "f('a') raises TypeError: "),
        ("assert f(1) > 2", "f(1) > 2 is false."),
        ("def plain(x): return [x]\nassert plain(f(1)) == [3]", "f(1) gives [2], not [3]."),
    ],
)
@pytest.mark.parametrize("apart", [False, True])
async def test_what_fails_is_told_in_a_line(test, said, apart):
    runner = await Runner.ready() if apart else Runner(shut_in=False)
    ran = await runner.test(Program(PYTHON, test), "def f(a):\n    return a + 1\n")
    assert ran.passed is not bool(said)
    assert ran.said.startswith(said)


def test_settings_on_the_command_line():
    assert setting("a.b=true") == {"a": {"b": True}}
    assert setting("model=some-name") == {"model": "some-name"}
    with pytest.raises(argparse.ArgumentTypeError):
        setting("background")


def test_settings_are_laid_over_each_other():
    base = {"a": {"b": 1, "c": 2}, "d": 3}
    assert laid_over(base, {"a": {"b": 4}, "e": 5}) == {"a": {"b": 4, "c": 2}, "d": 3, "e": 5}
    assert base == {"a": {"b": 1, "c": 2}, "d": 3}
