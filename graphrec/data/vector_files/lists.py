"""A column of lists of numbers as one matrix: lists of an odd length are set aside."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from graphrec.data.set_aside import SetAsideCollector
from graphrec.data.vector_files.rows import VectorRows
from graphrec.errors import GraphRecError


def matrix_of_lists(
    ids: np.ndarray, column: pa.ChunkedArray, row_R: np.ndarray, file: str, collector: SetAsideCollector, name: str
) -> VectorRows:
    """As many features as most lists have. Raises GraphRecError where most are empty."""
    length_R = pc.fill_null(pc.list_value_length(column), 0).to_numpy().astype(np.int64)
    num_features = int(np.bincount(length_R).argmax())
    is_odd_R = length_R != num_features
    for length in np.unique(length_R[is_odd_R]):
        is_this_R = length_R == length
        collector.add(file, row_R[is_this_R], name, ids[is_this_R], f"expected {num_features} numbers, got {length}")
    if num_features == 0:
        raise GraphRecError(f"{file}: most of its vectors are empty.")
    flat = pc.list_flatten(column.filter(pa.array(~is_odd_R))).combine_chunks()
    chunks = [chunk.to_numpy(zero_copy_only=False) for chunk in getattr(flat, "chunks", [flat])]
    return VectorRows(ids[~is_odd_R], np.concatenate(chunks).reshape(-1, num_features), row_R[~is_odd_R])
