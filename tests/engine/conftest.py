"""Real llama.cpp on tiny random models: every test starts its own worker in a fifth of a second."""

import asyncio
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from fimble.engine.client import EngineConfig, WorkerEngine
from fimble.engine.messages import Profile, State
from tiny import write_model

TIMEOUT_S = 20
PROFILE = Profile(n_gpu_layers=0, n_threads=1, n_threads_batch=1, n_ctx=2048, flash_attention=True)


async def reached(engine, *states):
    """Wait until the engine's status is one of ``states``."""
    event = asyncio.Event()
    engine.on_status(lambda status: event.set() if status.state in states else None)
    if engine.status.state not in states:
        await asyncio.wait_for(event.wait(), TIMEOUT_S)
    return engine.status


@asynccontextmanager
async def running(model, **config):
    config.setdefault("load_profile", lambda: PROFILE)
    engine = WorkerEngine(EngineConfig(model, **config))
    try:
        engine.start()
        await reached(engine, State.READY, State.FAILED)
        yield engine
    finally:
        await engine.close()


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("models") / "tiny.gguf")


@pytest.fixture
async def engine(tiny):
    async with running(tiny) as engine:
        yield engine
