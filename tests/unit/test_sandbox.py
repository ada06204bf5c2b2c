import ast
import asyncio
import os
import socket
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from fimble.check import jail, sandbox
from fimble.check.sandbox import MEGABYTE, Limits, Outcome, run
from fimble.errors import SandboxRefused

JAIL = Path(jail.__file__).read_text()
PREFIXES = [os.path.realpath(prefix) for prefix in (sys.prefix, sys.base_prefix)]
LIMITS = Limits(wall_seconds=5.0, memory_bytes=128 * MEGABYTE, processes=12, output_bytes=10_000)


@pytest.fixture(scope="module", autouse=True)
def needs_a_sandbox():
    if not asyncio.run(sandbox.available()):
        pytest.skip("the kernel lets nobody be shut in here")


async def python(code: str, limits: Limits = LIMITS, *, stdin: str = "") -> Outcome:
    command = (sys.executable, "-I", "-S", "main.py")
    return await run(command, {"main.py": code}, stdin=stdin, limits=limits)


async def test_a_program_reads_its_files_and_its_input_and_answers():
    code = "import sys; print(open('data/a.txt').read(), input()); sys.exit('bye')"
    files = {"main.py": code, "data/a.txt": "one\r\n"}
    outcome = await run((sys.executable, "main.py"), files, stdin="two\n", limits=LIMITS)
    assert outcome == Outcome(1, "one\n two\n", "bye\n")
    assert not outcome.passed


async def test_the_environment_is_ours(monkeypatch):
    monkeypatch.setenv("SECRET", "42")
    outcome = await python("import os; print(sorted(os.environ), os.getcwd())")
    assert outcome.stdout == "['HOME', 'LANG', 'PATH', 'TMPDIR'] /tmp/work\n"


async def test_the_system_compiler_is_there():
    outcome = await run(("sh", "-c", "ls /usr | wc -l"), {}, limits=LIMITS)
    assert int(outcome.stdout) > 0


async def test_an_endless_loop_ends():
    outcome = await python("while True: pass", replace(LIMITS, wall_seconds=0.3))
    assert outcome.timed_out
    assert outcome.code is None


async def test_processor_time_is_bounded_too():
    outcome = await python("while True: pass", replace(LIMITS, cpu_seconds=1))
    assert outcome.code is not None
    assert outcome.code < 0


async def test_a_memory_hog_is_stopped():
    outcome = await python("x = []\nwhile True: x.append(bytearray(10_000_000))")
    assert outcome.out_of_memory


async def test_a_memory_hog_of_many_processes_is_stopped():
    code = """
        import os, time
        for _ in range(3): os.fork()
        x = bytearray(30_000_000)
        time.sleep(60)
    """
    outcome = await python("if True:" + code)
    assert outcome.out_of_memory


async def test_virtual_memory_is_bounded():
    outcome = await python("bytearray(2_000_000_000)")
    assert "MemoryError" in outcome.stderr


async def test_a_fork_bomb_fizzles():
    code = """if True:
        import os
        while True:
            try: os.fork()
            except OSError: pass
    """
    outcome = await python(code, replace(LIMITS, wall_seconds=0.5))
    assert outcome.timed_out


FORKS = """if True:
    import os, time
    count = 0
    while True:
        try:
            if os.fork() == 0: time.sleep(60)
        except OSError: break
        count += 1
    print(count, flush=True)
    time.sleep({seconds})
"""


async def test_processes_are_counted_in_each_sandbox_by_itself():
    first, second = await asyncio.gather(
        python(FORKS.format(seconds=1)), python(FORKS.format(seconds=1))
    )
    assert 0 < int(first.stdout) == int(second.stdout) < LIMITS.processes


async def test_what_is_left_behind_dies():
    code = """if True:
        import os, time
        if os.fork() == 0:
            os.setsid()
            time.sleep(60)
        print("done")
    """
    outcome = await python(code)
    assert outcome.stdout == "done\n"


async def test_huge_output_is_cut():
    outcome = await python("while True: print('x' * 1000)")
    assert outcome.too_much_output
    assert len(outcome.stdout) == LIMITS.output_bytes


async def test_a_file_that_fills_the_disk_fails():
    outcome = await python("f = open('/tmp/x', 'w')\nwhile True: f.write('x' * 1_000_000)")
    assert outcome.out_of_memory or "OSError" in outcome.stderr


async def test_files_outside_are_out_of_reach(tmp_path):
    precious = tmp_path / "precious.txt"
    precious.write_text("mine")
    code = (
        f"import os\ntry: os.unlink({str(precious)!r})\nexcept OSError as error: print(error.errno)"
    )
    outcome = await python(code)
    assert outcome.stdout == "2\n"
    assert precious.read_text() == "mine"


