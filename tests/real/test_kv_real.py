"""The KV cache on the pinned model: no history changes what comes out."""

import pytest

from history import Limits, check_any_history

pytestmark = pytest.mark.real


def test_any_history_gives_the_logits_of_a_fresh_prefill(model_path, tmp_path):
    limits = Limits(
        steps=60,
        checked=6,
        noise=0.25,
        ram_bytes=5_000_000,
        disk_bytes=10_000_000,
        n_threads=2,
        length=180,
    )
    check_any_history(model_path, tmp_path, limits)
