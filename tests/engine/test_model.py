"""What a model file says of itself, and its texts as tokens."""

import pytest

from fimble.engine.llama.model import Backend, Model
from fimble.engine.messages import Prompt
from fimble.errors import UnsupportedModel
from tiny import add_sentence_pieces, running, write_model


@pytest.fixture(scope="module")
def pieces(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "pieces.gguf"
    return write_model(path, add_vocabulary=add_sentence_pieces)


@pytest.mark.parametrize("text", ["ret", "  ret", "\n    re", "été", " "])
def test_a_text_is_its_tokens_and_no_space_before_them(pieces, text):
    model = Model(Backend(), pieces, vocab_only=True)
    token_bytes = model.token_bytes()
    assert b"".join(token_bytes[token] for token in model.tokenize(text)) == text.encode()
    model.close()


async def test_a_text_of_sentence_pieces_is_judged(pieces):
    async with running(pieces) as engine:
        surprises = await engine.surprise(Prompt(("x = ",)), "re + ret")
    assert surprises[-1].end == len("re + ret")


@pytest.mark.parametrize("architecture", ["mamba", "jamba"])
def test_a_model_that_cannot_be_cut_back_is_refused(tmp_path, architecture):
    model = Model(
        Backend(), write_model(tmp_path / "m.gguf", architecture=architecture), vocab_only=True
    )
    with pytest.raises(UnsupportedModel, match="recurrent"):
        model.info()
    model.close()
