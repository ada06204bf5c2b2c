"""Real llama.cpp on tiny random models: every test starts its own worker in a fifth of a second."""

import pytest

from tiny import running, write_model


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("models") / "tiny.gguf")


@pytest.fixture
async def engine(tiny):
    async with running(tiny) as engine:
        yield engine
