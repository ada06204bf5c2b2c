"""``fimble eval``: how good the suggestions are, asked of the whole server through the protocol.

`rows` reads what is to be completed, `ask` lets the server complete it and `raw` the bare model in
llama-server, `score` judges one answer, `stats` and `figures` sum up, `run` puts it together.
"""
