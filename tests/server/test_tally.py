"""What a run's person is told: refusals can bury neither a question nor each other."""

from __future__ import annotations

from comptroller.server.tally import REFUSALS_TOLD_MAX, Notice, Tally


def test_a_flood_of_different_refusals_never_hides_a_question() -> None:
    tally = Tally()
    told = sum(
        tally.worth_telling(Notice(kind="denied", text="", key=f"denied {number}.example")) for number in range(5_000)
    )
    assert told == REFUSALS_TOLD_MAX
    assert tally.untold == 5_000 - REFUSALS_TOLD_MAX
    for number in range(200):
        assert tally.worth_telling(Notice(kind="held", text="", key=f"held {number}"))
        assert tally.worth_telling(Notice(kind="approved", text="", key=f"yes {number}"))


def test_the_same_refusal_is_told_ever_more_rarely() -> None:
    tally = Tally()
    notice = Notice(kind="box", text="", key="box ssh 192.0.2.1:22")
    assert [number for number in range(1, 1_200) if tally.worth_telling(notice)] == [1, 10, 100, 1_000]
