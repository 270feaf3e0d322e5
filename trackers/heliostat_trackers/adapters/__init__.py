"""Adapters: other optimizers' trials as runs, while they happen."""
