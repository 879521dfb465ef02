"""Accounts attacked: links used twice, codes replayed, passwords guessed, names tried out, secrets looked for."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pyotp
import pytest
from people_kit import GOOD, NOW, Doors, Still

from comptroller.core.account import Account, Passkey, account_of, document_of
from comptroller.core.document import Document, DocumentKind
from comptroller.core.errors import RefusedError, StoreError, UsageError
from comptroller.server.accounts import INVITE_SECONDS_MAX, Where, WrongError, matching_step
from comptroller.server.passkey import Assertion
from comptroller.server.seal import Seal, sealing_key
from comptroller.server.throttle import (
    ACCOUNT_FAILURES_MAX,
    ADDRESS_FAILURES_MAX,
    LOCK_SECONDS_FIRST,
    LOCK_SECONDS_MAX,
    REMEMBERED_MAX,
    Throttle,
    TooManyError,
)


def key(identifier: str = "k1", count: int = 0) -> Passkey:
    return Passkey(
        id=identifier, public_key="AA", count=count, name="key", rp_id="localhost", synced=False, added_at=NOW
    )


async def test_a_person_enrols_and_signs_in_and_all_of_it_is_an_entry() -> None:
    doors = Doors()
    factor, codes = await doors.enrolled()
    account = await doors.accounts.sign_in("dana", GOOD, doors.code(factor), Where(address="10.0.0.9"))
    assert (account.name, account.ways, len(set(codes))) == ("dana", ("password and code",), 10)
    assert await doors.kinds() == ["person.invited", "person.enrolled", "person.password_set", "person.signed_in"]


async def test_no_secret_is_kept() -> None:
    doors = Doors()
    factor, codes = await doors.enrolled()
    await doors.accounts.sign_in("dana", GOOD, doors.code(factor))
    link, _ = await doors.accounts.invite("dana", by="root")
    written = await doors.written()
    assert "argon2id" in written
    for secret in (GOOD, factor, link, *codes, *(code.replace("-", "") for code in codes)):
        assert secret not in written


async def test_a_link_works_once_for_its_person_and_for_a_day() -> None:
    doors = Doors()
    link, until = await doors.accounts.invite("dana", by="root")
    assert (until - NOW).total_seconds() == INVITE_SECONDS_MAX
    assert (await doors.accounts.invited(link)).name == "dana"
    newer, _ = await doors.accounts.invite("dana", by="root")
    with pytest.raises(RefusedError, match="used or is too old"):
        await doors.accounts.enrol_passkey(link, key())
    await doors.accounts.enrol_passkey(newer, key())
    with pytest.raises(RefusedError, match="used or is too old"):
        await doors.accounts.enrol_passkey(newer, key("k2"))
    last, _ = await doors.accounts.invite("dana", by="root")
    doors.clock.on(seconds=INVITE_SECONDS_MAX)
    with pytest.raises(RefusedError, match="used or is too old"):
        await doors.accounts.enrol_passkey(last, key("k2"))
    with pytest.raises(UsageError, match="no person"):
        await doors.accounts.invite("nobody", by="root")


async def test_of_two_who_use_a_link_at_once_one_gets_in() -> None:
    doors = Doors()
    link, _ = await doors.accounts.invite("dana", by="root")
    done = await asyncio.gather(
        *(doors.accounts.enrol_passkey(link, key(f"k{n}")) for n in range(8)), return_exceptions=True
    )
    assert sum(isinstance(each, Account) for each in done) == 1
    account = await doors.accounts.account("dana")
    assert account is not None and len(account.passkeys) == 1


async def test_a_code_is_used_once_however_many_try_at_once() -> None:
    doors = Doors()
    factor, _ = await doors.enrolled()
    code = doors.code(factor)
    done = await asyncio.gather(*(doors.accounts.sign_in("dana", GOOD, code) for _ in range(4)), return_exceptions=True)
    assert sum(isinstance(each, Account) for each in done) == 1
    with pytest.raises(WrongError):
        await doors.accounts.sign_in("dana", GOOD, code)
    doors.clock.on(seconds=30)
    await doors.accounts.sign_in("dana", GOOD, doors.code(factor))


async def test_an_earlier_code_is_not_taken_after_a_later_one() -> None:
    doors = Doors()
    factor, _ = await doors.enrolled()
    before = doors.code(factor)
    doors.clock.on(seconds=30)
    await doors.accounts.sign_in("dana", GOOD, doors.code(factor))
    with pytest.raises(WrongError):
        await doors.accounts.sign_in("dana", GOOD, before)


async def test_a_recovery_code_works_once() -> None:
    doors = Doors()
    _, codes = await doors.enrolled()
    await doors.accounts.sign_in("dana", GOOD, codes[0].upper())
    with pytest.raises(WrongError):
        await doors.accounts.sign_in("dana", GOOD, codes[0])
    await doors.accounts.sign_in("dana", GOOD, codes[1].replace("-", " "))
    fresh = await doors.accounts.make_codes("dana")
    with pytest.raises(WrongError):
        await doors.accounts.sign_in("dana", GOOD, codes[2])
    await doors.accounts.sign_in("dana", GOOD, fresh[0])


async def test_a_stranger_learns_nothing_from_the_answer() -> None:
    doors = Doors()
    factor, _ = await doors.enrolled()
    await doors.accounts.invite("me-not-enrolled", by="root", owner=True)
    told = set()
    for name, password, code in (
        ("dana", "wrong password here", doors.code(factor)),
        ("dana", GOOD, "000000"),
        ("nobody", GOOD, "000000"),
        ("me-not-enrolled", GOOD, "000000"),
        ("", "", ""),
        ("dana\x00", "\ud800", "\ud800"),
    ):
        with pytest.raises(WrongError) as refused:
            await doors.accounts.sign_in(name, password, code)
        told.add((refused.value.message, refused.value.hint))
    assert len(told) == 1


async def test_every_answer_takes_one_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    doors = Doors()
    await doors.enrolled()
    hashed: list[bytes] = []
    verify = doors.accounts._verify

    def counting(encoded: str, given: bytes) -> bool:
        hashed.append(given)
        return verify(encoded, given)

    monkeypatch.setattr(doors.accounts, "_verify", counting)
    for name in ("dana", "nobody"):
        with pytest.raises(WrongError):
            await doors.accounts.sign_in(name, "some wrong password", "000000")
    assert hashed == [b"some wrong password"] * 2


@pytest.mark.parametrize("name", ["dana", "nobody"])
async def test_guessing_closes_the_password_for_a_while_and_a_passkey_never(name: str) -> None:
    doors = Doors()
    factor, _ = await doors.enrolled()
    await doors.accounts.add_passkey("dana", key())
    for number in range(ACCOUNT_FAILURES_MAX):
        with pytest.raises(WrongError):
            await doors.accounts.sign_in(name, "some wrong password", "000000", Where(address=f"10.0.0.{number}"))
    with pytest.raises(TooManyError) as closed:
        await doors.accounts.sign_in(name, GOOD, doors.code(factor))
    assert 0 < closed.value.seconds <= LOCK_SECONDS_FIRST + 1
    assert (await doors.kinds())[-1] == "person.locked"
    await doors.accounts.sign_in_passkey("dana", Assertion(credential="k1", count=1))
    doors.clock.on(seconds=LOCK_SECONDS_FIRST)
    if name == "dana":
        await doors.accounts.sign_in(name, GOOD, doors.code(factor))


async def test_guesses_that_come_at_once_count_like_guesses_in_turn() -> None:
    doors = Doors()
    await doors.enrolled()
    guesses = (doors.accounts.sign_in("dana", GOOD, f"{number:06}") for number in range(3 * ACCOUNT_FAILURES_MAX))
    done = await asyncio.gather(*guesses, return_exceptions=True)
    assert sum(isinstance(each, WrongError) for each in done) == ACCOUNT_FAILURES_MAX
    assert sum(isinstance(each, TooManyError) for each in done) == 2 * ACCOUNT_FAILURES_MAX
    assert (await doors.kinds()).count("person.locked") == 1


async def test_the_name_that_was_typed_is_not_kept() -> None:
    doors = Doors()
    for _ in range(ACCOUNT_FAILURES_MAX):
        with pytest.raises(WrongError):
            await doors.accounts.sign_in("hunter2-typed-as-a-name", "x", "y")
    assert "hunter2" not in await doors.written()


def test_locks_grow_and_are_forgotten_and_bounded() -> None:
    clock = Still()
    throttle = Throttle(clock=clock)
    waits = []
    for _ in range(8):
        for _ in range(ACCOUNT_FAILURES_MAX):
            throttle.failed("dana", "")
        with pytest.raises(TooManyError) as closed:
            throttle.check("dana", "elsewhere")
        waits.append(closed.value.seconds - 1)
        clock.on(seconds=waits[-1])
        throttle.check("dana", "elsewhere")
    assert waits == [60, 120, 240, 480, 900, 900, 900, 900]
    assert max(waits) == LOCK_SECONDS_MAX
    for number in range(REMEMBERED_MAX + 10):
        throttle.failed(f"name{number}", f"address{number}")
    assert len(throttle._accounts) == len(throttle._addresses) == REMEMBERED_MAX


def test_one_address_that_guesses_everybody_is_closed_and_the_others_are_not() -> None:
    throttle = Throttle(clock=Still())
    for number in range(ADDRESS_FAILURES_MAX):
        throttle.failed(f"name{number}", "10.0.0.9")
    with pytest.raises(TooManyError):
        throttle.check("dana", "10.0.0.9")
    throttle.check("dana", "10.0.0.8")


async def test_a_passkey_whose_counter_stands_still_is_refused() -> None:
    doors = Doors()
    await doors.accounts.add_passkey("dana", key(count=4))
    for count in (4, 3, 0):
        with pytest.raises(RefusedError, match="went back"):
            await doors.accounts.sign_in_passkey("dana", Assertion(credential="k1", count=count))
    await doors.accounts.sign_in_passkey("dana", Assertion(credential="k1", count=5))
    with pytest.raises(RefusedError, match="went back"):
        await doors.accounts.signed("dana", Assertion(credential="k1", count=5))
    found = await doors.accounts.of_passkey("k1")
    assert found is not None and found[1].count == 5


async def test_nobody_removes_their_only_way_in() -> None:
    doors = Doors()
    await doors.accounts.add_passkey("dana", key())
    with pytest.raises(RefusedError, match="only way"):
        await doors.accounts.remove_passkey("dana", "k1")
    await doors.accounts.add_passkey("dana", key("k2"))
    await doors.accounts.remove_passkey("dana", "k1")
    assert await doors.accounts.of_passkey("k1") is None


async def test_reset_takes_every_way_and_the_owners_mark() -> None:
    doors = Doors()
    await doors.enrolled()
    await doors.accounts.add_passkey("dana", key(), owner=True)
    link, _ = await doors.accounts.reset("dana", by="root")
    account = await doors.accounts.account("dana")
    assert account is not None and not account.enrolled and not account.owner
    await doors.accounts.enrol_passkey(link, key("k2"))


async def test_a_person_who_is_no_longer_configured_is_a_stranger() -> None:
    doors = Doors()
    factor, _ = await doors.enrolled()
    await doors.accounts.add_passkey("dana", key())
    link, _ = await doors.accounts.invite("dana", by="root")
    people = {name: person for name, person in doors.config.people.items() if name != "dana"}
    doors.config = doors.config.model_copy(update={"people": people})
    with pytest.raises(WrongError):
        await doors.accounts.sign_in("dana", GOOD, doors.code(factor))
    assert await doors.accounts.of_passkey("k1") is None
    with pytest.raises(RefusedError, match="link"):
        await doors.accounts.invited(link)


WEAK = [
    *("short", "x" * 200, "aaaaaaaaaaaa", "abcabcabcabc", "password1234", "P@ssw0rd2026!", "qwertyuiop123"),
    *("dana-acme-2026", "thunder\ud800thunder crates"),
]


@pytest.mark.parametrize("password", WEAK, ids=range(len(WEAK)))
async def test_weak_passwords_are_refused(password: str) -> None:
    doors = Doors()
    link, _ = await doors.accounts.invite("dana", by="root")
    factor, _ = doors.accounts.new_factor("dana")
    with pytest.raises(RefusedError, match="not taken"):
        await doors.accounts.enrol_password(link, password, factor, doors.code(factor))
    assert (await doors.accounts.invited(link)).name == "dana"


async def test_a_wrong_code_at_enrolment_leaves_the_link_as_it_was() -> None:
    doors = Doors()
    link, _ = await doors.accounts.invite("dana", by="root")
    factor, address = doors.accounts.new_factor("dana")
    assert address.startswith("otpauth://totp/Comptroller%20acme:dana?secret=" + factor)
    with pytest.raises(RefusedError, match="not the code"):
        await doors.accounts.enrol_password(link, GOOD, factor, "12345")
    await doors.accounts.enrol_password(link, GOOD, factor, doors.code(factor))


def test_a_clock_may_be_one_step_off_and_no_more() -> None:
    factor = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
    clock = Still()
    step = int(NOW.timestamp()) // 30
    for off, found in ((-2, 0), (-1, step - 1), (0, step), (1, step + 1), (2, 0)):
        assert matching_step(factor, pyotp.TOTP(factor).generate_otp(step + off), clock.now()) == found


def test_a_seal_opens_for_its_owner_alone() -> None:
    seal = Seal(sealing_key(b"r" * 32))
    sealed = seal.close("secret", "dana")
    assert seal.open(sealed, "dana") == "secret"
    for other, about in ((seal, "eve"), (Seal(sealing_key(b"s" * 32)), "dana")):
        with pytest.raises(RefusedError, match="people reset"):
            other.open(sealed, about)
    for broken in ("", "s1:", "s1:AAAA", sealed[:-4]):
        with pytest.raises(RefusedError):
            seal.open(broken, "dana")


def test_a_document_of_an_account_comes_back_as_it_went() -> None:
    account = Account(name="dana", handle="h", passkeys=(key(), key("k2", 7)), recovery=("aa",), signed_in_at=NOW)
    document = document_of(account, NOW)
    assert account_of(document) == account
    for body in ({"v": 2}, {**document.body, "passkeys": [{}]}, {**document.body, "v": "1"}):
        with pytest.raises(StoreError):
            account_of(replace(document, body=body))
    with pytest.raises(StoreError):
        account_of(Document(id="x", kind=DocumentKind.TOKEN, scope="", open=True, at=NOW, body=document.body))


async def test_refusals_are_told_in_bursts() -> None:
    doors = Doors()
    for _ in range(12):
        await doors.accounts.tell_refused("a passkey that does not hold", Where(address="10.0.0.9"))
    entries: list[Any] = [entry.document for entry in await doors.store.entries()]
    assert [entry["body"]["count"] for entry in entries] == [1, 5, 10]
    assert "10.0.0.9" not in repr(entries)
