"""The model: a child process that owns llama.cpp, and the client that supervises it.

Read `base.py` for the interface, `messages.py` for what crosses the pipe, then follow a token
through `client.py`, `worker.py`, `scheduler.py`, `decode.py`, `kv.py` and `llama/`.
"""
