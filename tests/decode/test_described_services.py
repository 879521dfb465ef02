"""The descriptions that come with Comptroller, over requests as the services' own clients write them."""

# ruff: noqa: E501  tables of requests, one a line
from __future__ import annotations

import json
import statistics
import time

import pytest
from wire_kit import again, request

from comptroller import price
from comptroller.core import config
from comptroller.core.action import Action, ActionClass, digest
from comptroller.core.errors import ConfigError
from comptroller.core.estimate import Unit
from comptroller.core.request import Request
from comptroller.decode import registry
from comptroller.decode.described import SHIPPED, shipped_service, shipped_text
from comptroller.decode.described.check import doubts
from comptroller.decode.described.load import parse_service
from comptroller.decode.registry import CodecRegistry

REGISTRY = CodecRegistry()
BEARER = {"authorization": "Bearer placeholder"}


def act(host: str, method: str, target: str, body: bytes | str | dict[str, object] = b"", **headers: str) -> Action:
    """Decode by host, and hold what is sent to what was judged."""
    asked = request(host, method, target, body, **{**BEARER, **headers})
    codec = REGISTRY.codec_for(asked)
    action = codec.decode(asked)
    assert not action.undecodable, action.reason
    assert digest(codec.decode(again(codec.encode(action, asked), asked))) == digest(action)
    return action


def sentence(action: Action, host: str) -> str:
    """What people read."""
    return REGISTRY.codec_for(request(host, "GET", "/")).sentence(action)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_description_is_sound(name: str) -> None:
    service = shipped_service(name)
    assert service.hosts == SHIPPED[name] and service.reviewed and service.source and service.title
    assert [each.message for each in doubts(service) if each.failure] == []
    raw = shipped_text(name).encode()
    again_read = parse_service(raw, name=name, origin=f"{name}.yaml", read=lambda file: b"")
    assert again_read.known() == service.known(), "one format, whoever wrote the file"
    for operation in service.operations:
        if operation.methods == ("DELETE",):
            assert operation.classes != {ActionClass.READ}


def test_the_lists_of_names_agree() -> None:
    assert tuple(SHIPPED) == config.DESCRIBED
    assert set(registry.CONFIGURABLE) == set(config.CODECS)
    hosts = [host for hosts in SHIPPED.values() for host in hosts]
    assert len(hosts) == len(set(hosts))


@pytest.mark.parametrize(
    ("method", "target", "body", "operation", "classes"),
    [
        ("GET", "/repos/acme/site", b"", "repos/get", "read"),
        ("GET", "/repos/acme/site/contents/src/app.py?ref=main", b"", "repos/get-content", "read"),
        ("PUT", "/repos/acme/site/contents/src/app.py", {"content": "eA=="}, "repos/create-or-update-file-contents", "write"),
        ("PUT", "/repos/acme/site/contents/.github/workflows/x.yml", {"content": "eA=="}, "repos/create-or-update-workflow-contents", "execute write"),
        ("POST", "/repos/acme/site/git/trees", {"tree": [{"path": ".github/workflows/x.yml"}]}, "git/create-tree", "execute write"),
        ("POST", "/repos/acme/site/git/trees", {"tree": [{"path": "src/x.py"}]}, "git/create-tree", "write"),
        ("PATCH", "/repos/acme/site/git/refs/heads/main", {"sha": "a", "force": True}, "git/update-ref", "destroy write"),
        ("PATCH", "/repos/acme/site/git/refs/heads/main", {"sha": "a"}, "git/update-ref", "write"),
        ("DELETE", "/repos/acme/site", b"", "repos/delete", "destroy"),
        ("PATCH", "/repos/acme/site", {"private": False}, "repos/update", "entitle reveal write"),
        ("PATCH", "/repos/acme/site", {"description": "x"}, "repos/update", "write"),
        ("POST", "/repos/acme/site/actions/workflows/ci.yml/dispatches", {"ref": "main"}, "actions/create-workflow-dispatch", "execute"),
        ("PUT", "/repos/acme/site/actions/secrets/KEY", {"encrypted_value": "eA=="}, "actions/create-or-update-repo-secret", "entitle execute"),
        ("POST", "/repos/acme/site/keys", {"key": "ssh-ed25519 A"}, "repos/create-deploy-key", "entitle"),
        ("PUT", "/repos/acme/site/collaborators/eve", {"permission": "admin"}, "repos/add-collaborator", "entitle"),
        ("POST", "/repos/acme/site/hooks", {"config": {"url": "https://x.example"}}, "repos/create-webhook", "entitle"),
        ("DELETE", "/repos/acme/site/branches/main/protection", b"", "repos/delete-branch-protection", "blind destroy entitle"),
        ("POST", "/repos/acme/site/issues/7/comments", {"body": "hi"}, "issues/create-comment", "communicate"),
        ("PUT", "/repos/acme/site/pulls/7/merge", {"merge_method": "squash"}, "pulls/merge", "write"),
        ("POST", "/gists", {"public": True, "files": {}}, "gists/create", "communicate"),
        ("POST", "/app/installations/7/access_tokens", {}, "apps/create-installation-access-token", "entitle reveal"),
        ("POST", "/user/codespaces", {"repository_id": 7}, "codespaces/create-for-authenticated-user", "execute provision"),
        ("POST", "/markdown/raw", b"*x*", "markdown/render-raw", "read"),
        ("POST", "/graphql", {"query": "{ viewer { login } }"}, "query.viewer", "read"),
        ("POST", "/graphql", {"query": "mutation($i: DeleteRefInput!) { deleteRef(input: $i) { clientMutationId } }", "variables": {"i": {}}}, "mutation.deleteRef", "destroy"),
        ("POST", "/graphql", {"query": "mutation { createCommitOnBranch(input: {}) { commit { oid } } }"}, "mutation.createCommitOnBranch", "execute write"),
    ],
)  # fmt: skip
def test_github(method: str, target: str, body: bytes | dict[str, object], operation: str, classes: str) -> None:
    kind = {"content_type": "text/plain"} if body == b"*x*" else {}
    action = act(
        "api.github.com",
        method,
        target,
        body,
        accept="application/vnd.github+json",
        x_github_api_version="2022-11-28",
        **kind,
    )
    assert (action.operation, " ".join(sorted(action.classes))) == (f"github:{operation}", classes)
    assert action.service == "github"


