"""The fake Stripe, driven by the real SDK."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import stripe

from comptroller.testing.fake_stripe import FakeStripe

KEY = "sk_test_fake"


@pytest.fixture
def fake() -> Iterator[FakeStripe]:
    with FakeStripe(api_key=KEY, balance_usd_minor=100_000) as server:
        yield server


@pytest.fixture
def client(fake: FakeStripe) -> Iterator[stripe.StripeClient]:
    http = stripe.RequestsClient()
    yield stripe.StripeClient(KEY, base_addresses={"api": fake.url}, http_client=http, max_network_retries=0)
    http.close()


def test_a_transfer_moves_money_out_and_is_listed(fake: FakeStripe, client: stripe.StripeClient) -> None:
    made = client.v1.transfers.create({"amount": 40_000, "currency": "usd", "destination": "acct_1"})
    assert made.object == "transfer"
    assert [item.id for item in client.v1.transfers.list().data] == [made.id]
    assert client.v1.transfers.retrieve(made.id).amount == 40_000
    assert fake.moved_out_minor() == 40_000
    assert client.v1.balance.retrieve().available[0].amount == 60_000


def test_an_idempotency_key_moves_money_once(fake: FakeStripe, client: stripe.StripeClient) -> None:
    wanted = {"amount": 100, "currency": "usd", "destination": "acct_1"}
    one = client.v1.transfers.create(wanted, {"idempotency_key": "k"})
    two = client.v1.transfers.create(wanted, {"idempotency_key": "k"})
    assert one.id == two.id
    assert two.last_response.headers["idempotent-replayed"] == "true"
    assert fake.moved_out_minor() == 100
    with pytest.raises(stripe.IdempotencyError):
        client.v1.transfers.create({**wanted, "amount": 101}, {"idempotency_key": "k"})
    client.v1.transfers.create(wanted, {"idempotency_key": "other"})
    assert fake.moved_out_minor() == 200
    assert len(fake.records("transfers")) == 2


def test_more_than_the_balance_is_refused_and_moves_nothing(fake: FakeStripe, client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.payouts.create({"amount": 100_001, "currency": "usd"})
    assert refused.value.code == "balance_insufficient"
    assert fake.moved_out_minor() == 0
    assert fake.records("payouts") == ()


def test_an_intent_is_confirmed_captured_and_refunded(fake: FakeStripe, client: stripe.StripeClient) -> None:
    intent = client.v1.payment_intents.create(
        {"amount": 5_000, "currency": "usd", "capture_method": "manual", "metadata": {"order": "7"}}
    )
    assert (intent.status, intent.metadata["order"]) == ("requires_payment_method", "7")
    intent = client.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_visa"})
    assert intent.status == "requires_capture"
    assert fake.ledger.into == {}
    intent = client.v1.payment_intents.capture(intent.id)
    assert (intent.status, fake.ledger.into) == ("succeeded", {"usd": 5_000})
    refund = client.v1.refunds.create({"payment_intent": intent.id, "amount": 1_000})
    assert client.v1.charges.retrieve(refund.charge).amount_refunded == 1_000
    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded"):
        client.v1.refunds.create({"charge": refund.charge, "amount": 4_001})
    assert fake.moved_out_minor() == 1_000


def test_payouts_and_transfers_can_be_undone(fake: FakeStripe, client: stripe.StripeClient) -> None:
    payout = client.v1.payouts.create({"amount": 700, "currency": "usd"})
    assert client.v1.payouts.cancel(payout.id).status == "canceled"
    transfer = client.v1.transfers.create({"amount": 900, "currency": "usd", "destination": "acct_1"})
    client.v1.transfers.reversals.create(transfer.id, {"amount": 400})
    assert fake.moved_out_minor() == 500
    with pytest.raises(stripe.InvalidRequestError, match="has status canceled"):
        client.v1.payouts.cancel(payout.id)


def test_lists_are_paged_newest_first(client: stripe.StripeClient) -> None:
    made = [client.v1.payouts.create({"amount": n, "currency": "usd"}).id for n in (1, 2, 3)]
    first = client.v1.payouts.list({"limit": 2})
    assert ([item.id for item in first.data], first.has_more) == (made[:0:-1], True)
    rest = client.v1.payouts.list({"limit": 2, "starting_after": first.data[-1].id})
    assert ([item.id for item in rest.data], rest.has_more) == (made[:1], False)


@pytest.mark.parametrize(
    ("form", "param"),
    [
        ({"currency": "usd", "destination": "acct_1"}, "amount"),
        ({"amount": 0, "currency": "usd", "destination": "acct_1"}, "amount"),
        ({"amount": "4e2", "currency": "usd", "destination": "acct_1"}, "amount"),
        ({"amount": 1, "destination": "acct_1"}, "currency"),
        ({"amount": 1, "currency": "usd"}, "destination"),
    ],
)
def test_a_transfer_without_what_it_needs_is_refused(
    fake: FakeStripe, client: stripe.StripeClient, form: dict[str, object], param: str
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.transfers.create(form)  # type: ignore[arg-type]
    assert refused.value.param == param
    assert fake.moved_out_minor() == 0


def test_only_the_real_key_gets_in(fake: FakeStripe) -> None:
    http = stripe.RequestsClient()
    stranger = stripe.StripeClient("sk_test_placeholder", base_addresses={"api": fake.url}, http_client=http)
    with pytest.raises(stripe.AuthenticationError):
        stranger.v1.transfers.create({"amount": 1, "currency": "usd", "destination": "acct_1"})
    http.close()
    assert (fake.requests, fake.moved_out_minor()) == (1, 0)


def test_an_unknown_object_and_an_unknown_url_are_not_found(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="No such transfer"):
        client.v1.transfers.retrieve("tr_none")
    with pytest.raises(stripe.InvalidRequestError, match="Unrecognized request URL"):
        client.v1.customers.list()
