"""The KV cache on the pinned model: no history changes what comes out."""

import pytest

from history import Limits, check_any_history

pytestmark = pytest.mark.real


def test_any_history_gives_the_logits_of_a_fresh_prefill(model_path, tmp_path):
    limits = Limits(
        steps=60,
        checked=6,
        # Fresh prefills of 24 such prompts, in chunks of 128 and of 7 tokens: up to 0.254 apart.
        # With a segment of other tokens in six of them it is 1.06 to 5.1.
        noise=0.35,
        ram_bytes=5_000_000,
        disk_bytes=10_000_000,
        n_threads=2,
        length=180,
    )
    check_any_history(model_path, tmp_path, limits)
