"""The answer a service itself would give to whoever is not authorized, in the protocol of the request."""

from __future__ import annotations

import hashlib
import json
from xml.sax.saxutils import escape

from comptroller.core.action import Action
from comptroller.core.request import Header, NativeResponse, Request
from comptroller.decode.aws import index
from comptroller.decode.aws.identify import protocol_of

STATUS = 403
MESSAGE_CHARACTERS_MAX = 4096
EC2_CODE = "UnauthorizedOperation"
XML_CODE = "AccessDenied"
JSON_CODE = "AccessDeniedException"


def refuse(action: Action, request: Request, message: str) -> NativeResponse:
    """`not authorized`, natively. Never raises."""
    service = action.operation.removeprefix(index.PREFIX).partition(":")[0]
    protocol = _protocol(request, service)
    said = "".join(letter if letter.isprintable() or letter == "\n" else "?" for letter in message)
    said = said[:MESSAGE_CHARACTERS_MAX].encode("utf-8", "replace").decode("utf-8")
    ident = _request_id(request)
    body, headers = _body(protocol, service, said, ident)
    if request.method == "HEAD":
        body = b""
    return NativeResponse(
        status=STATUS,
        headers=(*headers, Header("x-amzn-requestid", ident), Header("content-length", str(len(body)))),
        body=body,
    )


def _protocol(request: Request, service: str) -> str:
    known = index.load().services
    if service not in known:
        place = index.place(request.host)
        service = place.services[0] if place else ""
    if service in known:
        return protocol_of(request, service)
    if request.all("smithy-protocol"):
        return "smithy-rpc-v2-cbor"
    return "json" if request.all("x-amz-target") else "rest-json"


def _request_id(request: Request) -> str:
    """An id as services give one; derived from the connection and attempt, so that it can be found again."""
    digest = hashlib.sha256(f"{request.run}/{request.attempt}".encode("utf-8", "replace")).hexdigest()
    return "-".join((digest[:8], digest[8:12], digest[12:16], digest[16:20], digest[20:32]))


def _body(protocol: str, service: str, message: str, ident: str) -> tuple[bytes, tuple[Header, ...]]:
    text = escape(message)
    match protocol:
        case "ec2":
            xml = (
                f"<Response><Errors><Error><Code>{EC2_CODE}</Code><Message>{text}</Message></Error></Errors>"
                f"<RequestID>{ident}</RequestID></Response>"
            )
        case "query":
            xml = (
                f"<ErrorResponse><Error><Type>Sender</Type><Code>{XML_CODE}</Code><Message>{text}</Message></Error>"
                f"<RequestId>{ident}</RequestId></ErrorResponse>"
            )
        case "rest-xml" if service in ("s3", "s3control"):
            xml = f"<Error><Code>{XML_CODE}</Code><Message>{text}</Message><RequestId>{ident}</RequestId></Error>"
        case "rest-xml":
            xml = (
                f"<ErrorResponse><Error><Type>Sender</Type><Code>{XML_CODE}</Code><Message>{text}</Message></Error>"
                f"<RequestId>{ident}</RequestId></ErrorResponse>"
            )
        case "smithy-rpc-v2-cbor":
            body = b"\xa2" + _cbor_text("__type") + _cbor_text(JSON_CODE) + _cbor_text("message") + _cbor_text(message)
            return body, (
                Header("content-type", "application/cbor"),
                Header("smithy-protocol", "rpc-v2-cbor"),
            )
        case _:
            media = "application/x-amz-json-1.1" if protocol == "json" else "application/json"
            body = json.dumps({"__type": JSON_CODE, "message": message, "Message": message}).encode()
            return body, (Header("content-type", media), Header("x-amzn-errortype", JSON_CODE))
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{xml}'.encode(), (Header("content-type", "text/xml"),)


def _cbor_text(value: str) -> bytes:
    raw = value.encode("utf-8")
    return b"\x7a" + len(raw).to_bytes(4, "big") + raw
