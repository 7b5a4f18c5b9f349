"""Who may do what: the API key of a request and its scope."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from graphrec.serving.access_log import note
from graphrec.serving.keys import Scope
from graphrec.serving.problems import ProblemError
from graphrec.serving.service import service_of

_bearer = HTTPBearer(auto_error=False, description="An API key: `Authorization: Bearer gr_…`.")
_Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


def requires(scope: Scope) -> Callable[[Request, _Credentials], Awaitable[None]]:
    """A dependency that lets requests in whose key has this scope: 401 for an unknown key, 403 for another scope."""

    async def check(request: Request, credentials: _Credentials) -> None:
        keys = service_of(request).keys
        if not keys.are_required:
            return
        record = None if credentials is None else keys.find(credentials.credentials)
        if record is None:
            raise ProblemError(
                401,
                "An API key is needed: send it as `Authorization: Bearer gr_…`; `graphrec serve --new-key` makes one.",
                headers={"WWW-Authenticate": "Bearer"},
            )
        if scope not in record.scopes:
            raise ProblemError(403, f"This API key lacks the scope {scope}.")
        note(request.scope, client=record.name)

    return check
