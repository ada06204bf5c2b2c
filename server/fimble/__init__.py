"""Fimble: a language server that completes code with a model on your own machine."""

__version__ = "0.1.0"
