"""Runs a llama-server binary on the loopback interface and asks it."""

from __future__ import annotations

import asyncio
import json
import socket
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from time import perf_counter
from typing import IO, Any, Final

from fimble.errors import FimbleError

LOOPBACK: Final = "127.0.0.1"
START_SECONDS: Final = 120.0
ANSWER_SECONDS: Final = 120.0
POLL_SECONDS: Final = 0.1
END_SECONDS: Final = 5.0
SAID_CHARS: Final = 800


@dataclass(frozen=True, slots=True)
class LlamaServer:
    """A running server; it computes only while a request is open."""

    port: int
    pid: int

    async def infill(self, body: Mapping[str, Any]) -> tuple[dict[str, Any], float]:
        """Return the answer and the milliseconds from making the request to having read it."""
        return await asyncio.to_thread(self._post, "/infill", body)

    def _post(self, path: str, body: Mapping[str, Any]) -> tuple[dict[str, Any], float]:
        started = perf_counter()
        connection = HTTPConnection(LOOPBACK, self.port, timeout=ANSWER_SECONDS)
        try:
            headers = {"Content-Type": "application/json"}
            connection.request("POST", path, json.dumps(body).encode(), headers)
            response = connection.getresponse()
            data = response.read()
        except (OSError, HTTPException) as error:
            raise FimbleError(f"llama-server does not answer: {error}.") from error
        finally:
            connection.close()
        answer: dict[str, Any] = json.loads(data)
        if response.status != 200:
            raise FimbleError(f"llama-server answers with an error: {answer}.")
        return answer, (perf_counter() - started) * 1000


@asynccontextmanager
async def llama_server(
    binary: Path, model: str, flags: Sequence[str]
) -> AsyncIterator[LlamaServer]:
    """Start ``binary`` with a model; end it afterwards. Raises `FimbleError` if it will not run."""
    port = _free_port()
    address = ("--host", LOOPBACK, "--port", str(port))
    with tempfile.TemporaryFile() as output:
        try:
            process = await asyncio.create_subprocess_exec(
                str(binary), "-m", model, *address, *flags, stdout=output, stderr=output
            )
        except OSError as error:
            raise FimbleError(f"{binary} cannot be started: {error.strerror}.") from error
        try:
            await _until_healthy(process, port, output)
            yield LlamaServer(port, process.pid)
        finally:
            await _end(process)


async def _until_healthy(process: asyncio.subprocess.Process, port: int, output: IO[bytes]) -> None:
    deadline = perf_counter() + START_SECONDS
    while perf_counter() < deadline:
        if process.returncode is not None:
            output.seek(0)
            said = output.read().decode(errors="replace")[-SAID_CHARS:].strip()
            raise FimbleError(f"llama-server ended with {process.returncode}.", said)
        if await asyncio.to_thread(_is_healthy, port):
            return
        await asyncio.sleep(POLL_SECONDS)
    raise FimbleError(f"llama-server is not ready after {START_SECONDS:.0f} seconds.")


def _is_healthy(port: int) -> bool:
    connection = HTTPConnection(LOOPBACK, port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


async def _end(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), END_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
    return port
