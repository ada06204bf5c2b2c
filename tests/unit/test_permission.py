"""Who may run code: what the settings say, else the user, who need not answer."""

import asyncio
from types import SimpleNamespace

import pytest
from lsprotocol import types

from fimble.features import examples
from fimble.protocol.permission import Permissions
from fimble.settings import read

ROOT = "/home/someone/project"
URI = f"file://{ROOT}/a.py"


class Client:
    """A server whose client answers, or does not."""

    def __init__(self, execute="ask", answer=None, root=ROOT):
        settings, _ = read({"verify": {"execute": execute}})
        self.session = SimpleNamespace(settings=settings)
        self.workspace = SimpleNamespace(folders={f"file://{root}": None}, root_uri=None)
        self.answer = answer
        self.questions = []

    async def window_show_message_request_async(self, params):
        self.questions.append(params.message)
        if self.answer == "":
            await asyncio.get_running_loop().create_future()
        return None if self.answer is None else types.MessageActionItem(self.answer)


@pytest.fixture(autouse=True)
def shut_in(monkeypatch):
    able = SimpleNamespace(value=True)

    async def can_shut_in():
        return able.value

    monkeypatch.setattr(examples, "can_shut_in", can_shut_in)
    return able


@pytest.mark.parametrize(("execute", "expected"), [("always", True), ("never", False)])
async def test_who_has_set_it_is_not_asked(tmp_path, execute, expected):
    client = Client(execute, "Allow")
    assert await Permissions(tmp_path).may_run(client, URI) is expected
    assert client.questions == []


@pytest.mark.parametrize(
    ("answer", "allowed", "again"),
    [("Allow", True, 0), ("Never", False, 0), ("Not now", False, 1), (None, False, 1)],
)
async def test_the_answer_is_kept(tmp_path, answer, allowed, again):
    client, permissions = Client(answer=answer), Permissions(tmp_path)
    assert [await permissions.may_run(client, URI) for _ in range(2)] == [allowed] * 2
    assert len(client.questions) == 1
    # In the next session.
    client = Client(answer=answer)
    assert await Permissions(tmp_path).may_run(client, URI) is allowed
    assert len(client.questions) == again


async def test_without_an_answer_it_goes_on_without(tmp_path):
    client, permissions = Client(answer=""), Permissions(tmp_path, seconds=0.0)
    assert [await permissions.may_run(client, URI) for _ in range(2)] == [False] * 2
    assert len(client.questions) == 1
    permissions.close()


async def test_two_actions_ask_once(tmp_path):
    client, permissions = Client(answer="Allow"), Permissions(tmp_path)
    asked = [permissions.may_run(client, URI) for _ in range(2)]
    assert await asyncio.gather(*asked) == [True, True]
    assert len(client.questions) == 1


async def test_each_workspace_is_asked_for_itself(tmp_path):
    permissions = Permissions(tmp_path)
    assert await permissions.may_run(Client(answer="Allow"), URI)
    other = Client(answer="Never", root="/home/someone/other")
    assert not await permissions.may_run(other, "file:///home/someone/other/a.py")
    assert not await permissions.may_run(other, "file:///elsewhere/a.py")
    assert len(other.questions) == 1


async def test_where_nothing_can_be_shut_in_nobody_is_asked(tmp_path, shut_in):
    shut_in.value = False
    client = Client(answer="Allow")
    assert not await Permissions(tmp_path).may_run(client, URI)
    assert not await Permissions(tmp_path).may_run(Client("always"), URI)
    assert client.questions == []


async def test_a_damaged_answer_is_none(tmp_path):
    assert await Permissions(tmp_path).may_run(Client(answer="Allow"), URI)
    [file] = tmp_path.iterdir()
    file.write_bytes(b"\xff\x00")
    client = Client(answer="Never")
    assert not await Permissions(tmp_path).may_run(client, URI)
    assert len(client.questions) == 1


async def test_without_a_place_to_keep_it_the_answer_counts_for_this_session():
    permissions = Permissions(None)
    assert await permissions.may_run(Client(answer="Allow"), URI)
    assert await permissions.may_run(Client(answer="Never"), URI)
