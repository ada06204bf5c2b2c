"""The ``fimble`` command. Each subcommand imports what it needs when it runs.

`fimble serve` answers an editor's first request as soon as it can, so nothing heavy may be
imported on the way there.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from fimble import __version__
from fimble.errors import FimbleError
from fimble.measure.eval.commands import add_evals
from fimble.measure.suites import add_suites

TOKEN_VARIABLE = "FIMBLE_TOKEN"  # noqa: S105  (a variable's name)


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return the process's exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        if arguments[:1] == ["models"]:
            return run_models(arguments)
        args = build_parser().parse_args(arguments)
        code: int = args.run(args)
    except FimbleError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return code


def build_parser() -> argparse.ArgumentParser:
    """All commands and their options."""
    parser = argparse.ArgumentParser(
        prog="fimble", description="Code completion by a model on your own machine."
    )
    parser.add_argument("--version", action="version", version=f"fimble {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    serve = commands.add_parser("serve", help="speak the language server protocol on stdio")
    serve.add_argument(
        "--tcp",
        type=int,
        metavar="PORT",
        help=f"listen on 127.0.0.1 instead; the client must send the token from ${TOKEN_VARIABLE}"
        " or from standard error",
    )
    serve.add_argument(
        "--scripted", type=Path, metavar="FILE", help="answer from a script, without a model"
    )
    serve.set_defaults(run=run_serve)

    once = commands.add_parser("complete", help="complete once at FILE:LINE:COLUMN, then exit")
    once.add_argument("place", metavar="FILE:LINE:COLUMN", help="both count from 1, in characters")
    once.add_argument("--model", help="a name from `fimble models list`, or a GGUF file")
    once.add_argument("--json", action="store_true", help="print the reason and the trace as well")
    once.set_defaults(run=run_complete)

    demo = commands.add_parser("demo", help="see the real server complete real files")
    demo.add_argument("files", nargs="*", type=Path, help="your own files instead of the examples")
    demo.add_argument("--model", help="a name from `fimble models list`, or a GGUF file")
    demo.set_defaults(run=run_demo)

    doctor = commands.add_parser("doctor", help="what is installed, how fast it is, what to change")
    doctor.add_argument(
        "--calibrate", action="store_true", help="measure again how fast the model is here"
    )
    doctor.set_defaults(run=run_doctor)

    bench = commands.add_parser("bench", help="measure; prints tables and a line of JSON")
    add_suites(bench)

    evals = commands.add_parser("eval", help="how good suggestions are, measured on benchmarks")
    add_evals(evals)

    figures = commands.add_parser("stats", help="what became of the suggestions")
    figures.add_argument("--days", type=float, default=30, help="how far to look back (30)")
    figures.add_argument("--plot", type=Path, metavar="FILE", help="draw them; .svg or .png")
    figures.add_argument("--json", action="store_true", help="print JSON")
    figures.set_defaults(run=run_stats)

    commands.add_parser("models", help="list, fetch, check and add models")
    return parser


def run_serve(args: argparse.Namespace) -> int:
    """`fimble serve`.

    What imports make stays, and there is much of it: looking for garbage in it would take an
    eighth of the start, and hold the loop for milliseconds ever after.
    """
    gc.disable()
    serve = _server(args)
    gc.freeze()
    gc.enable()
    return serve()


def _server(args: argparse.Namespace) -> Callable[[], int]:
    from fimble.launch import ModelLauncher, ScriptLauncher  # noqa: PLC0415
    from fimble.models.profile import cache_directory  # noqa: PLC0415
    from fimble.protocol.host import Launcher  # noqa: PLC0415

    launcher: Launcher = ModelLauncher()
    if args.scripted:
        from fimble.engine.scripted import Script  # noqa: PLC0415

        launcher = ScriptLauncher(Script.load(args.scripted))
    if args.tcp is not None:
        from fimble.protocol.tcp import serve_tcp  # noqa: PLC0415

        token = os.environ.get(TOKEN_VARIABLE)
        return partial(serve_tcp, launcher, args.tcp, token, cache_directory=cache_directory())
    from fimble.protocol.server import serve_stdio  # noqa: PLC0415

    return partial(serve_stdio, launcher, cache_directory=cache_directory())


def run_complete(args: argparse.Namespace) -> int:
    """`fimble complete`."""
    from fimble.measure.once import complete_once  # noqa: PLC0415

    return complete_once(args.place, model=args.model, as_json=args.json)


def run_demo(args: argparse.Namespace) -> int:
    """`fimble demo`."""
    from fimble.measure.demo import demo  # noqa: PLC0415

    return demo(args.files, model=args.model)


def run_doctor(args: argparse.Namespace) -> int:
    """`fimble doctor`."""
    from fimble.measure.doctor import doctor  # noqa: PLC0415

    return doctor(calibrate=args.calibrate)


def run_stats(args: argparse.Namespace) -> int:
    """`fimble stats`."""
    from fimble.history import FILE_NAME  # noqa: PLC0415
    from fimble.measure.stats import stats  # noqa: PLC0415
    from fimble.models.profile import cache_directory  # noqa: PLC0415

    file = cache_directory() / FILE_NAME
    return stats(file, days=args.days, draw=args.plot, as_json=args.json)


def run_models(arguments: list[str]) -> int:
    """`fimble models`, which has a parser of its own: reading it would slow `serve` down."""
    from fimble.engine.inspect import inspect_model  # noqa: PLC0415
    from fimble.measure.optimize import optimize  # noqa: PLC0415
    from fimble.models.cli import add_parser  # noqa: PLC0415

    parser = argparse.ArgumentParser(prog="fimble")
    add_parser(parser.add_subparsers(), inspect=inspect_model, optimize=optimize)
    args = parser.parse_args(arguments)
    code: int = args.run(args)
    return code
