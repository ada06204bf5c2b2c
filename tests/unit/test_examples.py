"""The programs that run a function's examples, in Python and in JavaScript."""

import shutil
import subprocess
import sys

import pytest

from goldens import LANGUAGES

FILE = '''\
LIMIT = 3


def double(a):
    """Twice as much.

    {example}
    """
    return a * 2
'''


PASSED = (0, "fimble: passed\n")


def run(tmp_path, example, more="", before=FILE, told=""):
    """Run an example of a function that doubles; its exit status and what it prints."""
    program, tried, stub, said = (tmp_path / name for name in ("run.py", "a.py", "b.py", "c.txt"))
    program.write_text(LANGUAGES.program(LANGUAGES.get("python"), "examples").read_text())
    tried.write_text(FILE.format(example=example) + more)
    stub.write_text(before)
    said.write_text(told)
    command = (sys.executable, "-I", program, tried, "double", stub, said)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


@pytest.mark.parametrize(
    "example",
    [
        ">>> double(2)\n    4",
        '>>> double("a")\n    "aa"',
        ">>> double([1])\n    [1,1]",
        "double(2) == 4",
        "double([1]) -> [1, 1].",
        "For example, double(LIMIT) => 6  # or so",
        'double("a") ➞ "aa"',
        "double(double(2)) ==> 8",
        "double(1) returns 2",
        "double(1)   # returns 2",
        "double(19) -> 19 + 19 = 38",
        "double(True) == 2 => true",
        "assert double(2) == 4",
        "assert double(2) == 4, 'twice'",
        "assert double([1]) and not double(0)",
        "Input: 3\n    Output: 6",
        "Input: a = [1]\n\n    Output: [1, 1]",
        "For a = 3 the output should be 6.",
        'If a = "xy", the result will be "xyxy"',
    ],
)
def test_an_example_passes(tmp_path, example):
    assert run(tmp_path, example) == PASSED


@pytest.mark.parametrize(
    "example",
    [">>> double(2)\n    5", "double(2) -> 5", "double() == 5", "For a = 2 the output will be 5"],
)
def test_an_example_fails_and_says_so(tmp_path, example):
    status, said = run(tmp_path, example)
    assert status == 1
    assert "Expected:\n    5\n" in said


@pytest.mark.parametrize(
    "example",
    [
        "",
        ">>> double(2)\n  4",
        "Input: a number\n    Output: 2",
        "For a = 3 the output should be even.",
        "For b + 3 the output should be 6.",
        "double(a) -> 4",
        "double(2) -> four",
        "double(19 -> 19 - 5 = 14",
        "half(2) == 1",
        "redouble(2) == 8",
        "assert half(double(2)) == 2",
    ],
)
def test_what_means_nothing_is_no_example(tmp_path, example):
    assert run(tmp_path, example) == (2, "")


@pytest.mark.parametrize(
    ("more", "before"),
    [
        ("import not_installed_here", FILE),
        ("from .sibling import name", "from .sibling import name"),
        ("import sys; sys.exit(0)", FILE),
        ("import sys; sys.exit('no file given')", FILE),
        ("open('/nowhere/settings')", "open('/nowhere/settings')"),
        ("import os; os._exit(2)", FILE),
    ],
)
def test_what_cannot_be_imported_here_says_nothing(tmp_path, more, before):
    for example in (">>> double(2)\n    4", ">>> double(2)\n    5"):
        assert run(tmp_path, example, more, before) == (2, "")


def test_who_ends_it_all_has_not_passed(tmp_path):
    status, said = run(tmp_path, ">>> double(2)\n    4", "import os; os._exit(0)")
    assert (status, said) == (0, "")
    status, said = run(tmp_path, "double(exit()) == 4")
    assert status == 1
    assert "Got:\n    SystemExit" in said


