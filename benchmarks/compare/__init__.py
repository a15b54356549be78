"""One module per comparison: ``TITLE`` and ``run(bench)``."""
