"""How to run this model on this machine: measured in a few seconds at the first load, then kept.

Threads and flash attention are chosen by timing what a key press does (one-token decodes) and
what opening a file does (a prefill); the context size by the memory that is free. Everything can
be fixed in the settings.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import accumulate
from typing import Final

import psutil

from fimble.engine.llama.context import Context
from fimble.engine.llama.model import Model
from fimble.engine.messages import Overrides, Profile, Rates

DEFAULT_N_CTX: Final = 8192
"""Room for a trunk and several files of 1,500 tokens; more makes attention scan more cells."""
MIN_N_CTX: Final = 2048
KV_MEMORY_SHARE: Final = 0.25
"""The KV cache takes at most this part of the memory that is free."""
TRIAL_N_CTX: Final = 512
TRIAL_TOKENS: Final = 64
DECODES: Final = 6
ROUNDS: Final = 2
LARGEST_BATCH: Final = 8
"""Longest step that drafting may take: the published gains of prompt lookup end about there."""
BATCH_ROUNDS: Final = 3
BUSY_SAMPLE_S: Final = 0.3
BUSY_PERCENT: Final = 30
"""Other programs' share of all cores above which timings say more about them than about us."""
FLASH_ATTENTION_BONUS: Final = 1.1
"""Without flash attention must be this much faster to win: with it KV blobs are contiguous."""


def choose_profile(
    model: Model,
    overrides: Overrides,
    known: Profile | None,
    *,
    n_gpu_layers: int,
    report: Callable[[], None],
) -> tuple[Profile, Profile | None]:
    """The profile to run with, and what was measured for it, if anything was.

    ``known`` is an earlier measurement on this machine. What a busy machine measures is worthless,
    so there a guess serves, without rates: nothing is kept of it, and the next start measures.
    """
    n_ctx = overrides.n_ctx or _context_size(model)
    measured = None
    if known is None or known.n_gpu_layers != n_gpu_layers:
        report()
        if psutil.cpu_percent(interval=BUSY_SAMPLE_S) > BUSY_PERCENT:
            known = _guess(n_gpu_layers=n_gpu_layers, n_ctx=n_ctx)
        else:
            known = measured = _measure(model, n_gpu_layers=n_gpu_layers, n_ctx=n_ctx)
    fixed = overrides.flash_attention
    profile = Profile(
        n_gpu_layers=n_gpu_layers,
        n_threads=overrides.n_threads or known.n_threads,
        n_threads_batch=overrides.n_threads or known.n_threads_batch,
        n_ctx=n_ctx,
        flash_attention=known.flash_attention if fixed is None else fixed,
        prefill_rate=known.prefill_rate,
        decode_rate=known.decode_rate,
        batch_costs=known.batch_costs,
    )
    return profile, measured


def open_context(model: Model, profile: Profile, *, n_seq_max: int) -> Context:
    """The working context for a profile."""
    return Context(
        model,
        n_ctx=profile.n_ctx,
        n_threads=profile.n_threads,
        n_threads_batch=profile.n_threads_batch,
        flash_attention=profile.flash_attention,
        n_seq_max=n_seq_max,
    )


def _measure(model: Model, *, n_gpu_layers: int, n_ctx: int) -> Profile:
    """Choose the threads with flash attention on, then try without it."""
    rates, threads = max(
        _try(model, _thread_candidates(), flash_attention=True),
        key=lambda trial: -trial[0].key_press_s,
    )
    ((plain, _),) = _try(model, [threads], flash_attention=False)
    flash_attention = rates.key_press_s < plain.key_press_s * FLASH_ATTENTION_BONUS
    if not flash_attention:
        rates = plain
    return Profile(
        n_gpu_layers=n_gpu_layers,
        n_threads=threads,
        n_threads_batch=threads,
        n_ctx=n_ctx,
        flash_attention=flash_attention,
        prefill_rate=round(rates.prefill, 1),
        decode_rate=round(rates.decode, 1),
        batch_costs=_batch_costs(model, threads, flash_attention=flash_attention),
    )