@pytest.mark.parametrize("before", [FILE, "raise NotImplementedError"])
def test_what_breaks_the_import_fails(tmp_path, before):
    status, said = run(tmp_path, ">>> double(2)\n    4", "double(1) + unknown", before)
    assert status == 1
    assert "NameError" in said


@pytest.mark.parametrize(
    "told", ["# {}", "    # {}", "# {}\n# It doubles.", "    # >>> double(2)\n    # 4\n\n    # {}"]
)
def test_comments_have_examples_too(tmp_path, told):
    assert run(tmp_path, "", told=told.format("double(2) == 4")) == PASSED
    assert run(tmp_path, "", told=told.format("assert double(2) == 5"))[0] == 1


def test_what_is_no_comment_was_no_example(tmp_path):
    assert run(tmp_path, "", told='"""double(2) == 5"""\ndouble(2) == 5') == (2, "")


def test_examples_that_come_with_the_function_prove_nothing(tmp_path):
    for example in ("double(2) == 5", ">>> double(2)\n    5"):
        assert run(tmp_path, example, before="") == (2, "")
        assert run(tmp_path, example, before="", told="# double(2) == 4") == PASSED


SCRIPT = """\
import { readFileSync as read } from "node:fs";
import { other } from "./nowhere.js";
export const LIMIT = 3;

export function double(a) {
  return a * 2;
}
const twice = (all) => all.map((one) => double(one));
const pair = (a) => ({ a, b: [double(a)] });
const later = async (a) => a;
const digits = (a) => [...String(a)];
const even = (a) => a % 2 === 0;
const less = (b, a) => b - a;
const checked = (a) => { if (a < 0) throw new RangeError("negative"); return BigInt(a); };
const shown = (a) => { console.log(a); };
const needs = (a) => other(a);
const reads = () => typeof read;
const query = (text) => Object.fromEntries(new URLSearchParams(text));
export default { double };
export { twice };
"""
node = pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")


def run_script(tmp_path, told, name="double", *, more="", before="", text=SCRIPT):
    """The same for JavaScript."""
    program = LANGUAGES.program(LANGUAGES.get("javascript"), "examples")
    tried, stub, said = (tmp_path / name for name in ("a.js", "b.js", "c.txt"))
    tried.write_text(text + more)
    stub.write_text(before)
    said.write_text(told)
    command = ("node", program, tried, name, stub, said)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


@node
@pytest.mark.parametrize(
    ("told", "name"),
    [
        ("/**\n * Twice.\n * >>> double(2)\n * 4\n */", "double"),
        ("/**\n * @example\n * double(2)\n * // => 4\n */", "double"),
        ("/* double(2) === 4 */", "double"),
        ("// double(LIMIT); // => 6", "double"),
        ("// double(2) // 4", "double"),
        ("// console.log(double(2)) // 4", "double"),
        ("// For example, double(2) -> 4.", "double"),
        ("// - double(2) -> 4", "double"),
        ("// -double(2) -> -4", "double"),
        ("/**\n * double(1) returns 2\n */", "double"),
        ("// assert.equal(double(2), 4);", "double"),
        ("// assert.deepStrictEqual(twice([1]), [2]);", "twice"),
        ("// console.assert(double(2) === 4)", "double"),
        ("// expect(double(2)).toBe(4);", "double"),
        ("// double(19) -> 19 + 19 = 38", "double"),
        ("// 1 + double(2) === 5", "double"),
        ("// !even(3) // => true", "even"),
        ("// typeof even(2) === 'boolean'", "even"),
        ("// twice([1, 2]) => [2,4]", "twice"),
        ("// twice([-0]) => [0]", "twice"),
        ("// twice([1].map((one) => one + 1)) => [4]", "twice"),
        ("// twice([...[1]]) => [2]", "twice"),
        ("// pair(1) // { a: 1, b: [2] }", "pair"),
        ('// pair(1) => { "a": 1, "b": [2] }', "pair"),
        ("// later(2) // => 2", "later"),
        ("// await later(2) // => 2", "later"),
        ("// checked(-1) // => RangeError", "checked"),
        ("// checked(1) // => 1", "checked"),
        ("// new Set(digits(11)) // => new Set(['1'])", "digits"),
        ('// query("a=1") // => { a: "1" }', "query"),
        ("// reads() // => 'function'", "reads"),
        ("/*\n Input: 3\n Output: 6\n */", "double"),
        ("/*\n Input: b = 3, a = 1\n Output: 2\n */", "less"),
        ("/* For a = 3 the output should be 6. */", "double"),
    ],
)
def test_examples_of_scripts_pass(tmp_path, told, name):
    assert run_script(tmp_path, told, name) == PASSED


