"""Who a user id of a request is, where the run knows its people by pseudonym."""

from graphrec.data.description import DatasetDescription
from graphrec.data.privacy.key import SecretKey
from graphrec.data.privacy.pseudonyms import Pseudonyms
from graphrec.errors import GraphRecError
from graphrec.living.ids import Ids


def known_as(user_id: str, users: Ids, description: DatasetDescription) -> str | None:
    """The id by which the run knows this person, None where it does not.

    Where the run has pseudonyms, an id is one of them, or is turned into each that it may have with the run's own key;
    without that key in the service's environment only pseudonyms are known.
    """
    if _is_known(user_id, users):
        return user_id
    settings = description.privacy.pseudonyms
    if settings is None:
        return None
    try:
        secret = SecretKey.read(settings)
    except GraphRecError:
        return None
    for source in description.sources_as_read:
        pseudonyms = Pseudonyms(secret, source.pseudonym_scope or settings.scope, settings.version)
        found = str(pseudonyms.of([source.user_prefix + user_id])[0])
        if _is_known(found, users):
            return found
    return None


def _is_known(user_id: str, users: Ids) -> bool:
    return bool(users.indices([user_id])[0] >= 0)