def _batch_costs(model: Model, threads: int, *, flash_attention: bool) -> tuple[float, ...]:
    """Time steps of one to `LARGEST_BATCH` tokens, each with logits, and relate them to one.

    Drafting asks how much dearer a longer step is; a longer step that seemed cheaper was luck.
    """
    context = trial_context(model, flash_attention=flash_attention)
    try:
        context.set_threads(threads, threads)
        context.decode([1] * TRIAL_TOKENS, seq=0, position=0, outputs=1)
        seconds = [
            min(_step_seconds(context, size) for _ in range(BATCH_ROUNDS))
            for size in range(1, LARGEST_BATCH + 1)
        ]
    finally:
        context.close()
    dearest = accumulate((second / seconds[0] for second in seconds), max)
    return tuple(round(cost, 2) for cost in dearest)


def _step_seconds(context: Context, size: int) -> float:
    context.remove(0, TRIAL_TOKENS)
    started = time.perf_counter()
    context.decode([1] * size, seq=0, position=TRIAL_TOKENS, outputs=size)
    context.logits()
    return time.perf_counter() - started


def _guess(*, n_gpu_layers: int, n_ctx: int) -> Profile:
    """All physical cores: `Pace` gives them up while others need them."""
    cores = psutil.cpu_count(logical=False) or psutil.cpu_count() or 1
    return Profile(
        n_gpu_layers=n_gpu_layers,
        n_threads=cores,
        n_threads_batch=cores,
        n_ctx=n_ctx,
        flash_attention=True,
    )


def _try(model: Model, candidates: list[int], *, flash_attention: bool) -> list[tuple[Rates, int]]:
    """The rates for each thread count, on a small context of its own."""
    context = trial_context(model, flash_attention=flash_attention)
    try:
        trials = []
        for threads in candidates:
            context.set_threads(threads, threads)
            trials.append((_best_rates(context), threads))
        return trials
    finally:
        context.close()


def trial_context(model: Model, *, flash_attention: bool) -> Context:
    """A small context for `measure`."""
    return Context(
        model, n_ctx=TRIAL_N_CTX, n_threads=1, n_threads_batch=1, flash_attention=flash_attention
    )


def _best_rates(context: Context) -> Rates:
    """The better of a few rounds; the first also warms caches and graphs."""
    rounds = [measure(context) for _ in range(ROUNDS)]
    return Rates(max(one.prefill for one in rounds), max(one.decode for one in rounds))


def measure(context: Context) -> Rates:
    """One round: a prefill and a few one-token decodes on a trial context."""
    tokens = [1 + index for index in range(TRIAL_TOKENS)]
    context.remove(0, 0)
    started = time.perf_counter()
    context.decode(tokens, seq=0, position=0, outputs=1)
    prefill = TRIAL_TOKENS / (time.perf_counter() - started)
    started = time.perf_counter()
    for index in range(DECODES):
        context.decode(tokens[:1], seq=0, position=TRIAL_TOKENS + index, outputs=1)
        context.logits()
    return Rates(prefill, DECODES / (time.perf_counter() - started))


def _thread_candidates() -> list[int]:
    """Half and all of the physical cores, and all the logical ones."""
    physical = psutil.cpu_count(logical=False) or psutil.cpu_count() or 1
    logical = psutil.cpu_count() or physical
    return sorted({max(1, physical // 2), physical, min(logical, 2 * physical)})


def _context_size(model: Model) -> int:
    """As many tokens as fit a share of the free memory, up to the default."""
    room = int(psutil.virtual_memory().available * KV_MEMORY_SHARE)
    fitting = room // model.kv_bytes_per_token()
    wanted = min(DEFAULT_N_CTX, model.n_ctx_train, max(MIN_N_CTX, fitting))
    return max(256, wanted // 256 * 256)
