"""Who somebody is in a dataset that knows its users by pseudonym, for those who have the key."""

from collections.abc import Container, Sequence

from graphrec.data.dataset import Dataset
from graphrec.data.privacy.key import SecretKey
from graphrec.data.privacy.pseudonyms import Pseudonyms
from graphrec.data.privacy.settings import KeySource
from graphrec.errors import GraphRecError


def ids_known(
    dataset: Dataset, user_ids: Sequence[str], key: KeySource | None = None, later: Container[str] = ()
) -> list[str]:
    """The ids by which the dataset knows these people; `later` are ids of people who came since it was read.

    Without a key they are the ids as given. With the key they are taken for the ids in the dataset's files, with or
    without their file's user prefix, or for pseudonyms; one person has one for each scope under which they are known.

    Raises GraphRecError for somebody whom the dataset does not know where it has pseudonyms, for an id that several
    people have whom prefixes keep apart, and for a key where it has no pseudonyms.
    """
    settings = dataset.description.privacy.pseudonyms
    if settings is None:
        if key is not None:
            raise GraphRecError("This run knows its users by their own ids, not by pseudonyms: leave the key out.")
        return list(user_ids)
    if key is None:
        for one in user_ids:
            if one not in dataset.user_id_index and one not in later:
                raise GraphRecError(
                    f"Unknown user {one!r}: this run knows its users by pseudonyms (u{settings.version}_...); "
                    "give --key-env NAME or --key-file FILE to name them by their own ids."
                )
        return list(user_ids)
    secret = SecretKey.read(key)
    sources = dataset.description.sources_as_read
    ways = dict.fromkeys((source.pseudonym_scope or settings.scope, source.user_prefix) for source in sources)
    known: list[str] = []
    for one in user_ids:
        if one in dataset.user_id_index or one in later:
            known.append(one)
            continue
        people: dict[str, list[str]] = {}  # by their whole id, with its prefix
        for scope, prefix in ways:
            for whole in dict.fromkeys([prefix + one, *([one] if one.startswith(prefix) else [])]):
                pseudonym = Pseudonyms(secret, scope, settings.version).of([whole])[0]
                if pseudonym in dataset.user_id_index or pseudonym in later:
                    people.setdefault(whole, []).append(pseudonym)
        if not people:
            raise GraphRecError(
                f"Unknown user {one!r}: not in the run under this key and version {settings.version}. Is it the key "
                "that the run was read with?"
            )
        if len(people) > 1:
            # Where there is no prefix, only the pseudonyms tell this person from the others.
            choices = [whole if whole != one else " ".join(dict.fromkeys(theirs)) for whole, theirs in people.items()]
            raise GraphRecError(
                f"User {one!r} is {len(people)} people, whom the prefixes of their files keep apart: name the one, or "
                f"each of them: {', '.join(choices)}."
            )
        known += dict.fromkeys(pseudonym for theirs in people.values() for pseudonym in theirs)
    return known
