"""A new column out of an existing one by a regular expression."""

import pyarrow as pa
import pyarrow.compute as pc

from graphrec.data.normalise.settings import Extraction
from graphrec.data.set_aside import SetAsideCollector
from graphrec.data.tables.table import Table, to_strings

_ANYTHING = r"[\s\S]*"


def extracted(
    table: Table, source: str, extraction: Extraction, name: str, collector: SetAsideCollector
) -> dict[str, pa.Array]:
    """The new column `name`, and the one it stood in where the match is cut out of it; "" where nothing matches."""
    text = table.columns[source]
    has_match = pc.match_substring_regex(text, extraction.pattern)
    whole = f"^{_ANYTHING}?(?:{extraction.pattern}){_ANYTHING}$"
    value = pc.if_else(has_match, pc.replace_substring_regex(text, whole, r"\1", max_replacements=1), "")
    num_without = len(table) - (pc.sum(has_match).as_py() or 0)
    if num_without:
        row = int(table.row_N[~has_match.to_numpy(zero_copy_only=False)][0])
        collector.note(
            f"{table.file}: {num_without} of {len(table)} rows have no {name} in column {source!r}, such as row {row}"
        )
    columns = {name: to_strings(pc.utf8_trim_whitespace(value))}
    if extraction.cut:
        rest = pc.replace_substring_regex(text, extraction.pattern, "", max_replacements=1)
        columns[source] = to_strings(pc.utf8_trim_whitespace(rest))
    return columns
