"""Vectors that the user brings, joined to the catalogue by id."""

import pandas as pd

from graphrec.data.catalogue import Catalogue
from graphrec.data.dataset import OwnVectors
from graphrec.errors import GraphRecError
from graphrec.features.modality import Modality


def join_own_vectors(name: str, vectors: OwnVectors, catalogue: Catalogue) -> tuple[Modality, int]:
    """The modality, and how many of the vectors belong to no item of the catalogue.

    Raises GraphRecError where not a single id is an item's.
    """
    row_I = pd.Index(vectors.ids, dtype=object).get_indexer(catalogue.id_index)
    modality = Modality.from_rows(vectors.x_RF, row_I)
    if modality.num_present == 0:
        raise GraphRecError(
            f"Vectors {name!r}: none of their {len(vectors.ids)} ids is an item id of the catalogue "
            f"(theirs look like {vectors.ids[0]!r}, the items' like {catalogue.item_ids[0]!r}); "
            "check the ids file and item_prefix."
        )
    return modality, len(vectors.ids) - modality.num_present
