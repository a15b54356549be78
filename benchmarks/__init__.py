"""Measures memio beside what else one could run; `python -m benchmarks --help`."""
