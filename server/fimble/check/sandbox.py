"""Running code that nobody has read: shut in by the kernel, or not at all.

A command runs in namespaces of its own: no network, no other processes, a file tree in which the
system can be read and only a bounded ``/tmp`` written, the user's files not there at all. Limits
on time, memory, processes, files and output hold for everything it starts; when it ends, all of it
ends. `check/jail.py` does the shutting in. Only Linux can do all this; elsewhere, and where the
kernel refuses a single step, nothing is run.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any, Final

import msgspec

from fimble.errors import SandboxRefused

MEGABYTE: Final = 1024 * 1024
GRACE_SECONDS: Final = 5.0
"""How long the jail may take to be built and to report, beside the command's own time."""
_SYSTEM_PATH: Final = "/usr/local/bin:/usr/bin:/bin"
_JAIL: Final = Path(__file__).with_name("jail.py")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a command may use, with everything it starts.

    ``cpu_seconds``, ``address_bytes`` and ``open_files`` count for each process by itself.
    ``address_bytes`` is virtual memory: runtimes such as Node reserve far more than they use.
    ``disk_bytes`` is what may be written, in ``files`` files; it counts as memory too.
    ``output_bytes`` is for standard output and standard error each.
    """

    wall_seconds: float = 10.0
    cpu_seconds: int = 10
    memory_bytes: int = 512 * MEGABYTE
    address_bytes: int = 1024 * MEGABYTE
    processes: int = 32
    open_files: int = 128
    disk_bytes: int = 64 * MEGABYTE
    files: int = 2048
    output_bytes: int = 256 * 1024


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it went. ``code`` is the exit status, negative for a signal, None if we ended it.

    Then one of the three says why: its time was up, it used too much memory, or it wrote too much
    (the output is cut there).
    """

    code: int | None
    stdout: str
    stderr: str
    timed_out: bool = False
    out_of_memory: bool = False
    too_much_output: bool = False

    @property
    def passed(self) -> bool:
        """It ended by itself and says that all is well."""
        return self.code == 0


class _Report(msgspec.Struct, frozen=True):
    """What the jail tells; ``error`` is the step that the kernel refused."""

    end: str = ""
    code: int | None = None
    error: str = ""


async def run(
    command: Sequence[str],
    files: Mapping[str, str],
    *,
    stdin: str = "",
    limits: Limits = Limits(),
    readable: Sequence[str] = (),
) -> Outcome:
    """Run ``command`` in a directory that holds just ``files`` (by their relative paths).

    It sees the system's programs, the Python that runs us, and what ``readable`` names (absolute
    paths, such as the folder of a toolchain), all read-only. Its environment is empty but for the
    search path. Being cancelled kills it. Raises `SandboxRefused` if it cannot be shut in or not
    be started; then nothing of it has run.
    """
    for name in files:
        if name.startswith("/") or ".." in PurePosixPath(name).parts:
            raise ValueError(f"{name!r} leaves the working directory")
    order = msgspec.json.encode(_order(command, files, stdin, limits, readable))
    receive, send = os.pipe()
    try:
        process = await _start(send)
        try:
            limit = limits.wall_seconds + GRACE_SECONDS
            stdout, stderr, in_time = await _drive(process, order, limits.output_bytes, limit)
        finally:
            await _kill(process)
        os.set_blocking(receive, False)
        return _outcome(_read_report(receive), stdout, stderr, limits.output_bytes, in_time=in_time)
    finally:
        os.close(receive)


async def available() -> bool:
    """Tell whether code can be shut in here; the first call tries to break out, in 0.2 s."""
    return sys.platform == "linux" and await asyncio.to_thread(_shuts_in)


@cache
def _shuts_in() -> bool:
    """Try it once for the life of the process: the kernel does not change its mind."""
    return asyncio.run(_probe())


async def _probe() -> bool:
    limits = Limits(wall_seconds=5.0, processes=8)
    command = (sys.executable, "-I", "-S", "probe.py")
    try:
        outcome = await run(command, {"probe.py": PROBE}, limits=limits)
    except SandboxRefused:
        return False
    return outcome.passed and outcome.stdout == "shut in\n"


