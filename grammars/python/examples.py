# ruff: noqa: INP001  (a program of its own)
"""Run the examples in the docstring of one function: `python examples.py FILE NAME`."""

import doctest
import importlib.util
import sys

path, name = sys.argv[1:]
spec = importlib.util.spec_from_file_location("tried", path)
module = importlib.util.module_from_spec(spec)
sys.modules["tried"] = module
spec.loader.exec_module(module)
tests = doctest.DocTestFinder(recurse=True).find(module, "tried", module)
wanted = [test for test in tests if test.examples and test.name.rpartition(".")[2] == name]
runner = doctest.DocTestRunner(verbose=False, optionflags=doctest.NORMALIZE_WHITESPACE)
for test in wanted:
    runner.run(test)
sys.exit(0 if wanted and not runner.failures else 1)
