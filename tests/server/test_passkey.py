"""The strong yes attacked: every way in which a signature is not this person's yes to this question, each refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from comptroller.core.account import Account, counted, with_passkey
from comptroller.core.approval import Approval
from comptroller.core.errors import RefusedError, VerificationError
from comptroller.core.strong_yes import challenge, padless, strong_yes, unpadded, verify_proof, verify_vote
from comptroller.core.verdict import Obligation
from comptroller.server.passkey import CEREMONIES_MAX, CEREMONY_SECONDS_MAX, PasskeyError, Passkeys
from comptroller.testing.authenticator import Authenticator

ORIGIN = "http://localhost:8320"
NOW = datetime(2026, 11, 23, 22, 0, tzinfo=UTC)


class Still:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.at = NOW

    def now(self) -> datetime:
        return self.at


def approval(**change: Any) -> Approval:
    asked = Approval(
        id="01900000-0000-7000-8000-000000000001",
        run="01900000-0000-7000-8000-000000000002",
        agent="research",
        owner="dana",
        digest="a1:" + "5" * 64,
        slice_hash="s1",
        operation="stripe:transfers:create",
        obligations=(Obligation(rule="pay", reason="this pays"),),
        sentence="pay EUR 19.99 to acct_1",
        facts={"payment": {"amount_minor": 1999, "currency": "eur", "payee": "acct_1"}, "usd_micros_high": 22_000_000},
        asked_at=NOW,
        expires_at=NOW + timedelta(minutes=30),
    )
    return replace(asked, **change)


class Desk:
    """One console, one browser and one person with one passkey."""

    def __init__(self, browser: Authenticator | None = None) -> None:
        self.clock = Still()
        self.passkeys = Passkeys(clock=self.clock, origins=(ORIGIN,))
        self.browser = browser or Authenticator(origin=ORIGIN)
        self.account = self.enrolled(self.browser)

    def enrolled(self, browser: Authenticator, name: str = "dana") -> Account:
        account = Account(name=name, handle=padless(b"h" * 32))
        begun = self.passkeys.begin_enrolment("s1", account, organization="acme")
        answer = browser.create(begun["publicKey"])
        return with_passkey(account, self.passkeys.finish_enrolment("s1", begun["ceremony"], answer, name="key"))

    def begin(self, asked: Approval, **more: Any) -> Mapping[str, Any]:
        return self.passkeys.begin_yes("s1", self.account, asked, **more)

    def finish(self, begun: Mapping[str, Any], asked: Approval, answer: Mapping[str, Any], holder: str = "s1") -> Any:
        return self.passkeys.finish_yes(holder, begun["ceremony"], answer, self.account, asked)

    def yes(self, asked: Approval) -> Any:
        begun = self.begin(asked)
        return self.finish(begun, asked, self.browser.get(begun["publicKey"]))


def entry(asked: Approval, proof: Mapping[str, Any], **change: Any) -> dict[str, Any]:
    """The leaf of the vote, as the log has it."""
    body = {"approval": asked.id, "digest": asked.digest, "operation": asked.operation, "by": "dana"}
    leaf = {
        "kind": "approval.approved",
        "at": "2026-11-23T22:01:00Z",
        "agent": asked.agent,
        "run": asked.run,
        "body": {**body, **change.pop("body", {})},
    }
    return {**leaf, **change}


def test_a_signed_yes_is_verified_by_whoever_holds_its_entry() -> None:
    desk, asked = Desk(), approval()
    signed = desk.yes(asked)
    proof = json.loads(json.dumps(signed.proof))
    found = verify_vote(entry(asked, proof), {"proof": proof})
    assert (found.person, found.document["amount"], found.document["currency"]) == ("dana", "19.99", "EUR")
    assert found.document["payee"] == "acct_1"
    assert found.document["sentence"] == asked.sentence
    assert found.challenge == challenge(found.document).hex()
    assert found.public_key == desk.account.passkeys[0].public_key
    assert signed.assertion.count == 1


@pytest.mark.parametrize(
    ("facts", "operation", "said"),
    [
        ({"payment": {"amount_minor": 500, "currency": "jpy", "payee": "p"}}, "stripe:a:b", ("500", "JPY")),
        ({"payment": {"amount_minor": 7, "currency": "usdc", "payee": "p"}}, "http:h:GET", ("7", "USDC/minor")),
        ({"payment": {"amount_minor": 10**18, "currency": "eth"}}, "ethereum:s:b", (str(10**18), "ETH/minor")),
        ({"usd_micros_high": 175_000_000}, "aws:ec2:RunInstances", ("175.00", "USD")),
        ({"usd_micros_high": 1}, "aws:ec2:RunInstances", ("0.000001", "USD")),
        ({}, "aws:ec2:StopInstances", ("", "")),
    ],
)
def test_what_is_signed_says_the_amount(facts: dict[str, object], operation: str, said: tuple[str, str]) -> None:
    document = strong_yes(approval(facts=facts, operation=operation), nonce="n" * 43)
    assert (document["amount"], document["currency"]) == said


def test_a_ceiling_is_signed_where_the_price_is_unknown_and_nowhere_else() -> None:
    desk = Desk()
    unknown = approval(price_unknown=True, facts={"usd_micros_high": None}, operation="aws:x:Y")
    begun = desk.begin(unknown, ceiling_usd_micros=25_000_000)
    signed = desk.finish(begun, unknown, desk.browser.get(begun["publicKey"]))
    assert (signed.proof["document"]["amount"], signed.ceiling_usd_micros) == ("25.00", 25_000_000)
    leaf = entry(unknown, signed.proof, body={"ceiling_usd_micros": 25_000_000})
    verify_vote(leaf, {"proof": signed.proof})
    raised = entry(unknown, signed.proof, body={"ceiling_usd_micros": 25_000_001})
    with pytest.raises(VerificationError, match="higher ceiling"):
        verify_vote(raised, {"proof": signed.proof})
    with pytest.raises(RefusedError, match="cost is known"):
        desk.begin(approval(), ceiling_usd_micros=1)


CHANGES: list[dict[str, Any]] = [
    {"digest": "a1:" + "6" * 64},
    {"operation": "stripe:payouts:create"},
    {"sentence": "pay EUR 19.99 to acct_2"},
    {"facts": {"payment": {"amount_minor": 2000, "currency": "eur", "payee": "acct_1"}}},
    {"facts": {"payment": {"amount_minor": 1999, "currency": "gbp", "payee": "acct_1"}}},
    {"facts": {"payment": {"amount_minor": 1999, "currency": "eur", "payee": "acct_2"}}},
    {"run": "01900000-0000-7000-8000-000000000009"},
    {"agent": "billing"},
    {"expires_at": NOW + timedelta(days=1)},
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(iter(change)))
def test_changed_facts_are_refused(change: dict[str, Any]) -> None:
    desk, asked = Desk(), approval()
    begun = desk.begin(asked)
    answer = desk.browser.get(begun["publicKey"])
    with pytest.raises(PasskeyError, match="no longer the one"):
        desk.finish(begun, approval(**change), answer)


def test_a_signature_for_another_approval_is_refused() -> None:
    desk, asked = Desk(), approval()
    begun = desk.begin(asked)
    answer = desk.browser.get(begun["publicKey"])
    with pytest.raises(PasskeyError, match="another approval"):
        desk.finish(begun, approval(id="01900000-0000-7000-8000-000000000003"), answer)
    other = desk.begin(asked)
    with pytest.raises(PasskeyError, match="challenge"):
        desk.finish(other, asked, answer)


def test_a_nonce_is_used_once_and_soon_and_by_who_began() -> None:
    desk, asked = Desk(), approval()
    begun = desk.begin(asked)
    desk.finish(begun, asked, desk.browser.get(begun["publicKey"]))
    with pytest.raises(PasskeyError, match="answered already"):
        desk.finish(begun, asked, desk.browser.get(begun["publicKey"]))
    late = desk.begin(asked)
    answer = desk.browser.get(late["publicKey"])
    desk.clock.at += timedelta(seconds=CEREMONY_SECONDS_MAX)
    with pytest.raises(PasskeyError, match="too long ago"):
        desk.finish(late, asked, answer)
    theirs = desk.begin(asked)
    with pytest.raises(PasskeyError, match="another browser"):
        desk.finish(theirs, asked, desk.browser.get(theirs["publicKey"]), holder="s2")
    login = desk.passkeys.begin_login("s1", desk.account.passkeys)
    with pytest.raises(PasskeyError, match="something else"):
        desk.finish(login, asked, desk.browser.get(login["publicKey"]))
    with pytest.raises(PasskeyError, match="too long ago"):
        desk.finish({"ceremony": "x"}, asked, answer)


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ({"origin": "http://localhost:9999"}, "origin"),
        ({"origin": "https://localhost:8320"}, "origin"),
        ({"rp_id": "evil.example"}, "RP ID"),
        ({"verifies_user": False}, "verif"),
        ({"counter_step": 0}, "sign count"),
        ({"counter_step": -1}, "sign count"),
        ({"cross_origin": True}, "another site"),
    ],
    ids=lambda fault: str(fault),
)
def test_a_bad_authenticator_is_refused(fault: dict[str, Any], why: str) -> None:
    desk, asked = Desk(), approval()
    first = desk.yes(asked)
    account = counted(desk.account, first.assertion.credential, first.assertion.count, NOW)
    account = counted(account, first.assertion.credential, first.assertion.count + 5, NOW)
    desk.account = account
    desk.browser.passkeys[0].count = 6
    for name, value in fault.items():
        setattr(desk.browser, name, value)
    begun = desk.begin(asked)
    with pytest.raises(PasskeyError, match=why):
        desk.finish(begun, asked, desk.browser.get(begun["publicKey"]))


def test_the_passkey_of_somebody_else_is_refused() -> None:
    desk, asked = Desk(), approval()
    stranger = Authenticator(origin=ORIGIN)
    theirs = desk.enrolled(stranger, "eve")
    begun = desk.begin(asked)
    answer = stranger.get({**begun["publicKey"], "allowCredentials": []})
    with pytest.raises(PasskeyError, match="no passkey of"):
        desk.finish(begun, asked, answer)
    renamed = {**answer, "id": desk.account.passkeys[0].id, "rawId": desk.account.passkeys[0].id}
    again = desk.begin(asked)
    forged = stranger.get({**again["publicKey"], "allowCredentials": []}, passkey=stranger.passkeys[0])
    with pytest.raises(PasskeyError, match="signature"):
        desk.finish(again, asked, {**forged, "id": renamed["id"], "rawId": renamed["rawId"]})
    assert theirs.passkeys[0].id != desk.account.passkeys[0].id


@pytest.mark.parametrize("garbage", [{}, {"id": 3}, {"id": "x", "response": "y"}, {"id": "x", "response": {}}])
def test_garbage_is_refused_as_such(garbage: dict[str, Any]) -> None:
    desk, asked = Desk(), approval()
    for purpose in ("yes", "login", "enrol"):
        with pytest.raises(PasskeyError):
            match purpose:
                case "yes":
                    desk.finish(desk.begin(asked), asked, garbage)
                case "login":
                    begun = desk.passkeys.begin_login("s1")
                    desk.passkeys.finish_login("s1", begun["ceremony"], garbage, desk.account.passkeys[0])
                case _:
                    begun = desk.passkeys.begin_enrolment("s1", desk.account, organization="acme")
                    desk.passkeys.finish_enrolment("s1", begun["ceremony"], garbage, name="k")


def test_ceremonies_are_bounded_and_one_browser_pushes_out_only_its_own() -> None:
    desk, asked = Desk(), approval()
    mine = desk.begin(asked)
    for _ in range(CEREMONIES_MAX * 2):
        desk.passkeys.begin_login("flood")
    desk.finish(mine, asked, desk.browser.get(mine["publicKey"]))
    for number in range(CEREMONIES_MAX * 2):
        desk.passkeys.begin_login(f"visitor:{number}")
    again = desk.begin(asked)
    desk.browser.get(again["publicKey"])
    for number in range(CEREMONIES_MAX):
        try:
            desk.passkeys.begin_login(f"flood{number}")
        except RefusedError:
            break
    else:
        pytest.fail("nothing bounds the ceremonies")


def test_a_changed_entry_or_proof_no_longer_verifies() -> None:
    desk, asked = Desk(), approval()
    proof = dict(desk.yes(asked).proof)
    good = entry(asked, proof)
    verify_vote(good, {"proof": proof})
    for name in ("approval", "digest", "operation", "by"):
        with pytest.raises(VerificationError):
            verify_vote(entry(asked, proof, body={name: "other"}), {"proof": proof})
    for change in ({"run": "other"}, {"agent": "other"}, {"kind": "approval.rejected"}, {"at": "2026-11-24T00:00:00Z"}):
        with pytest.raises(VerificationError):
            verify_vote(entry(asked, proof, **change), {"proof": proof})
    with pytest.raises(VerificationError, match="challenge"):
        verify_vote(entry(asked, proof, body={"challenge": "00"}), {"proof": proof})
    for name, value in proof["document"].items():
        changed = {**proof, "document": {**proof["document"], name: f"{value}x" if name != "v" else 2}}
        with pytest.raises(VerificationError):
            verify_proof(changed)
    for name in ("authenticator_data", "client_data", "signature", "public_key"):
        raw = bytearray(unpadded(proof[name]))
        for place in range(0, len(raw), max(1, len(raw) // 9)):
            bent = bytearray(raw)
            bent[place] ^= 1
            with pytest.raises(VerificationError):
                verify_proof({**proof, name: padless(bytes(bent))})
    for name in proof:
        with pytest.raises(VerificationError):
            verify_proof({key: value for key, value in proof.items() if key != name})
    with pytest.raises(VerificationError):
        verify_proof({**proof, "origin": "http://localhost:9999"})
    with pytest.raises(VerificationError):
        verify_vote(good, {})


def test_the_canonical_document_is_golden() -> None:
    document = strong_yes(approval(), nonce="n" * 43)
    assert challenge(document).hex() == "18881f96321390a02b42c808425a705372d794aabd3578aab90e7be1e1191c71"
    assert list(document) == [
        *("v", "approval", "digest", "operation", "sentence", "amount", "currency", "payee", "run", "agent"),
        *("expires_at", "nonce"),
    ]