PROBE: Final = '''
import os, socket, sys

def check(what):
    if not what:
        sys.exit(1)

def refused(action):
    try:
        action()
    except OSError:
        return True
    return False

def forked():
    """Fork until it is refused, twenty times at most."""
    for count in range(20):
        try:
            if os.fork() == 0:
                os.read(gate, 1)
                os._exit(0)
        except OSError:
            return count
    return 20

check(refused(lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM)))
check(refused(lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)))
check(all("lo:" in line for line in open("/proc/net/dev").readlines()[2:]))
for place in ("/", "/usr", "/etc", "/dev", "/proc/sys/kernel/hostname"):
    check(not os.access(place, os.W_OK))
check(os.getpid() < 100 and os.getuid() != 0)
check("CapEff:\\t0000000000000000" in open("/proc/self/status").read())
gate, _ = os.pipe()
check(0 < forked() < 20)
print("shut in", flush=True)
'''
"""Leaves with 1 at the first thing that works and should not."""


def _order(
    command: Sequence[str],
    files: Mapping[str, str],
    stdin: str,
    limits: Limits,
    readable: Sequence[str],
) -> dict[str, Any]:
    python = dict.fromkeys((sys.prefix, sys.base_prefix))
    places = [*python, *readable]
    # A link that leads to the place is shown as the link it is.
    places += [os.path.realpath(place) for place in places]
    path = [str(Path(place) / "bin") for place in (*python, *readable)]
    return {
        "command": list(command),
        "files": dict(files),
        "stdin": stdin,
        "readable": places,
        "path": os.pathsep.join((*path, _SYSTEM_PATH)),
        "wall": limits.wall_seconds,
        "cpu": limits.cpu_seconds,
        "memory": limits.memory_bytes,
        "address": limits.address_bytes,
        "processes": limits.processes,
        "open_files": limits.open_files,
        "disk": limits.disk_bytes,
        "inodes": limits.files,
    }


async def _start(send: int) -> asyncio.subprocess.Process:
    """Start the jail with ``send`` to report on, and close our end of it."""
    python = sys.executable or shutil.which("python3") or "python3"
    try:
        return await asyncio.create_subprocess_exec(
            *(python, "-I", "-S", str(_JAIL), str(send)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={},
            cwd="/",
            pass_fds=(send,),
            start_new_session=True,
        )
    except (OSError, NotImplementedError, ValueError) as error:
        raise SandboxRefused(f"The sandbox cannot be started: {error}.") from error
    finally:
        os.close(send)


async def _drive(
    process: asyncio.subprocess.Process, order: bytes, cap: int, seconds: float
) -> tuple[bytes, bytes, bool]:
    """Give the order and read what comes until the end, the cap or the last moment."""
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    # Written at the call and read by the jail before anything else.
    process.stdin.write(order)
    process.stdin.close()
    kept: tuple[bytearray, bytearray] = (bytearray(), bytearray())
    readers = [
        asyncio.ensure_future(_read(stream, text, cap))
        for stream, text in zip((process.stdout, process.stderr), kept, strict=True)
    ]
    try:
        async with asyncio.timeout(seconds):
            while any(not reader.done() for reader in readers):
                waiting = [reader for reader in readers if not reader.done()]
                done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                if any(reader.result() for reader in done):
                    break
            else:
                await process.wait()
        in_time = True
    except TimeoutError:
        in_time = False
    finally:
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)
    return bytes(kept[0]), bytes(kept[1]), in_time


async def _read(stream: asyncio.StreamReader, text: bytearray, cap: int) -> bool:
    """Read to the end; true if there is more than the cap."""
    while block := await stream.read(65536):
        text += block
        if len(text) > cap:
            return True
    return False


async def _kill(process: asyncio.subprocess.Process) -> None:
    """End the jail's group; init dies with it, and with init all it holds."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    # A process counts as ended when its pipes do, and one that is full is not read by itself.
    for stream in (process.stdout, process.stderr):
        while stream is not None and await stream.read(65536):
            pass
    await process.wait()


def _read_report(receive: int) -> _Report:
    """Read what the jail said last; nothing if it was killed."""
    try:
        return msgspec.json.decode(os.read(receive, 65536), type=_Report)
    except (BlockingIOError, msgspec.DecodeError):
        return _Report()


def _outcome(report: _Report, stdout: bytes, stderr: bytes, cap: int, *, in_time: bool) -> Outcome:
    if report.error:
        raise SandboxRefused(f"The sandbox cannot be set up: {report.error}.")
    too_much = max(len(stdout), len(stderr)) > cap
    if not (report.end or too_much) and in_time:
        raise SandboxRefused("The sandbox ended without a word.")
    return Outcome(
        code=report.code if not too_much else None,
        stdout=stdout[:cap].decode("utf-8", errors="replace"),
        stderr=stderr[:cap].decode("utf-8", errors="replace"),
        timed_out=report.end == "time" or not in_time,
        out_of_memory=report.end == "memory",
        too_much_output=too_much,
    )
