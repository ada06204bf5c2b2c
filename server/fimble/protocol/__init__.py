"""LSP's one door: the only room that knows pygls and lsprotocol.

Read `server.py` first, then `inline.py` for the life of a request. `rpc.py` and `transport.py`
carry messages, `host.py` keeps the engine, and there is one file per group of LSP methods.
"""