def test_github_uploads_are_bound_as_bytes() -> None:
    target = "/repos/acme/site/releases/7/assets?name=app.tar.gz"
    action = act("uploads.github.com", "POST", target, b"\x1f\x8b", content_type="application/gzip")
    assert action.operation == "github:repos/upload-release-asset" and action.sensitive == {"@body"}


@pytest.mark.parametrize(
    ("target", "body", "operation", "classes"),
    [
        ("/api/chat.postMessage", {"channel": "C1", "text": "hi"}, "chat.postMessage", "communicate"),
        ("/api/chat.postMessage", "channel=C1&text=hi&blocks=%5B%5D", "chat.postMessage", "communicate"),
        ("/api/conversations.history", "channel=C1&limit=10", "conversations.history", "read"),
        ("/api/users.list", "", "users.list", "read"),
        ("/api/files.upload", "channels=C1&content=x", "files.upload", "communicate"),
        ("/api/files.delete", "file=F1", "files.delete", "destroy"),
        ("/api/conversations.invite", {"channel": "C1", "users": "U1"}, "conversations.invite", "communicate entitle"),
        ("/api/admin.users.setAdmin", {"user_id": "U1", "team_id": "T1"}, "admin.users.setAdmin", "entitle"),
        ("/api/oauth.v2.access", "code=x", "oauth.v2.access", "reveal"),
        ("/services/T1/B1/abcdef", {"text": "hi"}, "webhooks.post", "communicate"),
    ],
)  # fmt: skip
def test_slack(target: str, body: str | dict[str, object], operation: str, classes: str) -> None:
    kind = {"content_type": "application/json; charset=utf-8"} if isinstance(body, dict) else {}
    raw = json.dumps(body).encode() if isinstance(body, dict) else body
    action = act("slack.com", "POST", target, raw, **kind)
    assert (action.operation, " ".join(sorted(action.classes))) == (f"slack:{operation}", classes)


def test_slack_says_where_a_message_goes_and_refuses_two_channels() -> None:
    action = act("slack.com", "POST", "/api/chat.postMessage", {"channel": "C1", "text": "hello\nall"})
    assert sentence(action, "slack.com") == "Slack: post a message to C1: hello all"
    read = act("slack.com", "GET", "/api/chat.postMessage?channel=C1&text=x")
    assert read.classes == {ActionClass.COMMUNICATE}, "a GET of it sends as well"


