"""Personal data of the region: rules as data, Presidio recognisers, and finding by batch.

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
    """Presidio takes seconds to load: only where it is asked for."""
    if name in __all__:
        from pipelines.personal_data import recognisers

        return getattr(recognisers, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
