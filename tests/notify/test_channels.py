"""Every kind of channel holds what all must hold, against real services on this machine."""

from __future__ import annotations

import asyncio
import email
import email.policy
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session
from tests.notify.notify_kit import KEY, OLD_KEY, Receiver

from comptroller.core.config_notify import AppriseChannelConfig, SlackChannelConfig, WebhookChannelConfig
from comptroller.notify.message import DeliveryError
from comptroller.notify.registry import KINDS, make_channel
from comptroller.notify.secret import Secrets
from comptroller.testing.channel_conformance import CHECKS, HOSTILE, Service, message
from comptroller.testing.loopback import HttpAnswer, HttpServer
from comptroller.testing.slack_server import APP_TOKEN, BOT_TOKEN, FakeSlack

# Apprise reads all of its services when the first is made, and some of them still use what Python will drop.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

URL_SECRET = "s3cr3t-of-the-url"


def secret(name: str) -> dict[str, str]:
    return {"source": "env", "variable": name}


def apprise_config() -> AppriseChannelConfig:
    return AppriseChannelConfig.model_validate({"kind": "apprise", "url": secret("URL")})


def secrets(**environment: str) -> Secrets:
    return Secrets(Path("/nonexistent"), environment)


@contextmanager
def apprise_over_http(scheme: str, body: Callable[[dict[str, str]], str]) -> Iterator[Service]:
    receiver = Receiver()
    url = f"{scheme}://user:{URL_SECRET}@127.0.0.1:{receiver.server.port}/topic"
    channel = make_channel("a", apprise_config(), secrets(URL=url))

    def fail() -> None:
        receiver.status = 500

    try:
        yield Service(
            channel=channel,
            received=lambda: [body(each) for each in receiver.bodies],
            fail=fail,
            gone=receiver.close,
            secrets=(URL_SECRET, url),
        )
    finally:
        channel.close()
        receiver.close()


@contextmanager
def webhook_service() -> Iterator[Service]:
    receiver = Receiver()
    config = WebhookChannelConfig.model_validate({"kind": "webhook", "url": receiver.url, "secret": secret("KEY")})
    channel = make_channel("w", config, secrets(KEY=KEY))

    def fail() -> None:
        receiver.status = 302

    try:
        yield Service(
            channel=channel,
            received=lambda: [json.dumps(each, ensure_ascii=False) for each in receiver.bodies],
            fail=fail,
            gone=receiver.close,
            secrets=(KEY,),
        )
    finally:
        channel.close()
        receiver.close()


@contextmanager
def slack_service() -> Iterator[Service]:
    with FakeSlack() as slack:
        config = SlackChannelConfig.model_validate(
            {"kind": "slack", "channel": "C0OPS", "api": slack.api, "bot_token": secret("B"), "app_token": secret("A")}
        )
        channel = make_channel("s", config, secrets(B=BOT_TOKEN, A=APP_TOKEN))

        def fail() -> None:
            slack.fails = "channel_not_found"

        try:
            yield Service(
                channel=channel,
                received=lambda: [json.dumps(each, ensure_ascii=False) for each in slack.called("chat.postMessage")],
                fail=fail,
                gone=slack._web.close,
                secrets=(BOT_TOKEN, APP_TOKEN),
            )
        finally:
            channel.close()


class Mailbox:
    """Keeps mails."""

    def __init__(self) -> None:
        self.mails: list[email.message.EmailMessage] = []
        self.refuses = False

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.refuses:
            return "554 no"
        assert isinstance(envelope.content, bytes)
        found = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(found, email.message.EmailMessage)
        self.mails.append(found)
        return "250 OK"


