"""The real model for the real tests; without it each of them is skipped with the reason."""

import asyncio
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio

from fimble.engine.client import EngineConfig, WorkerEngine
from fimble.engine.messages import Overrides, Profile, State
from fimble.errors import ModelError
from fimble.models.store import open_store

MODEL = "qwen2.5-coder-0.5b"
TIMEOUT_S = 120
PROFILE = Profile(
    n_gpu_layers=0,
    n_threads=2,
    n_threads_batch=2,
    n_ctx=8192,
    flash_attention=True,
    batch_costs=(1.0, 1.6, 1.9, 2.1, 2.3, 2.5, 2.7, 2.9),
)
"""Fixed, so that no test waits for the calibration."""


@pytest.fixture(scope="session")
def model_path():
    try:
        return open_store().resolve(MODEL)
    except ModelError as error:
        pytest.skip(f"no real model: {error}")


@asynccontextmanager
async def running_engine(model_path, n_ctx=None):
    """A loaded engine on the real model."""
    engine = WorkerEngine(EngineConfig(model_path, Overrides(n_ctx=n_ctx), lambda: PROFILE))
    ready = asyncio.Event()
    engine.on_status(
        lambda status: ready.set() if status.state in {State.READY, State.FAILED} else None
    )
    engine.start()
    try:
        await asyncio.wait_for(ready.wait(), TIMEOUT_S)
        assert engine.status.state is State.READY, engine.status.error
        yield engine
    finally:
        await engine.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(model_path):
    """One engine for the tests of a module that run on the module's loop."""
    async with running_engine(model_path) as engine:
        yield engine
