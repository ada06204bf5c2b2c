"""What the model gets to see: the anchored layout, its budget, and the model's own format.

Pure functions of frozen snapshots; nothing here waits, reads files or talks to the engine.
"""
