"""Who is asking: dependencies that give a route its View."""

from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.session import authorization
from api.tokens import demand_operator, operator
from api.visibility import View

if TYPE_CHECKING:
    from api.services import Services

_bearer = HTTPBearer(auto_error=False, description="An operator's token")
# for the OpenAPI document; what is wrong with a token is told by api.tokens. Only operators' routes name it:
# a lock at what everybody may read would keep people from reading it
_Bearer = Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]


async def _view(request: Request) -> View:
    services: Services = request.app.state.services
    name = operator(authorization(request), services.tokens)
    return View(services, request.app.state.book, name)


async def _operator_view(request: Request, _: _Bearer) -> View:
    services: Services = request.app.state.services
    name = demand_operator(authorization(request), services.tokens)
    return View(services, request.app.state.book, name)


AnyCaller = Annotated[View, Depends(_view)]
Operator = Annotated[View, Depends(_operator_view)]
