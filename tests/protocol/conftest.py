import json
import os
import sys
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


@pytest.fixture
def scripted(tmp_path, environment):
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
        **options,
    ):
        script = {"answers": answers or {}, "delay_ms": delay_ms, "state": state}
        script |= {"others": others or {}, "doubts": doubts or {}, "chat_template": chat_template}
        file = tmp_path / "script.json"
        file.write_text(json.dumps(script))
        command = (sys.executable, "-m", "fimble", "serve", "--scripted", str(file), *arguments)
        return EditorClient(command, environment, **options)

    return make


@pytest.fixture
def scenario(environment):
    """Makes editors whose server lives through something: see scenario.py."""

    def make(name, **options):
        return EditorClient(
            (sys.executable, str(HERE / "scenario.py"), name), environment, **options
        )

    return make
