"""The command line of ``fimble eval``: a parser for each suite."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fimble.measure.chosen import add_settings, merged, setting

if TYPE_CHECKING:
    from fimble.measure.eval.acting import TaskPlan

_HELP: Final = {
    "infilling": "lines, blocks and spans missing in functions; run against their tests",
    "postcutoff": "lines of code that is younger than the models",
    "crossfile": "lines that need to know other files of the project",
    "items": "identifiers in the list of completion items",
}
_TASKS: Final = {
    "implement": "functions that a comment or a docstring describes; run against their tests",
    "fix": "functions whose test fails, and what a linter complains about",
}
_CURSORS: Final = ("start", "word", "inline", "gap")


def add_evals(parser: argparse.ArgumentParser) -> None:
    """Give ``fimble eval`` its suites and their options."""
    suites = parser.add_subparsers(metavar="SUITE", required=True)
    for name, told in _HELP.items():
        suite = suites.add_parser(name, help=told)
        _add_rows(suite, with_cursor=name in {"infilling", "postcutoff"})
        _add_sides(suite, with_peer=name != "items")
        _add_report(suite)
        suite.set_defaults(run=_run, suite=name, cursor="start", peer=None, oracle=False)
    suites.choices["crossfile"].add_argument(
        "--oracle",
        action="store_true",
        help="only rows that need a name of another file, and of that only the lines around it",
    )
    _add_gate(suites.add_parser("gate", help="fit the confidence gate to suggestions"))
    for name, told in _TASKS.items():
        suite = suites.add_parser(name, help=told)
        _add_rows(suite, with_cursor=False)
        _add_settings(suite)
        suite.add_argument(
            "--plain",
            action=argparse.BooleanOptionalAction,
            default=True,
            help="compare with one greedy answer of the bare model",
        )
        _add_report(suite)
        suite.set_defaults(run=_run_tasks, suite=name)
    suite = suites.add_parser("review", help="mistakes that a review finds, and its false alarms")
    _add_rows(suite, with_cursor=False)
    _add_settings(suite)
    _add_report(suite)
    suite.set_defaults(run=_run_reviews, suite="review", plain=False)


def _add_gate(suite: argparse.ArgumentParser) -> None:
    _add_rows(suite, with_cursor=False)
    suite.add_argument(
        "--at-end", action="store_true", help="leave out what stands below the cursor"
    )
    suite.add_argument("--model", help="a name from `fimble models list`, or a GGUF file")
    suite.add_argument("--json", type=Path, metavar="FILE", help="write everything, row by row")
    suite.set_defaults(run=_run_gate)


def _add_rows(suite: argparse.ArgumentParser, *, with_cursor: bool) -> None:
    suite.add_argument(
        "--data", type=Path, required=True, metavar="PATH", help="the folder of the benchmarks"
    )
    suite.add_argument("--rows", type=int, default=0, metavar="N", help="how many; 0: all")
    suite.add_argument("--skip", type=int, default=0, metavar="N", help="so many come before them")
    suite.add_argument("--seed", type=int, default=0, help="another sample, other cursors")
    suite.add_argument(
        "--only", action="append", default=[], metavar="GROUP", help="only these; may be repeated"
    )
    if with_cursor:
        suite.add_argument(
            "--cursor",
            choices=_CURSORS,
            help="in a missing line: its start, a word, between words; or a gap in it",
        )


def _add_report(suite: argparse.ArgumentParser) -> None:
    suite.add_argument("--show", type=int, default=0, metavar="N", help="print N rows in full")
    suite.add_argument("--json", type=Path, metavar="FILE", help="write everything, row by row")


def _add_settings(suite: argparse.ArgumentParser) -> None:
    suite.add_argument("--model", help="a name from `fimble models list`, or a GGUF file")
    add_settings(suite)
    suite.add_argument(
        "--against",
        action="append",
        type=setting,
        metavar="KEY=VALUE",
        help="run a second time with this changed, and compare; may be repeated",
    )


def _add_sides(suite: argparse.ArgumentParser, *, with_peer: bool) -> None:
    _add_settings(suite)
    suite.add_argument(
        "--warm",
        action=argparse.BooleanOptionalAction,
        help="ask after a key in a file that was read, not right after opening it",
    )
    suite.add_argument(
        "--invoked", action="store_true", help="ask as if by a key, not while typing"
    )
    if with_peer:
        suite.add_argument(
            "--peer", type=Path, metavar="PATH", help="compare with llama-server; see `make peer`"
        )


def _run(args: argparse.Namespace) -> int:
    from fimble.measure.eval.rows import Cursor, Suite  # noqa: PLC0415
    from fimble.measure.eval.run import Plan, evaluate  # noqa: PLC0415

    suite = Suite(args.suite)
    plan = Plan(
        suite=suite,
        data=args.data,
        rows=args.rows,
        skip=args.skip,
        seed=args.seed,
        cursor=Cursor(args.cursor),
        only=args.only,
        model=args.model,
        settings=merged(args.settings),
        against=None if args.against is None else merged(args.against),
        peer=args.peer,
        # What other files say is read in the background, so at first there is nothing to compare.
        warm=suite is Suite.CROSSFILE if args.warm is None else args.warm,
        invoked=args.invoked,
        oracle=args.oracle,
    )
    return evaluate(plan, show=args.show, json_file=args.json)


def _run_gate(args: argparse.Namespace) -> int:
    from fimble.measure.eval.gating import evaluate_gate  # noqa: PLC0415

    return evaluate_gate(
        args.data,
        rows=args.rows,
        skip=args.skip,
        seed=args.seed,
        only=args.only,
        at_end=args.at_end,
        model=args.model,
        json_file=args.json,
    )


def _run_tasks(args: argparse.Namespace) -> int:
    from fimble.measure.eval.acting import RUNNING, evaluate_tasks  # noqa: PLC0415
    from fimble.measure.eval.rows import Suite  # noqa: PLC0415

    # Who says what may be run has nothing to compare with.
    compares = args.suite == Suite.IMPLEMENT and "verify" not in merged(args.settings)
    against = RUNNING if compares else None
    return evaluate_tasks(_task_plan(args, against), show=args.show, json_file=args.json)


def _run_reviews(args: argparse.Namespace) -> int:
    from fimble.measure.eval.reviewing import evaluate_reviews  # noqa: PLC0415

    return evaluate_reviews(_task_plan(args, None), show=args.show, json_file=args.json)


def _task_plan(args: argparse.Namespace, against: Mapping[str, Any] | None) -> TaskPlan:
    from fimble.measure.eval.acting import TaskPlan  # noqa: PLC0415
    from fimble.measure.eval.rows import Suite  # noqa: PLC0415

    return TaskPlan(
        suite=Suite(args.suite),
        data=args.data,
        rows=args.rows,
        skip=args.skip,
        seed=args.seed,
        only=args.only,
        model=args.model,
        settings=merged(args.settings),
        against=against if args.against is None else merged(args.against),
        plain=args.plain,
    )
