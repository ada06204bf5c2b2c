import json
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest

from fimble.protocol.client import EditorClient

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items):
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("protocol")


@pytest.fixture
def environment(tmp_path):
    """Of a user without settings, models or caches."""
    home = {
        name: str(tmp_path / "home" / name)
        for name in ("XDG_CONFIG_HOME", "FIMBLE_MODEL_DIR", "FIMBLE_CACHE_DIR")
    }
    return os.environ | home


@pytest.fixture(scope="session")
def python():
    """What to put before the arguments of a Python that runs a server; see warm.py.

    Where nothing can be forked, or each process is watched for what it runs, it is Python itself.
    """
    watched = any(name.startswith("COVERAGE_PROCESS") for name in os.environ)
    if watched or not hasattr(os, "fork"):
        yield (sys.executable,)
        return
    warm = str(HERE / "warm.py")
    with ExitStack() as stack:
        # Not in pytest's own folder, whose path may be too long for a socket.
        address = stack.enter_context(tempfile.TemporaryDirectory()) + "/socket"
        command = (sys.executable, warm, "serve", address)
        process = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE))
        stack.callback(process.terminate)
        assert process.stdout.readline() == b"ready\n"
        yield (sys.executable, "-IS", warm, "start", address)


@pytest.fixture
def scripted(tmp_path, environment, python):
    """Makes editors whose server answers from a script."""

    def make(
        answers=None,
        *,
        delay_ms=0,
        state="ready",
        others=None,
        doubts=None,
        chat_template="",
        arguments=(),
        python=python,
        **options,
    ):
        script = {"answers": answers or {}, "delay_ms": delay_ms, "state": state}
        script |= {"others": others or {}, "doubts": doubts or {}, "chat_template": chat_template}
        file = tmp_path / "script.json"
        file.write_text(json.dumps(script))
        command = (*python, "-m", "fimble", "serve", "--scripted", str(file), *arguments)
        return EditorClient(command, environment, **options)

    return make


@pytest.fixture
def scenario(environment, python):
    """Makes editors whose server lives through something: see scenario.py."""

    def make(name, *, python=python, **options):
        return EditorClient((*python, str(HERE / "scenario.py"), name), environment, **options)

    return make
