"""Silence libraries.  Imports none of them, so it can run before they are imported."""

from __future__ import annotations

import logging
import os
import warnings


def quiet() -> None:
    """Keep libraries from printing between the command's own lines, and from sending analytics."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    logging.basicConfig(level=logging.ERROR)
    for name in ("great_expectations", "apache_beam", "presidio-analyzer"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=FutureWarning)