@node
@pytest.mark.parametrize(
    "more",
    [
        "(async () => { await null; null.x; })();",
        'require("http").createServer().listen(0);',
        "setInterval(() => {}, 1000);",
    ],
)
def test_what_a_script_leaves_behind_says_nothing(tmp_path, more):
    assert run_script(tmp_path, "// double(2) // 4", more=more) == PASSED


@node
def test_examples_of_scripts_fail_with_a_reason(tmp_path):
    code, said = run_script(tmp_path, "// double(2) // => 5\n// double(1) => 2")
    assert code == 1
    assert said == "Failed example:\n    double(2)\nExpected:\n    5\nGot:\n    4\n"


@node
@pytest.mark.parametrize(
    ("told", "name"),
    [
        ("// assert(double(2) === 5)", "double"),
        ("// expect(double(2)).toEqual(5)", "double"),
        ("// digits(12) // => [1, 2]", "digits"),
        ("// assert.equal(digits(1)[0], 1)", "digits"),
        ("// digits(4)[0] // => 4", "digits"),
        ("// pair(undefined) // => { a: null, b: [NaN] }", "pair"),
        ("// later(2) // => 3", "later"),
        ("// checked(1) // => RangeError", "checked"),
        ("// checked(-1) // => 1", "checked"),
    ],
)
def test_examples_of_scripts_fail(tmp_path, told, name):
    assert run_script(tmp_path, told, name)[0] == 1


@node
@pytest.mark.parametrize("text", ["null.x;", "for (;;) {}", "function double(a) { return 4"])
def test_a_script_that_cannot_be_run_fails(tmp_path, text):
    assert run_script(tmp_path, "// double(2) // 4", text=text)[0] == 1


@node
@pytest.mark.parametrize(
    ("told", "name"),
    [
        ("// Twice as much as double(a).", "double"),
        ("// double(number) => the number, twice", "double"),
        ("// double(2) => (2, 2)", "double"),
        ("// double(2) => 4 (2 * 2)", "double"),
        ("// double(2) => LIMIT.a.b", "double"),
        ("// double(2) => new", "double"),
        ("// double(2) -> Number", "double"),
        ("// double(...numbers) -> 4", "double"),
        ("// undouble(2) => 1", "double"),
        ("// this.double(2) => 1", "double"),
        ("// shown(1) // 1", "shown"),
        ("// needs(1) // 1", "needs"),
        ("/*\n Input: a = 1, b = 3\n Output: 2\n */", "less"),
    ],
)
def test_nobody_knows_without_an_example_that_can_be_run_in_a_script(tmp_path, told, name):
    assert run_script(tmp_path, told, name) == (2, "")


@node
@pytest.mark.parametrize(
    "more",
    ['const fs = require("nothing");', "process.exit(1);", "process.exit(0);", "other();"],
)
def test_a_script_that_needs_more_says_nothing(tmp_path, more):
    assert run_script(tmp_path, "// double(2) // 4", more=more) == (2, "")


@node
def test_what_failed_before_says_nothing_of_a_script(tmp_path):
    told, more = "// double(2) // 4", "window.alert();"
    assert run_script(tmp_path, told, more=more)[0] == 1
    assert run_script(tmp_path, told, more=more, before=more) == (2, "")
