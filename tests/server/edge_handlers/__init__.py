"""Handlers of the edge tests' own small spec."""
