"""The real model for the real tests; without it each of them is skipped with the reason."""

import asyncio
import os
from pathlib import Path

import pytest

from fimble.engine.client import EngineConfig, WorkerEngine
from fimble.engine.messages import Profile, State
from fimble.models import store

MODEL = "qwen2.5-coder-0.5b"
PROFILE = Profile(
    n_gpu_layers=0, n_threads=2, n_threads_batch=2, n_ctx=4096, flash_attention=True
)
"""Fixed, so that no test waits for the calibration; one test runs it."""
