"""Find and replace the region's personal data: rules as data, a batch finder, Presidio recognisers.

Example with Presidio:

from pipelines.personal_data import recognizers

registry = RecognizerRegistry(recognizers=recognizers("ru"), supported_languages=["ru"])
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipelines.personal_data.recognisers import RegionalRecognizer as RegionalRecognizer
    from pipelines.personal_data.recognisers import recognizers as recognizers

__all__ = ["RegionalRecognizer", "recognizers"]


def __getattr__(name: str) -> Any:
    """Import the recognisers on first access, because Presidio takes seconds to load."""
    if name in __all__:
        from pipelines.personal_data import recognisers

        return getattr(recognisers, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
