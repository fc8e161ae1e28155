"""A server that says what it was given: what the HTTP around an answer costs. FOLDER PORT."""

import sys
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


def application(folder: Path) -> Starlette:
    """Answers /NAME with the bytes of the file NAME, each read once."""
    known: dict[str, bytes] = {}

    async def answer(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in known:
            known[name] = (folder / name).read_bytes()
        return Response(known[name], media_type="application/json")

    return Starlette(routes=[Route("/{name}", answer)])


if __name__ == "__main__":
    uvicorn.run(
        application(Path(sys.argv[1])),
        host="127.0.0.1",
        port=int(sys.argv[2]),
        log_level="warning",
        access_log=False,
    )
