"""One short string that tells two training sets apart."""

import hashlib

import numpy as np

from graphrec.data.dataset import Dataset


def fingerprint(dataset: Dataset) -> str:
    """sha256, as hex, over item and user ids, interactions, links between sites, counts and the target site."""
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
    for site, one in sorted(dataset.counts.items()):
        for column in (one.counts_II.indptr, one.counts_II.indices, one.counts_II.data):
            digest.update(site.encode() + column.astype(np.int64).tobytes())
    if dataset.target_site is not None:
        digest.update(b"target site " + dataset.target_site.encode())
    return digest.hexdigest()
