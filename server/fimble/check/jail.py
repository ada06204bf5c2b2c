"""The inside of the sandbox: a script that shuts itself in and then runs one command.

`check/sandbox.py` starts it as ``python -I -S jail.py FD`` with a JSON `Order` on standard input;
it reports on the descriptor FD. It imports the standard library only, trusts nothing it runs, and
goes no further if the kernel refuses one single step.

Three processes: the outer one makes the namespaces; the first process of the new PID namespace
(init) builds the file tree, watches time and memory, and takes everything with it when it ends;
its child gives up all privileges and becomes the command.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import platform
import resource
import signal
import struct
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NoReturn

NOBODY: Final = 65534
DYNAMIC_USERS: Final = range(61184, 65520)
"""Users that are nobody for long, as systemd gives them to services (see its "Users, Groups,
UIDs and GIDs"). The kernel counts the processes of a user in all sandboxes together."""
WORK: Final = "/tmp/work"  # noqa: S108  (a file system of its own, gone with the process)
POLL_SECONDS: Final = 0.02
ENVIRONMENT: Final = {"HOME": "/tmp", "TMPDIR": "/tmp", "LANG": "C.UTF-8"}  # noqa: S108

# What a compiler or an interpreter of the system needs; the user's own files are not among it.
SYSTEM: Final = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/nix/store"),
    *("/etc/alternatives", "/etc/ld.so.cache", "/etc/localtime"),
)
DEVICES: Final = ("null", "zero", "full", "random", "urandom")

# From the kernel's headers: sched.h, mount.h, prctl.h.
CLONE_NEWNS: Final = 0x00020000
CLONE_NEWUTS: Final = 0x04000000
CLONE_NEWIPC: Final = 0x08000000
CLONE_NEWUSER: Final = 0x10000000
CLONE_NEWPID: Final = 0x20000000
CLONE_NEWNET: Final = 0x40000000
CLONE_NEWCGROUP: Final = 0x02000000
CLONE_NEWTIME: Final = 0x00000080
NAMESPACES: Final = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
MNT_DETACH: Final = 2
ATTR_RDONLY, ATTR_NOSUID, ATTR_NODEV = 1, 2, 4
AT_FDCWD: Final = -100
AT_RECURSIVE: Final = 0x8000
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 4, 22, 38
SYS_MOUNT_SETATTR: Final = 442

# Numbers on each architecture: (AUDIT_ARCH, by name). Newer calls, from 424 on, are the same.
ARCHITECTURES: Final = {
    "x86_64": (
        0xC000003E,
        {"socket": 41, "socketpair": 53, "clone": 56, "pivot_root": 155, "shmget": 29}
        | {"msgget": 68, "ptrace": 101, "chroot": 161, "mount": 165, "umount2": 166}
        | {"add_key": 248, "request_key": 249, "keyctl": 250, "mq_open": 240, "unshare": 272}
        | {"perf_event_open": 298, "open_by_handle_at": 304, "setns": 308, "memfd_create": 319}
        | {"process_vm_readv": 310, "process_vm_writev": 311, "bpf": 321, "userfaultfd": 323},
    ),
    "aarch64": (
        0xC00000B7,
        {"socket": 198, "socketpair": 199, "clone": 220, "pivot_root": 41, "shmget": 194}
        | {"msgget": 186, "ptrace": 117, "chroot": 51, "mount": 40, "umount2": 39}
        | {"add_key": 217, "request_key": 218, "keyctl": 219, "mq_open": 180, "unshare": 97}
        | {"perf_event_open": 241, "open_by_handle_at": 265, "setns": 268, "memfd_create": 279}
        | {"process_vm_readv": 270, "process_vm_writev": 271, "bpf": 280, "userfaultfd": 282},
    ),
}
# io_uring (it opens sockets behind a filter's back), the new mount interface, memfd_secret.
NEWER: Final = (425, 426, 427, 428, 429, 430, 432, 442, 447)
SYS_CLONE3: Final = 435
X32_BIT: Final = 0x40000000

libc = ctypes.CDLL(None, use_errno=True)
Order = dict[str, Any]


def call(name: str, *arguments: object) -> None:
    """Call a function of libc; raises `OSError` with its name when it fails."""
    values = [one.encode() if isinstance(one, str) else one for one in arguments]
    values = [ctypes.c_long(one) if isinstance(one, int) else one for one in values]
    if libc[name](*values) == -1:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")


def main() -> None:
    """Read the order, shut the door, and wait for what happens inside."""
    report = int(sys.argv[1])
    os.set_inheritable(report, False)
    order: Order = json.load(sys.stdin)
    try:
        call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        # The kernel kills this first, if memory runs out.
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
        order["user"] = separate()
        inner = os.fork()
        if inner == 0:
            be_init(order, report)
        os.close(report)
        os.waitpid(inner, 0)
    except OSError as error:
        tell(report, error=str(error))


