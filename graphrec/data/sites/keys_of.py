"""Which keys the objects of a JSON-lines file have, without reading all of it."""

import gzip
import json
from pathlib import Path

_LINES = 200


def first_keys(path: Path) -> set[str]:
    """The keys of the first objects; none where the file cannot be read (whoever reads it says why)."""
    keys: set[str] = set()
    try:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
            for _, line in zip(range(_LINES), lines, strict=False):
                content = json.loads(line)
                for row in content[:_LINES] if isinstance(content, list) else [content]:
                    keys |= row.keys() if isinstance(row, dict) else set()
    except (OSError, EOFError, ValueError, RecursionError):
        pass
    return keys
