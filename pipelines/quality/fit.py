"""Fit a fastText model in a separate process: `python -m pipelines.quality.fit JSON`.

With one thread fastText initialises only the first tenth of its input matrix: `DenseMatrix::uniform`
gives a tenth to each thread.  The rest keeps the old content of the memory.  The same documents
then give different models, or none ("Encountered NaN").  `ENVIRONMENT` makes glibc fill new memory
with zeros, so the same documents give the same model.  Words whose vectors begin at zero learn from
the other words.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from schemas.errors import BAD_USAGE, TamgaError

#: malloc fills new memory with the complement of this byte (mallopt(3), M_PERTURB).
ENVIRONMENT: Final = {"MALLOC_PERTURB_": "255", "GLIBC_TUNABLES": "glibc.malloc.perturb=255"}


class FitError(TamgaError):
    """fastText could not fit the model; the message is fastText's."""

    exit_code = BAD_USAGE


def fit(arguments: Mapping[str, Any], out: str) -> None:
    """Train a model with fastText's arguments and save it at `out`.

    Raises:
      FitError: fastText failed.
    """
    path = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")]
    process = subprocess.run(
        [sys.executable, "-m", __name__, json.dumps({"out": out, **arguments})],
        env=os.environ | ENVIRONMENT | {"PYTHONPATH": os.pathsep.join(filter(None, path))},
        stdout=subprocess.PIPE,
        text=True,
    )
    if process.returncode:
        raise FitError(
            process.stdout.strip() or f"the process ended with the code {process.returncode}"
        )


def main() -> int:
    """Train a model in the separate process; return the exit code."""
    arguments = json.loads(sys.argv[1])
    out = arguments.pop("out")
    from fasttext.FastText import train_supervised

    try:
        train_supervised(thread=1, **arguments).save_model(out)
    except (RuntimeError, ValueError, MemoryError) as error:
        print(error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