def tell(report: int, **fields: object) -> None:
    """Send the one line of the report."""
    os.write(report, json.dumps(fields).encode())


def separate() -> int:
    """Enter new namespaces: with our own privileges as root, those of a user namespace if not.

    Return the user that the command is to run as.
    """
    if os.geteuid() == 0:
        call("unshare", NAMESPACES)
        return DYNAMIC_USERS[os.getpid() % len(DYNAMIC_USERS)]
    user, group = os.geteuid(), os.getegid()
    call("unshare", CLONE_NEWUSER | NAMESPACES)
    Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
    Path("/proc/self/uid_map").write_text(f"{NOBODY} {user} 1", encoding="ascii")
    Path("/proc/self/gid_map").write_text(f"{NOBODY} {group} 1", encoding="ascii")
    return NOBODY


def be_init(order: Order, report: int) -> NoReturn:
    """Build the file tree, start the command, and end with it: that kills all it left behind."""
    try:
        call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        call("prctl", PR_SET_DUMPABLE, 0, 0, 0, 0)
        build_tree(order)
        lay_out(order["files"], order["user"])
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
        ready, failure = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(ready)
            become(order, failure)
        os.close(failure)
        if reason := os.read(ready, 4096):
            tell(report, error=reason.decode())
        else:
            tell(report, **watch(child, order))
    except OSError as error:
        tell(report, error=str(error))
    os._exit(0)