@pytest.mark.parametrize("place", ["/usr/x", "/etc/x", "/x", "/dev/x", sys.prefix + "/x"])
async def test_the_system_cannot_be_written(place):
    code = f"try: open({place!r}, 'w')\nexcept OSError as error: print('refused')"
    assert (await python(code)).stdout == "refused\n"


async def test_the_files_of_the_user_are_not_there(tmp_path):
    (tmp_path / "key").write_text("secret")
    code = f"import os; print(os.path.exists({str(tmp_path)!r}))"
    assert (await python(code)).stdout == "False\n"


async def test_of_the_home_only_the_interpreter_is_there():
    """Where Python itself was installed below the home, as version managers do."""
    code = f"import os; print(os.listdir({str(Path.home())!r}))"
    outcome = await python(code)
    shown = ast.literal_eval(outcome.stdout) if outcome.passed else []
    assert all(any(f"/{name}/" in prefix for prefix in PREFIXES) for name in shown)


@pytest.mark.parametrize("family", ["AF_INET", "AF_INET6", "AF_NETLINK", "AF_VSOCK", "AF_PACKET"])
async def test_no_socket_leads_outside(family):
    code = f"import socket\ntry: socket.socket(socket.{family})\nexcept OSError: print('refused')"
    assert (await python(code)).stdout == "refused\n"


async def test_a_server_of_this_machine_cannot_be_reached():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        code = f"import socket; socket.create_connection(('127.0.0.1', {port}))"
        assert not (await python(code)).passed


async def test_local_sockets_work():
    assert (await python("import asyncio; asyncio.run(asyncio.sleep(0))")).passed


async def test_signals_reach_nobody_outside():
    code = f"""if True:
        import os
        for pid in (os.getppid(), 1, {os.getpid()}, -1):
            try: os.kill(pid, 9)
            except OSError: pass
        print("alive", os.getppid())
    """
    assert (await python(code)).stdout == "alive 1\n"


@pytest.mark.parametrize("number", [jail.SYS_CLONE3, 425, 442])
async def test_forbidden_calls_are_refused(number):
    code = f"import ctypes; print(ctypes.CDLL(None).syscall({number}, 0, 0, 0, 0, 0, 0))"
    assert (await python(code)).stdout == "-1\n"


@pytest.mark.parametrize("name", ["unshare", "ptrace", "mount", "memfd_create", "setns", "clone"])
async def test_forbidden_functions_are_refused(name):
    number = jail.machine()[1][name]
    argument = jail.CLONE_NEWUSER
    code = f"""if True:
        import ctypes
        libc = ctypes.CDLL(None, use_errno=True)
        print(libc.syscall({number}, {argument}, 0, 0, 0, 0), ctypes.get_errno())
    """
    assert (await python(code)).stdout == "-1 1\n"


async def test_the_report_cannot_be_forged():
    code = """if True:
        import os
        for fd in range(3, 64):
            try: os.write(fd, b'{"end": "exit", "code": 0}')
            except OSError: pass
        raise SystemExit(7)
    """
    assert (await python(code)).code == 7


async def test_a_command_that_is_not_there_is_refused():
    with pytest.raises(SandboxRefused, match="No such file"):
        await run(("no-such-command",), {})


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/../../x"])
async def test_files_stay_in_the_directory(name):
    with pytest.raises(ValueError, match="leaves the working directory"):
        await run(("true",), {name: ""})


async def test_being_cancelled_kills_it():
    task = asyncio.create_task(python("while True: print('x', flush=True)"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.fixture
def not_tried_yet():
    sandbox._shuts_in.cache_clear()
    yield
    sandbox._shuts_in.cache_clear()


@pytest.mark.usefixtures("not_tried_yet")
async def test_where_the_kernel_refuses_nothing_runs(monkeypatch, tmp_path):
    broken = tmp_path / "jail.py"
    broken.write_text(JAIL.replace('call("umount2", "/old"', 'call("umount2", "/nowhere"'))
    monkeypatch.setattr(sandbox, "_JAIL", broken)
    with pytest.raises(SandboxRefused, match="umount2"):
        await run(("true",), {})
    assert not await sandbox.available()


async def test_it_is_tried_once(monkeypatch):
    assert await sandbox.available()
    monkeypatch.setattr(sandbox, "_JAIL", Path("nowhere"))
    assert await sandbox.available()


async def test_other_systems_have_none(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not await sandbox.available()
