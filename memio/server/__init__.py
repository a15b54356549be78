"""The HTTP server: the only code that knows connexion."""

from memio.server.app import create_app
from memio.server.logs import configure_logging
from memio.server.settings import EdgeSettings
from memio.server.spec import Spec

__all__ = ["EdgeSettings", "Spec", "configure_logging", "create_app"]
