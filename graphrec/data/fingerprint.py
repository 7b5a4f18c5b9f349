"""One short string that tells two training sets apart."""

import hashlib

from graphrec.data.dataset import Dataset


def fingerprint(dataset: Dataset) -> str:
    """sha256 over item ids, user ids, every column of the interactions and the links between sites, as hex."""
    digest = hashlib.sha256()
    for ids in (dataset.catalogue.item_ids, dataset.user_ids):
        for one in ids:
            encoded = one.encode("utf-8")
            digest.update(len(encoded).to_bytes(8, "little") + encoded)  # the length keeps "ab", "c" from "a", "bc"
    events = dataset.interactions
    for column in (events.user_index_E, events.item_index_E, events.weight_E, events.timestamp_E, events.site_index_E):
        digest.update(column.tobytes())
    if len(dataset.same_as):  # none leaves the fingerprint as it was before there were links
        for column in (dataset.same_as.left_P, dataset.same_as.right_P, dataset.same_as.weight_P):
            digest.update(column.tobytes())
    return digest.hexdigest()
