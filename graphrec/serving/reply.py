"""A model as the answer: written once, and not checked against its own schema again."""

from pydantic import BaseModel
from starlette.responses import Response

from graphrec.serving.uploads import JSON


def reply(answer: BaseModel) -> Response:
    """JSON that no cache keeps: the next change makes another answer."""
    return Response(answer.model_dump_json(), media_type=JSON, headers={"Cache-Control": "no-store"})
