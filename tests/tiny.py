"""Tiny random GGUF models and workers on them: the real llama.cpp, in milliseconds."""

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path

import gguf
import numpy as np

from fimble.engine.client import EngineConfig, WorkerEngine
from fimble.engine.messages import Profile, State

FIM = ("<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>")
WIDTH = 64
HEADS = 2
LAYERS = 2
FEED_FORWARD = 128


def byte_characters():
    """GPT-2's printable stand-ins for the 256 bytes."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    table = {byte: chr(byte) for byte in plain}
    table |= {byte: chr(256 + index) for index, byte in enumerate(others)}
    return [table[byte] for byte in range(256)]


def add_byte_pairs(writer, sentinels):
    """A byte-level vocabulary with a few merges; how many tokens it has."""
    merges = ["r e", "re t", "Ġ r", "Ġr e", "Ġ Ġ", "ĠĠ ĠĠ"]
    tokens = byte_characters() + [merge.replace(" ", "") for merge in merges]
    kinds = [gguf.TokenType.NORMAL] * len(tokens)
    tokens += ["<|endoftext|>", *sentinels]
    kinds += [gguf.TokenType.CONTROL] * (1 + len(sentinels))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(merges)
    writer.add_eos_token_id(tokens.index("<|endoftext|>"))
    return len(tokens)


def add_sentence_pieces(writer, sentinels):
    """The same in the manner of SentencePiece, as CodeLlama has it."""
    kind = gguf.TokenType
    tokens = {"<unk>": kind.UNKNOWN, "<s>": kind.CONTROL, "</s>": kind.CONTROL}
    tokens |= {f"<0x{byte:02X}>": kind.BYTE for byte in range(256)}
    tokens |= dict.fromkeys(("▁", "▁▁", "r", "e", "t", "re", "ret", "▁ret"), kind.NORMAL)
    tokens |= dict.fromkeys(sentinels, kind.CONTROL)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(list(tokens))
    writer.add_token_scores([float(-index) for index in range(len(tokens))])
    writer.add_token_types(list(tokens.values()))
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    return len(tokens)


def write_model(
    path: Path,
    *,
    architecture="llama",
    sentinels=FIM,
    width=WIDTH,
    add_vocabulary=add_byte_pairs,
) -> Path:
    """A byte-level model with random weights; ``sentinels`` are its control tokens."""
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_name("tiny")
    writer.add_context_length(2048)
    writer.add_embedding_length(width)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    n_vocab = add_vocabulary(writer, sentinels)
    writer.add_add_bos_token(False)

    rng = np.random.default_rng(7)

    def add(name, *shape):
        values = rng.normal(0, 0.3, shape) if len(shape) > 1 else np.ones(shape)
        writer.add_tensor(name, values.astype(np.float32))

    add("token_embd.weight", n_vocab, width)
    add("output.weight", n_vocab, width)
    add("output_norm.weight", width)
    for layer in range(LAYERS):
        prefix = f"blk.{layer}"
        for name in ("attn_norm", "ffn_norm"):
            add(f"{prefix}.{name}.weight", width)
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            add(f"{prefix}.{name}.weight", width, width)
        add(f"{prefix}.ffn_gate.weight", FEED_FORWARD, width)
        add(f"{prefix}.ffn_up.weight", FEED_FORWARD, width)
        add(f"{prefix}.ffn_down.weight", width, FEED_FORWARD)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


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