MONEY = [
    ("api-m.paypal.com", "/v1/payments/payouts", {"sender_batch_header": {"sender_batch_id": "b1"}, "items": [{"receiver": "a@x.example", "amount": {"value": "10.00", "currency": "USD"}}, {"receiver": "b@x.example", "amount": {"value": "5.50", "currency": "USD"}}]}, "paypal:payouts.create", 1550, "usd", "a@x.example, b@x.example", "PayPal: pay out 15.50 USD to a@x.example, b@x.example"),
    ("api-m.paypal.com", "/v2/payments/captures/2GG/refund", {"amount": {"value": "1000", "currency_code": "JPY"}}, "paypal:captures.refund", 1000, "jpy", "2GG", "PayPal: refund 1,000 JPY of payment 2GG"),
    ("api-m.sandbox.paypal.com", "/v2/checkout/orders", {"intent": "CAPTURE", "purchase_units": [{"amount": {"currency_code": "USD", "value": "100.00"}}]}, "paypal:orders.create", 10000, "usd", "", "PayPal: ask a buyer for 100.00 USD"),
    ("checkout-test.adyen.com", "/v72/payments", {"amount": {"value": 1000, "currency": "EUR"}, "merchantAccount": "Shop", "reference": "o1"}, "adyen:payments.create", 1000, "eur", "Shop", "Adyen: charge 10.00 EUR for Shop (o1)"),
    ("abc-acme-checkout-live.adyenpayments.com", "/checkout/v72/payments/8815/refunds", {"amount": {"value": 5, "currency": "JPY"}, "merchantAccount": "Shop"}, "adyen:payments.refund", 5, "jpy", "8815", "Adyen: refund 5 JPY of payment 8815"),
    ("balanceplatform-api-live.adyen.com", "/btl/v4/transfers", {"amount": {"value": 110, "currency": "CLP"}, "balanceAccountId": "BA1", "category": "bank", "counterparty": {"transferInstrumentId": "SE1"}}, "adyen:transfers.create", None, "", "", ""),
    ("balanceplatform-api-live.adyen.com", "/btl/v4/transfers", {"amount": {"value": 11000, "currency": "CLP"}, "balanceAccountId": "BA1", "category": "bank", "counterparty": {"transferInstrumentId": "SE1"}}, "adyen:transfers.create", 110, "clp", "SE1", "Adyen: transfer 110 CLP to SE1 from BA1"),
    ("production.plaid.com", "/transfer/create", {"access_token": "a", "account_id": "acc1", "amount": "12.34", "description": "x", "idempotency_key": "k"}, "plaid-transfer:transfer.create", 1234, "usd", "acc1", "Plaid: transfer 12.34 USD with account acc1"),
    ("api.wise.com", "/v2/profiles/7/balance-movements", {"amount": {"value": 12.5, "currency": "GBP"}, "targetBalanceId": 9}, "wise:balances.move", 1250, "gbp", "9", "Wise: move 12.50 GBP to balance 9"),
]  # fmt: skip


@pytest.mark.parametrize(("host", "target", "body", "operation", "minor", "currency", "payee", "text"), MONEY)
def test_money_movers(
    host: str,
    target: str,
    body: dict[str, object],
    operation: str,
    minor: int | None,
    currency: str,
    payee: str,
    text: str,
) -> None:
    asked = request(host, "POST", target, body)
    codec = REGISTRY.codec_for(asked)
    if minor is None:
        assert "minor unit" in codec.decode(asked).reason
        return
    action = act(host, "POST", target, body)
    assert action.operation == operation and action.classes == {ActionClass.PAY} and action.payment is not None
    assert (action.payment.amount_minor, action.payment.currency, action.payment.payee) == (minor, currency, payee)
    assert codec.sentence(action) == text
    assert price.estimate(action).high(Unit.USD_MICROS) == (minor * 10_000 if currency == "usd" else None)


def test_money_that_the_request_does_not_state_costs_an_unknown_amount() -> None:
    body: dict[str, object] = {"targetAccount": 7, "quoteUuid": "q1", "customerTransactionId": "t1"}
    action = act("api.wise.com", "POST", "/v1/transfers", body)
    assert action.call.idempotency == {"/customerTransactionId": "t1"}
    assert price.estimate(action).unknown(Unit.USD_MICROS)
    assert sentence(action, "api.wise.com") == "Wise: transfer the amount of quote q1 to recipient 7"
    foreign = request(
        "production.plaid.com", "POST", "/transfer/create", {"amount": "1.00", "iso_currency_code": "CAD"}
    )
    assert REGISTRY.codec_for(foreign).decode(foreign).undecodable


