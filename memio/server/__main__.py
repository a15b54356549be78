"""``python -m memio.server``: the same as the command ``memio-server``."""

from memio.cli import main

if __name__ == "__main__":
    main()
