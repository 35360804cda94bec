"""A release's time stamp, asked for where the parameters name an authority."""

from __future__ import annotations

from pathlib import Path

from lineage import keys, timestamps
from pipelines import shards
from schemas.params import Params


def stamp(params: Params, root: Path) -> list[str]:
    """Ask for a time stamp over the statement of the release in `root`.

    Returns:
      The paths of what was written; none where no authority is named.

    Raises:
      lineage.timestamps.NoTimestamp: where it does not give one.
      lineage.keys.BadKey: where the release's key is not there.
    """
    if params.seal.timestamp_url is None:
        return []
    envelope = (root / timestamps.STATEMENT).read_bytes()
    answer = timestamps.asked(params.seal.timestamp_url, envelope)
    key = keys.signing_key(params.seal.signing_key, params.work / "keys")
    shards.write_bytes(root / timestamps.ANSWER, answer)
    shards.write_bytes(root / timestamps.SIGNED, timestamps.signed(answer, envelope, key))
    return [timestamps.ANSWER, timestamps.SIGNED]
