"""``--tcp``: a socket of this machine only, and only for who knows the token."""

import asyncio
import contextlib
import json
import re

import pytest

TOKEN = "let-me-in"  # noqa: S105


class Connection:
    """One connection to the server's socket."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    async def close(self):
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()

    def send(self, message):
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.writer.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)

    async def read(self):
        """The next message, or None when the server closed the connection."""
        async with asyncio.timeout(20):
            try:
                header = await self.reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError as end:
                if end.partial:
                    raise
                return None
            return json.loads(await self.reader.readexactly(int(header.split()[1])))

    async def ask(self, method, params=None):
        self.send({"id": 1, "method": method, "params": params})
        while (message := await self.read()) is not None and message.get("id") != 1:
            pass
        return message


@pytest.fixture
async def listening(scripted, environment):
    """A server and the port it listens on."""
    environment["FIMBLE_TOKEN"] = TOKEN
    async with scripted(arguments=("--tcp", "0")) as server:
        await server.until(lambda one: any("listening" in line for line in one.log))
        line = next(line for line in server.log if "listening" in line)
        assert line.endswith(f"token {TOKEN}")
        yield server, int(re.search(r"127\.0\.0\.1:(\d+)", line).group(1))


@pytest.fixture
async def connect(listening):
    """Opens connections to the server, and closes them in the end."""
    _, port = listening
    opened = []

    async def open_one():
        opened.append(Connection(*await asyncio.open_connection("127.0.0.1", port)))
        return opened[-1]

    yield open_one
    for connection in opened:
        await connection.close()


def hello(**options):
    return {"capabilities": {}, "processId": None, "rootUri": None, **options}


async def test_only_the_token_opens_and_only_once(listening, connect):
    server, _ = listening
    refused = (
        ("initialize", hello()),
        ("initialize", hello(initializationOptions={"token": "guess"})),
        ("initialize", hello(initializationOptions={"token": 5})),
        ("initialize", [1]),
        ("fimble/status", {}),
    )
    for method, params in refused:
        stranger = await connect()
        answer = await stranger.ask(method, params)
        assert "token" in answer["error"]["message"]
        assert await stranger.read() is None

    for silent in ({"method": "exit"}, {"method": "initialized", "params": {}}):
        stranger = await connect()
        stranger.send(silent)
        assert await stranger.read() is None

    stranger = await connect()
    stranger.writer.write(b"Content-Length: 2000000\r\n\r\n")
    assert await stranger.read() is None

    client = await connect()
    answer = await client.ask("initialize", hello(initializationOptions={"token": TOKEN}))
    assert answer["result"]["capabilities"]["inlineCompletionProvider"] == {}
    client.send({"method": "initialized", "params": {}})
    assert (await client.ask("fimble/status"))["result"]["settings"] == {"problems": []}

    stranger = await connect()
    answer = await stranger.ask("initialize", hello(initializationOptions={"token": TOKEN}))
    assert "token" in answer["error"]["message"]

    await client.ask("shutdown")
    client.send({"method": "exit"})
    assert await server.ended() == 0
    await server.close()
    assert not [line for line in server.log if ".py:" in line], "no tracebacks"


async def test_the_server_ends_when_its_client_is_gone(listening, connect):
    server, _ = listening
    stranger = await connect()
    client = await connect()
    await client.ask("initialize", hello(initializationOptions={"token": TOKEN}))
    await client.close()
    assert await server.ended() == 1
    assert await stranger.read() is None
