"""May this be shown: stop rules while the model writes, trimming, and the parse gate.

Pure functions of text and snapshots. The model almost never stops by itself, so these rules are
a part of it.
"""
