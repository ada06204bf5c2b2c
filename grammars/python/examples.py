# ruff: noqa: INP001  (a program of its own)
"""Run the examples of one function: `python examples.py FILE NAME BEFORE TOLD`.

They stand in its docstring, if the file ``BEFORE`` has the function too, and in the comments of the
text ``TOLD``: those of doctest, and lines such as `double(2) -> 4` or `assert double(2) == 4`, or
`Input: 2` above `Output: 4`, or `for a = 2 the output should be 4`, where both sides can be
evaluated. If all pass it says so in its last line. Otherwise it ends with 1 if one fails, and with
2 if nobody knows: there is none, or the file cannot be imported here, as ``BEFORE`` cannot.
"""

import ast
import builtins
import doctest
import importlib.util
import re
import sys
import types
from collections.abc import Container, Iterator
from pathlib import Path

ARROW = re.compile(r"=+>|==|-+>|➞|→|\breturns\b")
GIVEN = re.compile(r"^[ \t]*Input:[ \t]*(\S.*)\n+[ \t]*Output:[ \t]*(\S.*)$", re.MULTILINE)
TOLD = re.compile(
    r"^[ \t]*(?:for|if|when)[ \t]+(\w+[ \t]*=.*?),?[ \t]+(?:the[ \t]+)?"
    r"(?:output|result|answer)[ \t]+(?:(?:should|would|will)[ \t]+be|is)[ \t]+(\S.*)$",
    re.MULTILINE | re.IGNORECASE,
)
WORDS = {"true": True, "false": False, "null": None}


class Checker(doctest.OutputChecker):
    """Takes a value for what it is, however it is written: with other quotes, or other spaces."""

    def check_output(self, want: str, got: str, optionflags: int) -> bool:
        if super().check_output(want, got, optionflags):
            return True
        try:
            return bool(ast.literal_eval(want.strip()) == ast.literal_eval(got.strip()))
        except (ValueError, SyntaxError):
            return False


def shown(text: str, name: str, known: Container[str]) -> Iterator[tuple[str, str]]:
    """Yield calls of a function, and what they give, as the lines of a text show them."""
    for line in text.splitlines():
        found = re.search(rf"\b{name}\(", line)
        if found is None or line.lstrip().startswith(">>>"):
            continue
        if claim := asserted(line.strip()):
            if all(means_something(side, known) for side in claim):
                yield claim
            continue
        start = found.start()
        for arrow in ARROW.finditer(line, start):
            call = line[start : arrow.start()].strip()
            # Of a calculation the result counts.
            wanted = line[arrow.end() :].rpartition(" = ")[2].strip().rstrip(".,;")
            if means_something(call, known) and means_something(wanted, known):
                yield call, wanted
                break
    for given, wanted in (*GIVEN.findall(text), *TOLD.findall(text)):
        call, value = f"{name}({given.strip()})", wanted.strip().rstrip(".,;")
        if means_something(call, known) and means_something(value, known):
            yield call, value


def asserted(line: str) -> tuple[str, str] | None:
    """Return what an assertion says to be the same; None if the line is none."""
    try:
        one = ast.parse(line).body[0]
    except (SyntaxError, ValueError, IndexError):
        return None
    match one:
        case ast.Assert(ast.Compare(left, [ast.Eq()], [right])):
            return ast.unparse(left), ast.unparse(right)
        case ast.Assert(test):
            return f"bool({ast.unparse(test)})", "True"
    return None


def comments(path: str) -> str:
    """Return what the comments in a file say; all other lines are blank."""
    found = re.findall(r"^(?:[ \t]*#+ ?(.*)|.*)$", Path(path).read_text("utf-8"), re.MULTILINE)
    return "\n".join(found)


def doctests(module: types.ModuleType, name: str, told: str) -> Iterator[doctest.DocTest]:
    """Yield what doctest finds in the docstrings of a module and in what was told of a function."""
    try:
        yield from doctest.DocTestFinder(recurse=True).find(module, "tried", module)
        yield doctest.DocTestParser().get_doctest(told, dict(vars(module)), name, None, 0)
    except ValueError:
        # One of them is not what doctest can read.
        return


def means_something(text: str, known: Container[str]) -> bool:
    """Tell whether a text is an expression of known names."""
    try:
        nodes = list(ast.walk(ast.parse(text, mode="eval")))
    except (SyntaxError, ValueError):
        return False
    return all(node.id in known for node in nodes if isinstance(node, ast.Name))


def fails(call: str, wanted: str, names: dict[str, object]) -> bool:
    """Evaluate an example; if it fails, say so as doctest does."""
    try:
        got = eval(call, names)  # noqa: S307  (that is what it is for)
    except BaseException as error:  # noqa: BLE001  (whatever it raises, it failed)
        got = error
    if not isinstance(got, BaseException) and got == eval(wanted, names):  # noqa: S307
        return False
    print(f"Failed example:\n    {call}\nExpected:\n    {wanted}\nGot:\n    {got!r}")
    return True


def load(path: str) -> types.ModuleType | BaseException:
    """Import a file; return what it raises if it cannot be imported."""
    spec = importlib.util.spec_from_file_location("tried", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["tried"] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as error:  # noqa: BLE001  (whatever it is, it is not imported)
        return error
    return module


def blame(error: BaseException, before: str) -> int:
    """Return the exit status for a file that raises ``error`` when it is imported.

    What is not installed here says nothing about the code, nor does what went wrong before.
    """
    if isinstance(error, ModuleNotFoundError | SystemExit) or type(load(before)) is type(error):
        return 2
    print(f"It cannot be imported:\n    {error!r}")
    return 1


path, name, before, told = sys.argv[1:]
module = load(path)
if isinstance(module, BaseException):
    sys.exit(blame(module, before))
names, said = WORDS | vars(module), comments(told)
if re.search(rf"\bdef {name}\b", Path(before).read_text(encoding="utf-8")):
    text = f"{getattr(names.get(name), '__doc__', None) or ''}\n{said}"
else:
    # Who wrote the function wrote the docstring too.
    text = said
tests = [
    test
    for test in doctests(module, name, said)
    if test.examples
    and test.name.rpartition(".")[2] == name
    and (text is not said or test.docstring == said)
]
runner = doctest.DocTestRunner(Checker(), verbose=False, optionflags=doctest.NORMALIZE_WHITESPACE)
for test in tests:
    runner.run(test)
others = list(shown(text, name, names.keys() | set(dir(builtins))))
failed = [pair for pair in others if fails(*pair, names)]
if failed or runner.failures:
    sys.exit(1)
if not (tests or others):
    sys.exit(2)
print("fimble: passed", flush=True)
