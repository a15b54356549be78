"""memio-server whose patience with heads and bodies ends after a second."""

from functools import partial

from memio.cli import main
from memio.server import run

SECONDS = 1.0

if __name__ == "__main__":
    run.StrictProtocol.head_seconds = SECONDS
    run.EdgeSettings = partial(run.EdgeSettings, body_timeout=SECONDS)
    main()