async def ended(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel whatever connection is left."""
    pending = asyncio.all_tasks(loop) - {asyncio.current_task()}
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    await asyncio.sleep(0)


@contextmanager
def mail_service() -> Iterator[Service]:
    box = Mailbox()
    ready = threading.Event()
    loop = asyncio.new_event_loop()
    servers: list[asyncio.Server] = []

    def serve() -> None:
        asyncio.set_event_loop(loop)
        servers.append(loop.run_until_complete(loop.create_server(lambda: SMTP(box, loop=loop), "127.0.0.1", 0)))
        ready.set()
        loop.run_forever()

    thread = threading.Thread(target=serve)
    thread.start()
    assert ready.wait(10)
    port = servers[0].sockets[0].getsockname()[1]
    url = (
        f"mailto://127.0.0.1:{port}?to=team@acme.example&from=comptroller@acme.example&mode=insecure&name={URL_SECRET}"
    )
    channel = make_channel("m", apprise_config(), secrets(URL=url))

    def fail() -> None:
        box.refuses = True

    def text(mail: email.message.EmailMessage) -> str:
        part = mail.get_body(("html", "plain"))
        assert part is not None
        return f"{mail['subject']}\n{part.get_content()}"

    def gone() -> None:
        loop.call_soon_threadsafe(servers[0].close)

    try:
        yield Service(
            channel=channel,
            received=lambda: [text(mail) for mail in box.mails],
            fail=fail,
            gone=gone,
            secrets=(URL_SECRET, url),
        )
    finally:
        channel.close()
        loop.call_soon_threadsafe(servers[0].close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.run_until_complete(ended(loop))
        loop.close()


SERVICES: dict[str, Callable[[], AbstractContextManager[Service]]] = {
    "apprise": lambda: apprise_over_http("json", lambda body: f"{body['title']}\n{body['message']}"),
    "apprise ntfy": lambda: apprise_over_http("ntfy", lambda body: f"{body.get('title')}\n{body['message']}"),
    "apprise mail": mail_service,
    "webhook": webhook_service,
    "slack": slack_service,
}


def test_every_kind_has_a_service_here() -> None:
    assert {name.split()[0] for name in SERVICES} == set(KINDS)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", SERVICES)
def test_conformance(name: str, check: Callable[[Service], None]) -> None:
    with SERVICES[name]() as service:
        check(service)


def test_a_mail_shows_what_an_agent_wrote_as_text() -> None:
    with mail_service() as service:
        service.channel.send(message(HOSTILE))
        (text,) = service.received()
    body = text.partition("\n")[2]
    assert "&lt;b&gt;now&lt;/b&gt;" in body and "<b>now</b>" not in body


@pytest.mark.parametrize("url", ["syslog://", "dbus://", "nonsense://x", "not a url"])
def test_what_reaches_nobody_is_refused(url: str) -> None:
    channel = make_channel("a", apprise_config(), secrets(URL=url))
    with pytest.raises(DeliveryError):
        channel.send(message())


def test_both_secrets_sign_while_they_change() -> None:
    receiver = Receiver()
    config = WebhookChannelConfig.model_validate(
        {"kind": "webhook", "url": receiver.url, "secret": secret("NEW"), "previous": secret("OLD")}
    )
    channel = make_channel("w", config, secrets(NEW=KEY, OLD=OLD_KEY))
    try:
        channel.send(message())
    finally:
        channel.close()
        receiver.close()
    assert len(receiver.seen[0].headers["webhook-signature"].split(" ")) == 2


def test_no_channel_goes_where_a_receiver_sends_it_on_to() -> None:
    with HttpServer(lambda request: HttpAnswer(body=b"secret")) as inside:
        told = {"location": f"{inside.url}/latest/meta-data/"}
        for status in (301, 302, 303, 307, 308):
            with HttpServer(lambda request, s=status: HttpAnswer(status=s, headers=told)) as outside:  # type: ignore[misc]
                hook = {"kind": "webhook", "url": outside.url, "secret": secret("KEY")}
                through = (
                    make_channel("w", WebhookChannelConfig.model_validate(hook), secrets(KEY=KEY)),
                    make_channel("a", apprise_config(), secrets(URL=f"json://127.0.0.1:{outside.port}/x")),
                )
                for channel in through:
                    with pytest.raises(DeliveryError):
                        channel.send(message())
                    channel.close()
                assert outside.connections == 2
        assert inside.connections == 0
