"""Posted forms: bounded, each field once unless it may repeat, and only with the session's own token."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs

from starlette.requests import Request

from comptroller.core.errors import UsageError
from comptroller.server.operations import ForbiddenError
from comptroller.server.problem import body_bytes
from comptroller.server.sessions import Session, same_secret

FORM_TYPE = "application/x-www-form-urlencoded"
FIELDS_MAX = 1_100


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form whose token was right."""

    fields: Mapping[str, tuple[str, ...]]

    def text(self, name: str, default: str = "") -> str:
        """The one value of a field. Raises `UsageError` where it is there twice."""
        values = self.fields.get(name, (default,))
        if len(values) != 1:
            raise UsageError(f"the field `{name}` appears twice")
        return values[0]

    def many(self, name: str) -> tuple[str, ...]:
        """Every value of a field that may repeat."""
        return self.fields.get(name, ())

    def ticked(self, name: str) -> bool:
        """Whether a box was ticked."""
        return self.text(name) == "yes"


async def read_form(request: Request, session: Session) -> Form:
    """The form in the body of a request. Raises `ForbiddenError` without the session's token, `UsageError`."""
    if request.headers.get("content-type", "").split(";")[0].strip() != FORM_TYPE:
        raise ForbiddenError("only this page's own forms are accepted")
    try:
        text = (await body_bytes(request)).decode("utf-8")
        found = parse_qs(text, keep_blank_values=True, max_num_fields=FIELDS_MAX, strict_parsing=bool(text))
    except ValueError as error:
        raise UsageError("the form cannot be read") from error
    form = Form({name: tuple(values) for name, values in found.items()})
    if not same_secret(form.text("csrf"), session.csrf):
        raise ForbiddenError("the form's token is missing or old", hint="reload the page")
    return form
