"""The command line of ``fimble bench``: a parser for each suite."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Final

from fimble.measure.chosen import add_settings, laid_over, merged

DEFAULT_KEYS: Final = 200
DEFAULT_ROWS: Final = 60
DEFAULT_FILES: Final = 10_000
DEFAULT_DEPTH: Final = 64


def add_suites(parser: argparse.ArgumentParser) -> None:
    """Give ``fimble bench`` its suites and their options."""
    suites = parser.add_subparsers(metavar="SUITE", required=True)
    startup = suites.add_parser("startup", help="from the process's start to the first answer")
    request = suites.add_parser("request", help="a warm request: in the model, and outside it")
    for suite, name in ((startup, "startup"), (request, "request")):
        suite.add_argument("--runs", type=int, default=0, help="how often; 0: the suite's own")
        suite.set_defaults(run=_run_plain, suite=name)

    replay = suites.add_parser("replay", help="a typist's keys, asking after each of them")
    _add_trace_options(replay)
    _add_plot_option(replay)
    replay.add_argument(
        "--pause", type=float, default=0.0, metavar="MS", help="between an answer and the next key"
    )
    replay.add_argument(
        "--only-typing", action="store_true", help="no preemption, file switches and restarts"
    )
    replay.add_argument(
        "--root", type=Path, metavar="FOLDER", help="a workspace whose other files are the context"
    )
    replay.add_argument(
        "--looks", type=int, default=0, help="how often to look for what grows, dies or fails"
    )
    replay.set_defaults(run=_run_replay)

    peer = suites.add_parser("peer", help="the same keys through llama-server, as llama.vim asks")
    peer.add_argument(
        "--server", type=Path, required=True, metavar="PATH", help="llama-server; see `make peer`"
    )
    _add_trace_options(peer)
    _add_plot_option(peer)
    peer.set_defaults(run=_run_peer)

    drafts = suites.add_parser("drafts", help="what drafting is worth while somebody types")
    _add_trace_options(drafts)
    drafts.set_defaults(run=_run_drafts)

    index = suites.add_parser("index", help="typing in a workspace of many files")
    index.add_argument("--files", type=int, default=DEFAULT_FILES, help="default: %(default)s")
    index.add_argument("--model", help="a name from `fimble models list`, or a GGUF file")
    index.add_argument("--json", type=Path, metavar="FILE", help="write the figures")
    index.set_defaults(run=_run_index)

    anchors = suites.add_parser("anchors", help="how far above the cursor prompts are anchored")
    anchors.add_argument(
        "--data", type=Path, required=True, metavar="PATH", help="the folder of the benchmarks"
    )
    anchors.add_argument("--rows", type=int, default=DEFAULT_ROWS, help="of each language")
    anchors.add_argument("--model", help="a name from `fimble models list`, or a GGUF file")
    anchors.add_argument("--json", type=Path, metavar="FILE", help="write every cell")
    anchors.set_defaults(run=_run_anchors)

    decode = suites.add_parser("decode", help="tokens written a second, beside llama-bench")
    decode.add_argument("--llama-bench", type=Path, metavar="PATH", help="llama.cpp's own measure")
    decode.add_argument(
        "--depth", type=int, default=DEFAULT_DEPTH, help="tokens of context (default: %(default)s)"
    )
    decode.add_argument("--model", help="a name from `fimble models list`, or a GGUF file")
    decode.add_argument("--threads", type=int, help="what was calibrated if not given")
    decode.set_defaults(run=_run_decode)


def _add_trace_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file",
        nargs="?",
        type=Path,
        help="a recorded keystroke trace (.json.gz), or a source file to type again",
    )
    parser.add_argument(
        "--name", help="the file's name as the server sees it: its extension is its language"
    )
    parser.add_argument(
        "--keys", type=int, default=DEFAULT_KEYS, help="how many; 0: all (default: %(default)s)"
    )
    parser.add_argument("--skip", type=int, default=0, help="so many keys come before the first")
    parser.add_argument("--model", help="a name from `fimble models list`, or a GGUF file")
    parser.add_argument(
        "--threads", type=int, help="for the model; what was calibrated if not given"
    )
    add_settings(parser)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything, key by key")


def _add_plot_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw a .svg or .png")


def _settings(args: argparse.Namespace) -> dict[str, Any]:
    from fimble.measure.driver import options  # noqa: PLC0415

    return laid_over(options(args.model, args.threads), merged(args.settings))


def _run_plain(args: argparse.Namespace) -> int:
    from fimble.measure.bench import bench  # noqa: PLC0415

    return bench(args.suite, runs=args.runs)


def _run_replay(args: argparse.Namespace) -> int:
    from fimble.measure.replay import bench_replay  # noqa: PLC0415

    return bench_replay(
        args.file,
        name=args.name,
        plan={
            "skip": args.skip,
            "keys": args.keys,
            "settings": _settings(args),
            "pause_s": args.pause / 1000,
            "only_typing": args.only_typing,
            "root": args.root and args.root.resolve(),
            "looks": args.looks,
        },
        json_file=args.json,
        plot_file=args.plot,
    )


def _run_peer(args: argparse.Namespace) -> int:
    from fimble.measure.peer import bench_peer  # noqa: PLC0415

    return bench_peer(
        args.server,
        args.file,
        name=args.name,
        skip=args.skip,
        keys=args.keys,
        settings=_settings(args),
        json_file=args.json,
        plot_file=args.plot,
    )


def _run_drafts(args: argparse.Namespace) -> int:
    from fimble.measure.drafts import bench_drafts  # noqa: PLC0415

    return bench_drafts(
        args.file,
        name=args.name,
        skip=args.skip,
        keys=args.keys,
        settings=_settings(args),
        json_file=args.json,
    )


def _run_index(args: argparse.Namespace) -> int:
    from fimble.measure.workspace import bench_index  # noqa: PLC0415

    return bench_index(args.files, args.model, args.json)


def _run_anchors(args: argparse.Namespace) -> int:
    from fimble.measure.anchors import anchors  # noqa: PLC0415

    return anchors(args.data, args.rows, args.model, args.json)


def _run_decode(args: argparse.Namespace) -> int:
    from fimble.measure.decoding import bench_decode  # noqa: PLC0415

    return bench_decode(args.model, args.threads, depth=args.depth, llama_bench=args.llama_bench)