def build_tree(order: Order) -> None:
    """Put a new root in place: the system read-only, a bounded ``/tmp``, and nothing else."""
    call("mount", "none", "/", None, MS_REC | MS_PRIVATE, None)
    call("mount", "tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "size=1m,mode=755")  # noqa: S108
    os.mkdir("/tmp/old")  # noqa: S108, PTH102
    call("syscall", pivot_root(), "/tmp", "/tmp/old")  # noqa: S108
    os.chdir("/")
    Path("/tmp").mkdir()  # noqa: S108
    size = f"size={order['disk']},nr_inodes={order['inodes']},mode=777"
    call("mount", "tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, size)  # noqa: S108
    Path("/proc").mkdir()
    call("mount", "proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY, None)
    for path in (*SYSTEM, *order["readable"]):
        show(path)
    for name in DEVICES:
        bind(f"/old/dev/{name}", f"/dev/{name}")
    for name, target in (("shm", "/tmp"), ("fd", "/proc/self/fd")):  # noqa: S108
        Path("/dev", name).symlink_to(target)
    call("umount2", "/old", MNT_DETACH)
    Path("/old").rmdir()
    set_attributes("/", ATTR_RDONLY, 0)


def pivot_root() -> int:
    """Return the number of the call: libc has no function for it."""
    return machine()[1]["pivot_root"]


def show(path: str) -> None:
    """Make a file or folder of the old tree readable at its old place."""
    old = Path(f"/old{path}")
    if Path(path).exists() or not os.path.lexists(old):
        return
    if old.is_symlink():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).symlink_to(old.readlink())
        return
    bind(str(old), path)
    set_attributes(path, ATTR_RDONLY | ATTR_NOSUID | ATTR_NODEV, AT_RECURSIVE)


def bind(source: str, target: str) -> None:
    """Mount one place at another."""
    place = Path(target)
    place.parent.mkdir(parents=True, exist_ok=True)
    if Path(source).is_dir():
        place.mkdir(exist_ok=True)
    else:
        place.touch()
    call("mount", source, target, None, MS_BIND | MS_REC, None)


def set_attributes(path: str, attributes: int, flags: int) -> None:
    """Add attributes to a mount, recursively if the flags say so."""
    wanted = struct.pack("4Q", attributes, 0, 0, 0)
    call("syscall", SYS_MOUNT_SETATTR, AT_FDCWD, path, flags, wanted, len(wanted))


def lay_out(files: dict[str, str], user: int) -> None:
    """Write the command's files into its working directory, as its own."""
    work = Path(WORK)
    work.mkdir()
    for name, text in files.items():
        path = work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="")
    for path in (work, *work.rglob("*")):
        os.chown(path, user, user)


def become(order: Order, failure: int) -> NoReturn:
    """Give up every privilege and become the command; what goes wrong before goes to init."""
    try:
        give_input(order["stdin"])
        os.setsid()
        os.chdir(WORK)
        if os.geteuid() == 0:
            os.setgroups([])
        user = order["user"]
        os.setresgid(user, user, user)
        set_limits(order)
        os.setresuid(user, user, user)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
        # Python ignores these, and a command would inherit that.
        for ignored in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(ignored, signal.SIG_DFL)
        call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        install_filter()
        environment = {**ENVIRONMENT, "PATH": order["path"]}
        os.execvpe(order["command"][0], order["command"], environment)  # noqa: S606
    except OSError as error:
        os.write(failure, str(error).encode())
    os._exit(127)


def give_input(text: str) -> None:
    """Make ``text`` the standard input."""
    path = Path("/tmp/stdin")  # noqa: S108
    path.write_text(text, encoding="utf-8", newline="")
    descriptor = os.open(path, os.O_RDONLY)
    path.unlink()
    os.dup2(descriptor, 0)
    os.close(descriptor)


def set_limits(order: Order) -> None:
    """Set the limits of each process, those on the number of processes among them."""
    for kind, value in (
        (resource.RLIMIT_CPU, order["cpu"]),
        (resource.RLIMIT_AS, order["address"]),
        (resource.RLIMIT_NPROC, order["processes"]),
        (resource.RLIMIT_NOFILE, order["open_files"]),
        (resource.RLIMIT_FSIZE, order["disk"]),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
    ):
        resource.setrlimit(kind, (value, value))


def watch(child: int, order: Order) -> dict[str, object]:
    """Wait for the command to end, or for its time or its memory to be used up."""
    deadline = time.monotonic() + order["wall"]
    while True:
        for pid, status in reaped():
            if pid == child:
                return {"end": "exit", "code": os.waitstatus_to_exitcode(status)}
        if time.monotonic() > deadline:
            return {"end": "time"}
        if memory_used() > order["memory"]:
            return {"end": "memory"}
        signal.sigtimedwait({signal.SIGCHLD}, POLL_SECONDS)


def reaped() -> Iterator[tuple[int, int]]:
    """Yield the processes that ended, with their status."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        yield pid, status


def memory_used() -> int:
    """Return the bytes of all processes in here together, and of the files they wrote."""
    total = 0
    for folder in os.listdir("/proc"):  # noqa: PTH208  (twice as fast, fifty times a second)
        if folder.isdigit() and folder != "1":
            total += own_memory(f"/proc/{folder}/status")
    disk = os.statvfs("/tmp")  # noqa: S108
    return total + (disk.f_blocks - disk.f_bfree) * disk.f_frsize


def own_memory(path: str) -> int:
    """Return the bytes that one process has to itself; none if it ended meanwhile."""
    try:
        with open(path, encoding="ascii", errors="replace") as file:  # noqa: PTH123
            lines = file.readlines()
    except OSError:
        return 0
    counted = [line.split()[1] for line in lines if line.startswith(("RssAnon", "RssShmem"))]
    return sum(int(one) for one in counted) * 1024


def machine() -> tuple[int, dict[str, int]]:
    """Return what the kernel calls this architecture, and its numbers of system calls."""
    name = platform.machine()
    if name not in ARCHITECTURES:
        raise OSError(errno.ENOSYS, f"no filter for {name}")
    return ARCHITECTURES[name]


def install_filter() -> None:
    """Have the kernel refuse sockets other than local ones, and all that makes namespaces.

    An empty network namespace does not keep a program from every kind of socket (vsock knows no
    namespaces), and there are ways to memory that no limit counts.
    """
    program = filter_program(*machine())
    code = ctypes.create_string_buffer(program, len(program))
    fprog = struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(code))
    call("prctl", PR_SET_SECCOMP, 2, fprog, 0, 0)


def filter_program(architecture: int, numbers: dict[str, int]) -> bytes:
    """Return the filter, in the instructions of classic BPF."""
    load, equal, at_least, any_bit, give_back = 0x20, 0x15, 0x35, 0x45, 0x06
    number, arch, argument = 0, 4, 16  # offsets in struct seccomp_data
    allow, kill, refuse = 0x7FFF0000, 0x80000000, 0x00050000 | errno.EPERM
    absent = 0x00050000 | errno.ENOSYS
    namespaces = NAMESPACES | CLONE_NEWUSER | CLONE_NEWCGROUP

    def op(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
        return struct.pack("HBBI", code, yes, no, value)

    special = ("socket", "socketpair", "clone", "pivot_root")
    denied = [numbers[name] for name in numbers if name not in special] + list(NEWER)
    denied.append(numbers["pivot_root"])
    lines = [op(load, arch), op(equal, architecture, 1), op(give_back, kill), op(load, number)]
    if architecture == ARCHITECTURES["x86_64"][0]:
        lines += [op(at_least, X32_BIT, 0, 1), op(give_back, refuse)]
    for one in denied:
        lines += [op(equal, one, 0, 1), op(give_back, refuse)]
    # Its flags lie behind a pointer, which a filter cannot follow; libc then uses clone.
    lines += [op(equal, SYS_CLONE3, 0, 1), op(give_back, absent)]
    clone = [op(load, argument), op(any_bit, namespaces, 0, 1), op(give_back, refuse)]
    lines += [op(equal, numbers["clone"], 0, len(clone) + 1), *clone, op(give_back, allow)]
    local = [op(load, argument), op(equal, 1, 1), op(give_back, refuse)]  # AF_UNIX
    for name in ("socket", "socketpair"):
        lines += [op(equal, numbers[name], 0, len(local) + 1), *local, op(give_back, allow)]
    return b"".join([*lines, op(give_back, allow)])


if __name__ == "__main__":
    main()
