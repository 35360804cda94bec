"""Keep libraries quiet; imports none of them, so that it can come before they are."""

from __future__ import annotations

import logging
import os
import warnings


def quiet() -> None:
    """Keep libraries from talking over the command's own output, and from calling home."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    logging.basicConfig(level=logging.ERROR)
    for name in ("great_expectations", "apache_beam", "presidio-analyzer"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=FutureWarning)
