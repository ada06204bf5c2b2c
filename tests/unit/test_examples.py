"""The program that runs a Python function's examples."""

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


def run(tmp_path, example):
    """Run an example of a function that doubles; its exit status and what it prints."""
    program, tried = tmp_path / "program.py", tmp_path / "tried.py"
    program.write_text(LANGUAGES.program(LANGUAGES.get("python"), "examples"))
    tried.write_text(FILE.format(example=example))
    command = (sys.executable, "-I", str(program), str(tried), "double")
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
        "Input: 3\n    Output: 6",
        "Input: a = [1]\n\n    Output: [1, 1]",
        "For a = 3 the output should be 6.",
        'If a = "xy", the result will be "xyxy"',
    ],
)
def test_an_example_passes(tmp_path, example):
    assert run(tmp_path, example) == (0, "")


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
    ],
)
def test_what_means_nothing_is_no_example(tmp_path, example):
    assert run(tmp_path, example) == (2, "")
