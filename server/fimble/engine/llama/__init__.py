"""The only door to llama.cpp: its low-level interface, wrapped thinly and safely.

The high-level class of llama-cpp-python ignores the context parameters that matter here
(``n_seq_max``, ``kv_unified``, ``n_outputs_max``), copies logits and recomputes prompts, so it is
not used. llama.cpp ends the process on a violated assertion; every call here checks its
arguments first. One thread at a time may use a `Context`; `Context.abort` may be called from any.
"""
