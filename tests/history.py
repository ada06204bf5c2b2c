"""Random lives of a KV cache on a real llama.cpp context, checked against fresh prefills."""

import random
from dataclasses import dataclass

import numpy as np

from fimble.engine.files import SegmentFiles
from fimble.engine.kv import KVCache
from fimble.engine.llama.context import Context
from fimble.engine.llama.model import Backend, Model
from fimble.engine.segments import SegmentTree

TOP = 5
N_SLOTS = 4
KEY = bytes(range(16))


@dataclass(frozen=True)
class Limits:
    """How long to live, and with how little.

    Prompts begin with ``length`` tokens. Every ``checked``-th step is compared; ``noise`` is how
    far log-probabilities of two fresh prefills of one prompt are apart when their chunks have
    other sizes.
    """

    steps: int
    checked: int
    noise: float
    ram_bytes: int
    disk_bytes: int
    n_threads: int = 1
    length: int = 300


def check_any_history(path, directory, limits):
    """Edits, jumps, aborts, evictions, parking, disk, restarts: the logits are always right."""
    rng = random.Random(3)
    model = Model(Backend(), path)
    context, fresh = open_context(model, N_SLOTS, limits), open_context(model, 1, limits)

    def new_cache():
        files = SegmentFiles(directory, KEY, cap_bytes=limits.disk_bytes)
        tree = SegmentTree(ram_bytes=limits.ram_bytes, files=files)
        return KVCache(context, N_SLOTS, tree), tree

    cache, tree = new_cache()
    upkeep = iter(())
    prompts = [[rng.randrange(200) for _ in range(limits.length)] for _ in range(6)]
    for step in range(limits.steps):
        index = rng.randrange(len(prompts))
        prompts[index] = edit(rng, prompts[index])
        match rng.randrange(20):
            case 0:
                upkeep = cache.park()
            case 1:
                upkeep = cache.persist()
            case 2:
                cache.make_room()
            case 3:
                give_up(context, cache, prompts[index])
            case 4 if rng.random() < 0.2:
                empty(context, cache)
                cache, tree = new_cache()
                upkeep = iter(())
        for _ in range(rng.randrange(4)):  # other work comes between its steps
            next(upkeep, None)
        assert tree.ram_used <= limits.ram_bytes
        assert sum(file.stat().st_size for file in directory.rglob("*.kv")) <= limits.disk_bytes
        actual = log_probabilities(read(context, cache, prompts[index], keep=rng.randrange(8)))
        if step % limits.checked == 0:
            expected = fresh_log_probabilities(fresh, prompts[index])
            best = np.argsort(expected)[::-1][:TOP]
            assert expected[np.argmax(actual)] > expected[best[0]] - limits.noise
            assert np.allclose(actual[best], expected[best], atol=limits.noise)
    context.close()
    fresh.close()
    model.close()


def open_context(model, n_seq_max, limits):
    return Context(
        model,
        n_ctx=1536,
        n_threads=limits.n_threads,
        n_threads_batch=limits.n_threads,
        flash_attention=True,
        n_seq_max=n_seq_max,
    )


def edit(rng, tokens):
    """What an editor does to a prompt: type, erase, insert above; or nothing."""
    action = rng.random()
    if action < 0.5:
        return [*tokens, *(rng.randrange(200) for _ in range(rng.randrange(1, 4)))][-500:]
    if action < 0.7:
        return tokens[: max(2, len(tokens) - rng.randrange(1, 30))]
    if action < 0.8:
        cut = rng.randrange(1, len(tokens))
        return [*tokens[:cut], rng.randrange(200), *tokens[cut:]][:500]
    return tokens


def read(context, cache, tokens, keep=0):
    """Bring a slot up to ``tokens``; the logits after the last of them."""
    slot, _ = cache.claim(tokens)
    while (done := len(slot.tokens)) < len(tokens):
        chunk = tokens[done : done + 128]
        outcome = context.decode(
            chunk, seq=slot.seq, position=done, outputs=int(done + len(chunk) == len(tokens))
        )
        if outcome.value == "full":
            assert cache.make_room()
            continue
        assert outcome.value == "done"
        slot.tokens.extend(chunk)
    logits = context.logits().copy()
    slot.stable = max(0, len(tokens) - keep)
    cache.release(slot)
    return logits


def empty(context, cache):
    """What the end of a process does to the cells."""
    for slot in cache.slots:
        context.remove(slot.seq, 0)


def give_up(context, cache, tokens):
    """Begin to read and be stopped in the middle of a step."""
    slot, _ = cache.claim([*tokens, 7, 7, 7])
    context.abort()
    outcome = context.decode((7, 7), seq=slot.seq, position=len(slot.tokens), outputs=1)
    context.clear_abort()
    assert outcome.value != "done"
    cache.release(slot)


def log_probabilities(logits):
    shifted = logits - logits.max()
    return shifted - np.log(np.exp(shifted).sum())


def fresh_log_probabilities(context, tokens):
    context.remove(0, 0)
    for start in range(0, len(tokens), 128):
        context.decode(tokens[start : start + 128], seq=0, position=start, outputs=1)
    return log_probabilities(context.logits())
