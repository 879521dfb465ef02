"""The API's own description, as it is served."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from comptroller.core.role import Right
from comptroller.server.api.endpoint import Ask, Endpoint
from comptroller.server.api.openapi import document
from comptroller.server.render import Json


class OpenApi(BaseModel):
    """An OpenAPI 3.1 document."""

    model_config = ConfigDict(extra="allow")

    openapi: str
    info: dict[str, object]
    paths: dict[str, object]


async def openapi(ask: Ask) -> Json:
    """The document over everything that is served over TCP."""
    return document(ask.endpoints)


ENDPOINTS = (
    Endpoint(
        "GET", "/openapi.json", Right.READ, openapi, answer=OpenApi, summary="This API as an OpenAPI 3.1 document"
    ),
)
