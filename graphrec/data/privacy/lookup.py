"""Who somebody is in a dataset that knows its users by pseudonym, for those who have the key."""

from collections.abc import Sequence

from graphrec.data.dataset import Dataset
from graphrec.data.privacy.key import SecretKey
from graphrec.data.privacy.pseudonyms import Pseudonyms
from graphrec.data.privacy.settings import KeySource
from graphrec.errors import GraphRecError


def ids_known(dataset: Dataset, user_ids: Sequence[str], key: KeySource | None = None) -> list[str]:
    """The ids by which the dataset knows these people.

    Without a key they are the ids as given. With the key they are taken for the ids in the dataset's files, and one
    person may have several pseudonyms there: one for each scope and user prefix under which they are known.

    Raises GraphRecError for somebody whom the dataset does not know where it has pseudonyms, and for a key where it has
    none.
    """
    settings = dataset.description.privacy.pseudonyms
    if settings is None:
        if key is not None:
            raise GraphRecError("This run knows its users by their own ids, not by pseudonyms: leave the key out.")
        return list(user_ids)
    if key is None:
        for one in user_ids:
            if one not in dataset.user_id_index:
                raise GraphRecError(
                    f"Unknown user {one!r}: this run knows its users by pseudonyms (u{settings.version}_...); "
                    "give --key-env NAME or --key-file FILE to name them by their own ids."
                )
        return list(user_ids)
    secret = SecretKey.read(key)
    files = dataset.description.interaction_files
    ways = dict.fromkeys((source.pseudonym_scope or settings.scope, source.user_prefix) for source in files)
    known = []
    for one in user_ids:
        theirs = [Pseudonyms(secret, scope, settings.version).of([prefix + one])[0] for scope, prefix in ways]
        found = [pseudonym for pseudonym in theirs if pseudonym in dataset.user_id_index]
        if not found:
            raise GraphRecError(
                f"Unknown user {one!r}: not in the run under this key and version {settings.version}. Is it the key "
                "that the run was read with?"
            )
        known += found
    return known
