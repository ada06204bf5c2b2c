"""``fimble models list|pull|path|verify|rm|add|optimize``.

Results go to stdout, everything else to stderr. rich is imported by the commands that draw,
because every ``fimble`` command reads this file.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Protocol

from fimble.errors import FimbleError
from fimble.models import optimized
from fimble.models.adding import Inspect, add_model
from fimble.models.catalogue import Entry, LocalFile
from fimble.models.fetch import fetch
from fimble.models.files import Progress, Watch, human_size, size_of
from fimble.models.store import Store, open_store

if TYPE_CHECKING:
    from rich.console import Console

INTERRUPTED: Final = 130


Command = Callable[[argparse.Namespace, Store], int]


class Optimize(Protocol):
    """Makes a model faster; it needs the engine, which this room does not know."""

    def __call__(
        self, store: Store, entry: Entry, *, body: str, keep_head: bool, progress: Progress
    ) -> Iterator[str]:
        """Yield what to tell the user, line by line."""
        ...


def add_parser(
    subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]",
    *,
    inspect: Inspect,
    optimize: Optimize,
) -> None:
    """Add ``models`` to ``fimble``: ``args.run(args)`` does it and returns the exit code.

    ``inspect`` says whether Fimble can use a model file, for ``fimble models add``.
    """
    parser = subparsers.add_parser("models", help="list, fetch, check and add models")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(name: str, text: str, run: Command) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        sub.set_defaults(run=lambda args: _guarded(run, args))
        return sub

    shown = command("list", "show the models that have a name, and which are here", run_list)
    shown.add_argument("--json", action="store_true", help="for programs")
    pull = command("pull", "download a model; goes on where an earlier download stopped", run_pull)
    pull.add_argument("name", nargs="?", help="a name from the list; without it the default model")
    pull.add_argument("--from-file", metavar="PATH", help="copy this file instead of downloading")
    path = command("path", "print where a model's file is", run_path)
    path.add_argument("name", help="a name from the list")
    verify = command("verify", "read model files and compare their SHA-256", run_verify)
    verify.add_argument("names", nargs="*", metavar="name", help="without names: all that are here")
    rm = command("rm", "delete a model's file", run_rm)
    rm.add_argument("name", help="a name from the list")
    add = command(
        "add",
        "give a GGUF model of your own a name",
        lambda args, store: run_add(args, store, inspect),
    )
    add.add_argument("model", metavar="PATH|hf:ORG/REPO/FILE", help="where the model is")
    add.add_argument("--name", help="what to call it; otherwise made of the file name")
    faster = command(
        "optimize",
        "make a file of a model that is faster here, if it completes as well",
        lambda args, store: run_optimize(args, store, optimize),
    )
    faster.add_argument("name", help="a name from the list")
    faster.add_argument(
        "--type", choices=("auto", "q4_0", "iq4_nl"), default="auto", help="of its matrices"
    )
    faster.add_argument("--keep-head", action="store_true", help="leave the output matrix as it is")


def _guarded(run: Command, args: argparse.Namespace) -> int:
    try:
        return run(args, open_store())
    except FimbleError as error:
        _say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        _say("Stopped. What was downloaded is kept: the same command goes on from there.")
        return INTERRUPTED


def run_list(args: argparse.Namespace, store: Store) -> int:
    """Print a table of all models, or the same as JSON."""
    if args.json:
        print(json.dumps([_as_json(entry, store) for entry in store.entries()]))
        return 0
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=None, pad_edge=False)
    for heading in ("", "name", "size", "licence", "here", "path"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "name")
    for entry in store.entries():
        marker = "*" if entry.name == store.catalogue.default else ""
        size = human_size(entry.size)
        here = presence(store, entry)
        table.add_row(marker, entry.name, size, entry.licence, here, str(store.path_of(entry)))
    console = Console(highlight=False, markup=False)
    console.print(table)
    console.print("\n* is the default.")
    for entry in store.entries():
        console.print(f"{entry.name}: {entry.purpose}")
    return 0


def _as_json(entry: Entry, store: Store) -> dict[str, object]:
    return {
        "name": entry.name,
        "size": entry.size,
        "licence": entry.licence,
        "purpose": entry.purpose,
        "isHere": store.has(entry),
        "isDefault": entry.name == store.catalogue.default,
    }


def presence(store: Store, entry: Entry) -> str:
    """Say in a word whether the model's file is here."""
    if store.has(entry):
        record = optimized.find(store.directory, entry)
        if record is None:
            return "yes"
        return f"yes, optimized ({record.gain:.2f} x)" if optimized.pays_off(record) else "yes"
    if size_of(store.path_of(entry)):
        return "damaged"
    part = size_of(store.part_of(entry))
    return f"{100 * part // entry.size} %" if part else "no"


