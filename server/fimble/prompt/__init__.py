"""What the model gets to see: the anchored layout, its budget, and the model's own format.

Pure functions of frozen snapshots, but for the index of the workspace (`index`, `library`,
`indexer`), which reads files in a process of its own.
"""
