"""The outage journal: whole, torn at any byte, changed at any byte."""

from __future__ import annotations

import asyncio
import os
import stat
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comptroller.core.audit import EntryDraft, EntryKind, PrivateField
from comptroller.core.brake import Brake, BrakeState
from comptroller.core.distrust import Distrust
from comptroller.core.errors import StoreError
from comptroller.core.escrow import Note, NoteKind
from comptroller.core.estimate import Unit
from comptroller.core.reservation import Line, Reservation, ReservationState
from comptroller.stores.journal import FileJournal
from comptroller.stores.notes import note_bytes, note_of

AT = datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC)
SIZE = 1 << 16


def note(number: int = 0, kind: NoteKind = NoteKind.SPENT) -> Note:
    line = Line(scope="acme", unit=Unit.CALLS, window="day", start="2026-11-23", amount=1)
    return Note(
        kind=kind,
        id=f"r{number}",
        at=AT,
        share="s",
        entries=(
            EntryDraft(
                kind=EntryKind.ACTION_ALLOWED,
                at=AT,
                agent="bot",
                run="r",
                body={"n": number, "big": 2**70, "text": "ä\u2028\n\0", "none": None, "list": [1, {"a": True}]},
                private=(PrivateField(name="sentence", salt=bytes(16), value={"text": "look"}),),
            ),
        ),
        reservation=Reservation(
            id=f"r{number}",
            run="r",
            agent="bot",
            operation="http:h:GET",
            digest="d",
            retry_token="",
            state=ReservationState.DISPATCHED,
            amounts={Unit.CALLS: 1},
            lines=(line,),
            created_at=AT,
        ),
        brakes=(Brake(scope="acme", state=BrakeState.FROZEN, reason="x", by="ann", at=AT),),
        distrusts=(Distrust(key="k", trusted=False, reason="x", by="comptroller", at=AT),),
    )


async def written(path: Path, count: int) -> tuple[bytes, int]:
    """A journal of `count` notes, and where the last one ends."""
    journal = await FileJournal.open(path, size_bytes=SIZE)
    for number in range(count):
        await journal.append(note(number))
    end = journal._end
    await journal.close()
    return path.read_bytes(), end


async def count_of(path: Path, data: bytes) -> int:
    path.write_bytes(data)
    journal = await FileJournal.open(path, size_bytes=SIZE)
    try:
        assert list(journal.notes) == [note(number) for number in range(len(journal.notes))]
        return len(journal.notes)
    finally:
        await journal.close()


def test_a_note_comes_back_as_it_went() -> None:
    for kind in NoteKind:
        assert note_of(note_bytes(note(3, kind))) == note(3, kind)
    assert b"\0" not in note_bytes(note()) and b"\n" not in note_bytes(note())


async def test_what_was_appended_is_there_afterwards_and_nobody_elses(tmp_path: Path) -> None:
    path = tmp_path / "j"
    data, _ = await written(path, 3)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(data) == SIZE
    journal = await FileJournal.open(path, size_bytes=SIZE)
    head = journal.head
    await asyncio.gather(*(journal.append(note(number)) for number in range(3, 30)))
    assert journal.syncs < 27, "what comes together shares a sync"
    assert journal.head != head and list(journal.notes) == [note(number) for number in range(30)]
    await journal.close()
    assert await count_of(path, path.read_bytes()) == 30


async def test_torn_at_every_byte_the_last_note_is_not_there_and_the_next_is(tmp_path: Path) -> None:
    path = tmp_path / "j"
    two, begin = await written(path, 2)
    path.unlink()
    three, end = await written(path, 3)
    # The same journal: its first lines are those of the three.
    begin = end - (len(note_bytes(note(2))) + 8 + 64 + 3)
    for cut in range(begin, end):
        torn = three[:cut] + bytes(SIZE - cut)
        assert await count_of(path, torn) == 2, cut
        if cut % 97 == 0:
            journal = await FileJournal.open(path, size_bytes=SIZE)
            await journal.append(note(2))
            await journal.close()
            assert await count_of(path, path.read_bytes()) == 3
    for hole in range(begin + 80, end - 200, 101):
        torn = three[:hole] + bytes(100) + three[hole + 100 :]
        assert await count_of(path, torn) == 2, hole
    assert len(two) == SIZE


async def test_changed_at_any_byte_it_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "j"
    data, end = await written(path, 3)
    for place in range(0, end, 7):
        changed = bytearray(data)
        changed[place] ^= 0x01
        path.write_bytes(bytes(changed))
        with pytest.raises(StoreError, match="damaged or changed") as caught:
            await FileJournal.open(path, size_bytes=SIZE)
        assert "moved away" in caught.value.hint


async def test_a_note_taken_out_or_put_elsewhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "j"
    data, end = await written(path, 3)
    length = (end - data.index(b"\n") - 1) // 3
    first = data.index(b"\n") + 1
    lines = [data[first + n * length : first + (n + 1) * length] for n in range(3)]
    for kept in ([1, 2], [0, 2], [1, 0, 2], [0, 1, 1]):
        path.write_bytes(data[:first] + b"".join(lines[n] for n in kept) + bytes(SIZE - first - len(kept) * length))
        with pytest.raises(StoreError, match="damaged or changed"):
            await FileJournal.open(path, size_bytes=SIZE)


@given(st.binary(max_size=400))
def test_anything_at_all_opens_or_is_refused(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "j"
        path.write_bytes(data)

        async def opened() -> None:
            await (await FileJournal.open(path, size_bytes=SIZE)).close()

        with pytest.raises(StoreError):
            asyncio.run(opened())


async def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "else").write_bytes(b"")
    (tmp_path / "j").symlink_to(tmp_path / "else")
    with pytest.raises(StoreError):
        await FileJournal.open(tmp_path / "j", size_bytes=SIZE)


async def test_near_its_end_only_what_closes_or_stops_is_taken(tmp_path: Path) -> None:
    journal = await FileJournal.open(tmp_path / "j", size_bytes=SIZE)
    with pytest.raises(StoreError, match="is full"):
        for number in range(1000):
            await journal.append(note(number))
    count = len(journal.notes)
    await journal.append(note(count, NoteKind.CLOSED))
    await journal.append(note(count, NoteKind.BRAKE))
    assert journal.crowded and len(journal.notes) == count + 2
    with pytest.raises(StoreError, match="is full"):
        for number in range(1000):
            await journal.append(note(number, NoteKind.CLOSED))
    assert os.path.getsize(tmp_path / "j") == SIZE
    await journal.renew([note(0, NoteKind.SHARE)])
    assert list(journal.notes) == [note(0, NoteKind.SHARE)] and not journal.crowded
    await journal.append(note(1))
    await journal.close()
    again = await FileJournal.open(tmp_path / "j", size_bytes=SIZE)
    assert list(again.notes) == [note(0, NoteKind.SHARE), note(1)]
    await again.close()


async def test_one_that_cannot_be_begun_leaves_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "j"
    journal = await FileJournal.open(path, size_bytes=SIZE)
    await journal.append(note(0))
    (tmp_path / "j.new").mkdir()
    with pytest.raises(StoreError, match=r"journal.*failed"):
        await journal.renew(())
    await journal.append(note(1))
    await journal.close()
    assert await count_of(path, path.read_bytes()) == 2
