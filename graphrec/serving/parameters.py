"""Query parameters that no path knows are refused: a misspelt one would be a wish that nobody hears."""

from fastapi import Request

from graphrec.errors import GraphRecError


def refuse_unknown(request: Request) -> None:
    """Raise GraphRecError for the first parameter that the document does not name for the path."""
    operation = request.app.openapi()["paths"][request.scope["route"].path_format][request.method.lower()]
    known = [one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"]
    for name in request.query_params:
        if name not in known:
            have = f"it knows {', '.join(known)}" if known else "it knows none"
            raise GraphRecError(f"Unknown query parameter {name!r}; {have}.")