@pytest.mark.parametrize(
    ("host", "target", "body", "operation", "classes"),
    [
        ("api.sendgrid.com", "/v3/mail/send", {"personalizations": [{"to": [{"email": "a@x.example"}]}], "from": {"email": "b@x.example"}, "subject": "s", "content": []}, "sendgrid:mail.send", "communicate"),
        ("api.mailgun.net", "/v3/mg.x.example/messages", "from=a%40x.example&to=b%40x.example&to=c%40x.example&text=hi", "mailgun:messages.send", "communicate"),
        ("api.postmarkapp.com", "/email", {"From": "a@x.example", "To": "b@x.example", "Subject": "s"}, "postmark:email.send", "communicate"),
        ("api.resend.com", "/emails", {"from": "a@x.example", "to": ["b@x.example"], "subject": "s", "html": "x"}, "resend:emails.send", "communicate"),
        ("api.resend.com", "/api-keys", {"name": "x"}, "resend:keys.create", "entitle reveal"),
        ("api.twilio.com", "/2010-04-01/Accounts/AC1/Messages.json", "From=%2B1555&To=%2B1556&Body=hi", "twilio:messages.create", "communicate pay"),
        ("discord.com", "/api/v10/channels/123/messages", {"content": "hi"}, "discord:messages.create", "communicate"),
        ("api.telegram.org", "/bot110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw/sendMessage", {"chat_id": 7, "text": "hi"}, "telegram:sendMessage", "communicate"),
        ("api.notion.com", "/v1/pages", {"parent": {}, "properties": {}}, "notion:pages.create", "write"),
        ("api.linear.app", "/graphql", {"query": "mutation { issueCreate(input: {}) { success } }"}, "linear:mutation.issueCreate", "write"),
        ("api.hubapi.com", "/crm/v3/objects/contacts/batch/create", {"inputs": [{}, {}]}, "hubspot:objects.batch-create", "write"),
    ],
)  # fmt: skip
def test_mail_and_others(host: str, target: str, body: str | dict[str, object], operation: str, classes: str) -> None:
    action = act(host, "POST", target, body)
    assert (action.operation, " ".join(sorted(action.classes))) == (operation, classes)
    assert "AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw" not in sentence(action, host)


def test_the_registry_knows_them_by_host_and_name() -> None:
    assert REGISTRY.classes_of("paypal:payouts.create") == {ActionClass.PAY}
    assert REGISTRY.classes_of("github:mutation.deleteRef") == {ActionClass.DESTROY}
    assert REGISTRY.classes_of("paypal:payouts.creat") is None
    assert "paypal:payouts.create" in REGISTRY.operations_near("paypal:payout.create")
    assert REGISTRY.codec_for(request("evil-paypal.com", "GET", "/")).name == "http"
    own = "version: 1\nhosts: [api.own.example]\noperations: {GET /x: x.get}\n"
    mine = parse_service(own.encode(), name="own", origin="own.yaml", read=lambda name: b"")
    wider = CodecRegistry({"own.local": "own", "pp.local": "paypal"}, [mine])
    assert wider.codec_for(request("api.own.example", "GET", "/x")).name == "own"
    assert wider.codec_for(request("own.local", "GET", "/x")).name == "own"
    assert wider.codec_for(request("pp.local", "GET", "/")).name == "paypal"
    assert wider.classes_of("own:x.get") == {ActionClass.READ}


@pytest.mark.parametrize(
    ("name", "host", "services", "message"),
    [
        ("own", "api.stripe.com", {}, "belongs to another service"),
        ("own", "api.github.com", {}, "belongs to another service"),
        ("own", "s3.us-east-1.amazonaws.com", {}, "belongs to another service"),
        ("openai", "api.own.example", {}, "is a service of its own"),
        ("own", "api.own.example", {"api.own.example": "openai"}, "is that of `own` and of `openai`"),
        ("own", "api.own.example", {"x.example": "onw"}, "`onw` is not a codec"),
    ],
)
def test_no_description_takes_what_is_anothers(name: str, host: str, services: dict[str, str], message: str) -> None:
    text = f"version: 1\nhosts: ['{host}']\noperations: {{GET /x: x.get}}\n"
    mine = parse_service(text.encode(), name=name, origin=f"{name}.yaml", read=lambda file: b"")
    with pytest.raises(ConfigError, match=message):
        CodecRegistry(services, [mine])


def test_a_description_of_the_same_name_takes_the_place_of_a_shipped_one() -> None:
    text = "version: 1\nhosts: [api.github.com]\noperations: {GET /x: x.get}\n"
    mine = parse_service(text.encode(), name="github", origin="github.yaml", read=lambda file: b"")
    codec = CodecRegistry({}, [mine]).codec_for(request("api.github.com", "GET", "/x"))
    assert codec.decode(request("api.github.com", "GET", "/x")).operation == "github:x.get"


def test_decoding_and_pricing_is_quick() -> None:
    asked: list[Request] = [
        request("api.github.com", "GET", "/repos/acme/site/pulls/7/files?per_page=100"),
        request("slack.com", "POST", "/api/chat.postMessage", {"channel": "C1", "text": "hi"}),
        *(request(host, "POST", target, body) for host, target, body, *_ in MONEY),  # type: ignore[arg-type]
    ]
    for each in asked:
        codec = REGISTRY.codec_for(each)
        price.estimate(codec.decode(each))
        times = []
        for _ in range(30):
            begun = time.perf_counter()
            price.estimate(codec.decode(each))
            times.append(time.perf_counter() - begun)
        assert statistics.median(times) < 0.002, each.target
