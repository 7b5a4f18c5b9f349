"""The hub of model weights, where there may be no network: no waiting, and what was fetched before is used."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit
from urllib.request import getproxies

_PATIENCE_SECONDS = 5.0


@contextmanager
def offline_where_unreachable() -> Iterator[bool]:
    """Yields whether the hub can be reached; where it cannot, its client is kept from trying for a minute."""
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    can_reach = not before and (bool(getproxies()) or _answers(constants.ENDPOINT))  # a proxy resolves names itself
    constants.HF_HUB_OFFLINE = not can_reach
    try:
        yield can_reach
    finally:
        constants.HF_HUB_OFFLINE = before


def _answers(url: str) -> bool:
    place, found = urlsplit(url), []
    address = (place.hostname or "", place.port or (80 if place.scheme == "http" else 443))

    def connect() -> None:
        try:
            socket.create_connection(address, timeout=_PATIENCE_SECONDS).close()
            found.append(True)
        except OSError:
            pass

    # In a thread of its own: looking up a name has no time limit.
    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(_PATIENCE_SECONDS)
    return bool(found)
