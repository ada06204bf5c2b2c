# ruff: noqa: INP001  (a program of its own)
"""Run the tests in a file and print the names of those that fail: `python tests.py FILE`.

Leaves with 2 if the file cannot be imported. A test that needs more than its own arguments fails.
"""

import importlib.util
import inspect
import math
import re
import sys
import types
import unittest
from collections.abc import Callable, Iterator
from typing import Any, Self

MARKS = "pytestmark"


class Raises:
    """Stands in for what pytest.raises returns."""

    def __init__(self, expected: Any, match: str = "") -> None:
        self.expected, self.match = expected, match
        self.value: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *ended: object) -> bool:
        kind, self.value, _ = ended
        assert kind is not None, "nothing was raised"
        return issubclass(kind, self.expected) and bool(re.search(self.match, str(self.value)))


class Approx:
    """Stands in for what pytest.approx returns."""

    def __init__(self, expected: float, rel: float = 1e-6, **limit: float) -> None:
        self.expected, self.rel, self.limit = expected, rel, limit.get("abs", 1e-12)

    def __eq__(self, other: object) -> bool:
        return math.isclose(other, self.expected, rel_tol=self.rel, abs_tol=self.limit)

    __hash__ = None


def parametrize(*args: Any) -> Callable[[Any], Any]:
    """Stand in for pytest.mark.parametrize."""

    def mark(test: Any) -> Any:
        setattr(test, MARKS, [types.SimpleNamespace(name="parametrize", args=args)])
        return test

    return mark


def provide_pytest() -> None:
    """Make what tests use most of pytest importable where that is not installed."""
    if importlib.util.find_spec("pytest") is None:
        stand_in: Any = types.ModuleType("pytest")
        stand_in.raises, stand_in.approx = Raises, Approx
        stand_in.mark = types.SimpleNamespace(parametrize=parametrize)
        sys.modules["pytest"] = stand_in


def run(test: Any) -> None:
    """Call a test, with each set of arguments that it is marked with."""
    marks = [one.args for one in getattr(test, MARKS, ()) if one.name == "parametrize"]
    if not marks:
        test()
        return
    names, values = marks[0]
    names = [one.strip() for one in names.split(",")] if isinstance(names, str) else names
    for value in values:
        test(**dict(zip(names, value if len(names) > 1 else (value,), strict=True)))


def run_case(test: unittest.TestCase) -> None:
    """Run a test of unittest, with what belongs before and after it."""
    result = unittest.TestResult()
    test.run(result)
    assert result.wasSuccessful()


def tests_of(module: types.ModuleType) -> Iterator[tuple[str, Callable[[], None]]]:
    """Yield the tests that are defined in a module."""
    for name, one in vars(module).items():
        if inspect.isfunction(one) and name.startswith("test"):
            yield name, lambda one=one: run(one)
        elif inspect.isclass(one) and issubclass(one, unittest.TestCase):
            for case in unittest.defaultTestLoader.loadTestsFromTestCase(one):
                yield case.id().rpartition(".")[2], lambda case=case: run_case(case)
        elif inspect.isclass(one) and name.startswith("Test"):
            for inner in filter(re.compile("test").match, dir(one)):
                yield inner, lambda one=one, inner=inner: run(getattr(one(), inner))


def main(path: str) -> None:
    """Run them all, each whatever the others do."""
    provide_pytest()
    spec = importlib.util.spec_from_file_location("tried", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:  # noqa: BLE001  (whatever it is, nobody can tell)
        sys.exit(2)
    for name, test in tests_of(module):
        try:
            test()
        except BaseException:  # noqa: BLE001  (whatever it is, the test failed)
            print(f"\nfimble: failed {name}", flush=True)


main(sys.argv[1])
