"""What a run's person is told: refusals can bury neither a question nor each other."""

from __future__ import annotations

from comptroller.server.tally import REFUSALS_TOLD_MAX, Notice, Tally, notice_of


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


def test_the_line_for_a_part_that_is_not_named_is_told() -> None:
    summary = {
        "operation": "aws:cloudformation:CreateStack", "service": "aws:cloudformation", "host": "x.amazonaws.com",
        "classes": ["provision"], "rules": ["unnamed"], "part_services": ["aws:ec2", "aws:iam"],
        "reasons": [{"code": "forbidden", "text": "not named"}],
    }  # fmt: skip
    told = notice_of("action.denied", summary, agent="bot", hosts=(), services=("aws:cloudformation", "aws:ec2"))
    assert told is not None and told.text.endswith("agents.bot.services: [aws:cloudformation, aws:ec2, aws:iam]")
    enough = notice_of("action.denied", summary, agent="bot", hosts=(), services=("aws:cloudformation", "aws:*"))
    assert enough is not None and "comptroller.yaml" not in enough.text
