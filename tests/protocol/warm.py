"""Starts servers by forking a process that has imported them: 30 ms of work in place of 700.

    python warm.py serve SOCKET                 once
    python -IS warm.py start SOCKET ARGUMENT…   stands for   python ARGUMENT…

Nothing but imports is shared: arguments, environment, folder and streams are the caller's, the exit
status comes back to it, and who kills it kills the server.
"""

import gc
import json
import os
import runpy
import signal
import socket
import sys
from contextlib import suppress
from threading import Thread

PRELOADED = (
    "fimble.cli",
    "fimble.launch",
    "fimble.engine.scripted",
    "fimble.models.profile",
    "fimble.protocol.server",
)


def start(address, arguments):
    """Have a process started, wait for its end, and return its exit status."""
    folder = os.getcwd()  # noqa: PTH109  (pathlib would take longer than all the rest)
    wish = {"arguments": arguments, "environment": dict(os.environ), "folder": folder}
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(address)
        socket.send_fds(link, [b"."], [0, 1, 2])
        link.sendall(json.dumps(wish).encode() + b"\n")
        status = link.recv(1)
    return status[0] if status else 1


def serve(address):
    """Fork for each that connects; returns in what was forked, once that has ended."""
    for name in PRELOADED:
        __import__(name)
    gc.freeze()  # else the first collection of each copy touches, and so copies, it all
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that are forked
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        print("ready", flush=True)
        while True:
            link, _ = listener.accept()
            if not os.fork():
                break
            link.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _, streams, _, _ = socket.recv_fds(link, 1, 3)
    wish = json.loads(link.makefile("rb").readline())
    if server := os.fork():
        _keep(link, server, streams)
    link.close()
    _become(streams, **wish)


def _keep(link, server, streams):
    """Tell the server's exit status, or kill it if nobody is there to hear it."""
    for stream in streams:
        os.close(stream)

    def kill_with_caller():
        link.recv(1)
        with suppress(ProcessLookupError):
            os.kill(server, signal.SIGKILL)

    Thread(target=kill_with_caller, daemon=True).start()
    _, status = os.waitpid(server, 0)
    with suppress(BrokenPipeError):
        link.send(bytes([os.waitstatus_to_exitcode(status) & 0xFF]))
    os._exit(0)


def _become(streams, arguments, environment, folder):
    for target, stream in enumerate(streams):
        os.dup2(stream, target)
        os.close(stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    if arguments[0] == "-m":
        sys.argv = arguments[1:]
        sys.path[0] = folder
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = arguments
        sys.path[0] = arguments[0].rpartition(os.sep)[0]
        runpy.run_path(arguments[0], run_name="__main__")


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2])
    else:
        sys.exit(start(sys.argv[2], sys.argv[3:]))