def run_pull(args: argparse.Namespace, store: Store) -> int:
    """Download a model, or copy it from a file."""
    entry = store.find(args.name or store.catalogue.default)
    if store.has(entry):
        _say(f"{entry.name} is here already: {store.path_of(entry)}")
        return 0
    sources = [LocalFile(args.from_file)] if args.from_file else None
    with progress_bar() as progress:
        path = fetch(store, entry, sources=sources, progress=progress)
    _say(f"{entry.name} is ready: {path}")
    return 0


def run_path(args: argparse.Namespace, store: Store) -> int:
    """Print the path of a model's file and nothing else."""
    print(store.resolve(args.name))
    return 0


def run_verify(args: argparse.Namespace, store: Store) -> int:
    """Compare files with their digests; goes on after a bad one and returns 1 in the end."""
    entries = [store.find(name) for name in args.names]
    if not args.names:
        entries = [entry for entry in store.entries() if store.path_of(entry).exists()]
    if not entries:
        _say("There is no model here to verify. `fimble models pull` gets the default one.")
    bad = 0
    for entry in entries:
        try:
            with progress_bar() as progress:
                store.verify(entry, Watch(progress))
                optimized.verify(store.directory, entry, Watch(progress))
        except FimbleError as error:
            _say(f"error: {error}")
            bad += 1
        else:
            _say(f"{entry.name} is intact: its SHA-256 is right.")
    return 1 if bad else 0


def run_rm(args: argparse.Namespace, store: Store) -> int:
    """Delete a model's file; a model that the user added is forgotten too."""
    entry = store.find(args.name)
    removed = store.remove(entry)
    _say(f"{entry.name} is removed." if removed else f"{entry.name} was not here.")
    return 0


def run_add(args: argparse.Namespace, store: Store, inspect: Inspect) -> int:
    """Give a model a name after checking that Fimble can use it."""
    with progress_bar() as progress:
        entry = add_model(store, args.model, name=args.name, inspect=inspect, progress=progress)
    _say(f"{entry.name} is ready. {entry.purpose}")
    return 0


def run_optimize(args: argparse.Namespace, store: Store, optimize: Optimize) -> int:
    """Make a faster file of a model and say what was found."""
    entry = store.find(args.name)
    try:
        with progress_bar(of_bytes=False) as progress:
            lines = optimize(
                store, entry, body=args.type, keep_head=args.keep_head, progress=progress
            )
            for line in lines:
                _say(line)
    except KeyboardInterrupt:
        _say("Stopped; nothing of it is kept.")
        return INTERRUPTED
    return 0


def _say(text: str) -> None:
    print(text, file=sys.stderr)


@contextmanager
def progress_bar(console: "Console | None" = None, *, of_bytes: bool = True) -> Iterator[Progress]:
    """Draw progress on a terminal; elsewhere write one line for each stage."""
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        DownloadColumn,
        ProgressColumn,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )
    from rich.progress import Progress as Bar  # noqa: PLC0415

    console = console or Console(stderr=True, highlight=False, markup=False)
    figures: tuple[ProgressColumn, ...] = (TaskProgressColumn(), TimeElapsedColumn())
    if of_bytes:
        figures = (DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    stages: list[str] = []
    last = 0
    with Bar(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        *figures,
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task("", total=None)

        def progress(done: int, total: int, stage: str) -> None:
            nonlocal last
            if stage not in stages:
                stages.append(stage)
                if not console.is_terminal:
                    console.print(stage, soft_wrap=True)
            # What a resumed download has already would count as speed.
            if last == 0 or done < last:
                bar.reset(task, total=total, completed=done, description=stage)
            bar.update(task, total=total, completed=done, description=stage)
            last = done

        yield progress
