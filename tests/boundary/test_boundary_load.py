"""Mistakes in policies: each is refused with its place and with what to write instead."""

from __future__ import annotations

import pytest
from boundary_cases import PERMIT_ALL, load, starter_text
from hypothesis import given, settings
from hypothesis import strategies as st

from comptroller.boundary import CedarBoundary, PolicyError, PolicyText
from comptroller.core.errors import ConfigError

READ = 'permit (principal, action in Comptroller::Action::"read", resource)'
ASKS = '@id("ask") @outcome("approval") @approvers("Group::people") '
STAGED = '@id("ask") @outcome("approval") '
LIFTED = ' unless { context.grants.contains("ask") };'

MISTAKES = {
    "no end": (f'@id("a") {READ}', 1, "the last policy has no end", "`;`"),
    "no text end": (f'@id("a") {READ}\nwhen {{ "x }};', 2, "does not end", '`"`'),
    "no grammar": (f'@id("a") {READ}\n when {{ context. }};', 2, "unexpected token `}`", "grammar"),
    "no effect": ('@id("a")\nallow (principal, action, resource);', 1, "invalid policy effect", "`permit` or `forbid`"),
    "template": ('@id("a")\npermit (principal == ?principal, action, resource);', 2, "templates", "one policy per"),
    "no id": (f"\n{READ};", 2, "without `@id`", '`@id("'),
    "odd id": (f'@id("comptroller:a") {READ};', 1, "`comptroller:a` is no id", '`@id("'),
    "id twice": (f'@id("a") {READ};\n@id("a")\n{READ};', 2, "`a` is taken by p0.cedar:1", '`@id("a-2")`'),
    "annotation": (f'@id("a")\n@resaon("b") {READ};', 2, "no annotation `@resaon`", "`@reason`"),
    "outcome": (f'@id("a") @outcome("maybe") {READ};', 1, "no outcome `maybe`", '`@outcome("approval")`'),
    "asking permit": (
        f'@id("a") @outcome("approval") @approvers("Group::a") {READ};',
        1,
        "never by a permit",
        "forbid",
    ),
    "lonely quorum": (f'@id("a") @quorum("2") {READ};', 1, "`@quorum` needs an outcome", '`@outcome("approval")`'),
    "nobody to ask": (
        f'@id("ask") @outcome("approval") forbid (principal, action, resource) {LIFTED}',
        1,
        "nobody is named",
        '`@approvers("Group::approvers")`',
    ),
    "person to ask": (
        f'@id("ask") @outcome("approval") @approvers("Person::ann") forbid (principal, action, resource) {LIFTED}',
        1,
        "nobody is named",
        '`@approvers("Group::approvers")`',
    ),
    "quorum": (f'{ASKS} @quorum("0") forbid (principal, action, resource) {LIFTED}', 1, "`0` is no number", "@quorum"),
    "role": (f'{ASKS} @exclude("boss") forbid (principal, action, resource) {LIFTED}', 1, "`boss` is no role", "owner"),
    "ttl": (f'{ASKS} @ttl("1y") forbid (principal, action, resource) {LIFTED}', 1, "`1y` is no time", '`@ttl("30m")`'),
    "long ttl": (f'{ASKS} @ttl("8d") forbid (principal, action, resource) {LIFTED}', 1, "`8d` is no", '`@ttl("30m")`'),
    **{
        f"{what}": (f"{asks} forbid (principal, action, resource) {LIFTED}", 1, message, write)
        for what, asks, message, write in (
            ("stages", f'{STAGED} @stages("leads")', "names no stages", "2 of Group::finance"),
            ("no stage", f'{STAGED} @stages("")', "names no stages", "2 of Group::finance"),
            ("stage of nobody", f'{STAGED} @stages("0 of Group::a")', "names no stages", "2 of Group::finance"),
            ("stage of too many", f'{STAGED} @stages("17 of Group::a")', "`17` is no number", "@quorum"),
            ("nine stages", f'{STAGED} @stages("{", ".join(["Group::a"] * 9)}")', "8 at most", "2 of Group::finance"),
            ("both", f'{ASKS} @stages("Group::a")', "both `@stages` and `@approvers`", "only one"),
            ("near role", f'{ASKS} @exclude("requestor")', "`requestor` is no role", '`@exclude("requester")`'),
            ("assurance", f'{ASKS} @assurance("fingerprint")', "no assurance `fingerprint`", '@assurance("passkey")'),
            ("delay", f'{ASKS} @delay("soon")', "`soon` is no time", '`@delay("30m")`'),
            ("expires", f'{ASKS} @expires("0h")', "`0h` is no time", '`@expires("30m")`'),
            ("escalate", f'{ASKS} @escalate("Group::heads")', "after what time", '"Group::heads after 30m"'),
            ("late", f'{ASKS} @escalate("Group::heads after 9h")', "once the question has expired", "shorter"),
            ("lonely delay", '@id("ask") @delay("1m")', "`@delay` needs an outcome", '`@outcome("approval")`'),
        )
    },
    "nothing lifts it": (
        f"{ASKS}\n\nforbid (principal, action, resource) when {{ context.quantity > 3 }};",
        3,
        "nothing lifts `ask`",
        '`unless { context.grants.contains("ask") };`',
    ),
    "lifted without a grant": (
        f'{ASKS} forbid (principal, action, resource) unless {{ !context.grants.contains("ask") }};',
        1,
        "nothing lifts `ask`",
        '`unless { context.grants.contains("ask") };`',
    ),
    "lifted by when": (
        f'{ASKS} forbid (principal, action, resource) when {{ context.grants.contains("ask") }};',
        1,
        "nothing lifts `ask`",
        '`unless { context.grants.contains("ask") };`',
    ),
    "another's grant": (
        f'{ASKS} forbid (principal, action, resource) unless {{ context.grants.contains("ask") || '
        'context.grants.contains("aks") };',
        1,
        "is called `aks`",
        '`context.grants.contains("ask")`',
    ),
    "grant without a question": (
        '@id("a") forbid (principal, action, resource) unless { context.grants.contains("a") };',
        1,
        "nobody can grant it",
        "asks people",
    ),
    "attribute": (f'@id("a") {READ} when {{\n context.nmaed }};', 2, "`nmaed` not found", "`context.named`"),
    "agent attribute": (
        f'@id("a") {READ} when {{ principal.servces.contains("x") }};',
        1,
        "`servces`",
        "`principal.services`",
    ),
    "optional": (
        f'@id("a") {READ}\nwhen {{ context.usd_micros_high < 5 }};',
        2,
        "optional attribute `usd_micros_high`",
        "`context has usd_micros_high && ",
    ),
    "type": (f'@id("a") {READ} when {{ context.quantity > "a" }};', 1, "expected Long", "without quotes"),
    "namespace": (
        '@id("a") permit (principal,\n action in Action::"read", resource);',
        2,
        'unrecognized action `Action::"read"`',
        '`Comptroller::Action::"read"`',
    ),
    "class": (
        '@id("a") permit (principal,\n action in Comptroller::Action::"reed", resource);',
        2,
        "operation `reed`",
        '`Comptroller::Action::"read"`',
    ),
    "class as action": (
        '@id("a") permit (principal,\n action == Comptroller::Action::"read", resource);',
        2,
        "`read` is a class",
        '`action in Comptroller::Action::"read"`',
    ),
    "operation": (
        '@id("a") permit (principal, action ==\nComptroller::Action::"aws:ec2:RunInstance", resource);',
        2,
        "nobody knows an operation `aws:ec2:RunInstance`",
        '`Comptroller::Action::"aws:ec2:RunInstances"`',
    ),
    "synthetic action": (
        '@id("a") permit (principal, action == Comptroller::Action::"op:read", resource);',
        1,
        "nobody knows an operation `op:read`",
        '`Comptroller::Action::"read"`',
    ),
    "entity": (
        '@id("a") permit (principal == Comptroller::Agnet::"x", action, resource);',
        1,
        "entity type `Comptroller::Agnet`",
        "`Comptroller::Agent`",
    ),
    "never applies": (
        '@id("a") permit (principal, action, resource is Comptroller::Resource);',
        1,
        "applicable action",
        "`resource is Comptroller::Service`",
    ),
    "action in a condition": (
        '@id("a") permit (principal, action, resource)\nwhen { action in Comptroller::Action::"read" };',
        2,
        "in its scope",
        "`action in [...]`",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_refused_with_its_line_and_what_to_write(name: str) -> None:
    text, line, message, write = MISTAKES[name]
    with pytest.raises(PolicyError) as raised:
        load(text)
    first = raised.value.problems[0]
    assert (first.file, first.line) == ("p0.cedar", line)
    assert message in first.message
    assert write in first.write
    assert str(first) in str(raised.value)
    assert f"p0.cedar:{line}: " in str(first)
    assert "; write: " in str(first)


def test_all_mistakes_of_all_files_are_told_at_once_in_their_order() -> None:
    with pytest.raises(ConfigError) as raised:
        load(f"{READ};\n{PERMIT_ALL}", f'@id("b") {READ}\n when {{ context.x }};\n@id("all") {READ};')
    assert isinstance(raised.value, PolicyError)
    assert [(problem.file, problem.line) for problem in raised.value.problems] == [
        ("p0.cedar", 1),
        ("p1.cedar", 2),
        ("p1.cedar", 3),
    ]


def test_one_mistake_is_told_once() -> None:
    for name in ("class", "class as action", "operation", "namespace", "optional"):
        with pytest.raises(PolicyError) as raised:
            load(MISTAKES[name][0])
        assert len(raised.value.problems) == 1, name


@pytest.mark.parametrize(
    "condition", ["when { false }", "unless { true }", "when { context.named && false }", "when { !true || false }"]
)
def test_a_rule_that_can_never_apply_is_warned_about(condition: str) -> None:
    boundary = load(f'{PERMIT_ALL}@id("dead") forbid (principal, action, resource) {condition};')
    assert [(warning.line, "`dead` can never apply" in warning.message) for warning in boundary.warnings] == [(2, True)]


def test_a_rule_that_may_apply_is_not_warned_about() -> None:
    for condition in ("when { true }", "unless { false }", "when { context.named || false }", "when { context.named }"):
        assert load(f'@id("a") forbid (principal, action, resource) {condition};').warnings == ()


@pytest.mark.parametrize(
    ("groups", "write"),
    [
        ({"people": 2}, None),
        ({"people": 1}, "people.NAME.groups: [people]"),
        ({}, "people.NAME.groups: [people]"),
        ({"peoples": 2, "people": 1}, '`@approvers("Group::peoples")`'),
    ],
)
def test_a_question_too_few_could_answer_is_warned_about(groups: dict[str, int], write: str | None) -> None:
    text = f'{ASKS}\n@quorum("2") forbid (principal, action, resource) {LIFTED}'
    boundary = CedarBoundary.load([PolicyText(file="p", text=text)], {}, classes_of=lambda _: None, groups=groups)
    assert [warning.write for warning in boundary.warnings] == ([] if write is None else [write])
    assert CedarBoundary.load([PolicyText(file="p", text=text)], {}, classes_of=lambda _: None).warnings == ()


def test_a_look_up_that_raises_knows_no_operation() -> None:
    def broken(operation: str) -> None:
        raise LookupError(operation)

    def none(operation: str) -> list[str]:
        raise OSError(operation)

    text = MISTAKES["operation"][0]
    with pytest.raises(PolicyError, match="nobody knows an operation"):
        CedarBoundary.load([PolicyText(file="p", text=text)], {}, classes_of=broken, near=none)


def test_annotations_become_the_obligation() -> None:
    boundary = load(
        '@id("ask") @outcome("approval") @approvers("Group::finance-team") @quorum("2") @exclude("agent, owner") '
        f'@ttl("2h") @reason("why") forbid (principal, action, resource) {LIFTED}'
    )
    obligation = boundary.rules[0].obligation
    assert obligation is not None
    assert (obligation.rule, obligation.approvers, obligation.quorum) == ("ask", "finance-team", 2)
    assert (obligation.exclude, obligation.ttl_seconds, obligation.reason) == ({"agent", "owner"}, 7200, "why")


def test_stages_delays_and_escalations_are_read() -> None:
    text = (
        f'{STAGED} @stages("Group::leads, 2 of Group::finance,3 of Group::heads") @quorum("4") @assurance("passkey") '
        '@exclude("owner,requester,author") @delay("10m") @expires("24h") '
        f'@escalate("Group::board after 2h, Group::heads after 30m") forbid (principal, action, resource) {LIFTED}'
    )
    (rule,) = load(text).rules
    asked = rule.obligation
    assert asked is not None and asked.people == 9
    assert [(stage.group, stage.quorum) for stage in asked.stages] == [("leads", 4), ("finance", 2), ("heads", 3)]
    assert (asked.delay_seconds, asked.expires_seconds, asked.assurance) == (600, 86_400, "passkey")
    assert asked.exclude == {"agent", "owner", "requester", "author"}
    assert [(late.group, late.after_seconds) for late in asked.escalations] == [("heads", 1_800), ("board", 7_200)]


def test_stages_and_escalations_too_few_could_answer_are_warned_about() -> None:
    text = (
        f'{STAGED} @stages("Group::leads, 2 of Group::finance") @escalate("Group::heads after 1h") '
        f"forbid (principal, action, resource) {LIFTED}"
    )
    groups = {"leads": 1, "finance": 1}
    boundary = CedarBoundary.load([PolicyText(file="p", text=text)], {}, classes_of=lambda _: None, groups=groups)
    told = [warning.message for warning in boundary.warnings]
    assert told == ["`ask` wants 2 of group `finance`, which has 1", "`ask` wants 1 of group `heads`, which has 0"]


def test_the_agent_is_excluded_even_where_only_the_owner_is_named() -> None:
    boundary = load(f'{ASKS} @exclude("owner") forbid (principal, action, resource) {LIFTED}')
    assert boundary.rules[0].obligation.exclude == {"agent", "owner"}  # type: ignore[union-attr]


def test_a_grant_may_be_one_of_several_conditions() -> None:
    load(
        f"{ASKS} forbid (principal, action, resource) unless {{ context.quantity < 3 || "
        '(context.named && context.grants.contains("ask")) };'
    )


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200), st.integers(0, 400))
def test_no_text_makes_the_reader_raise_anything_but_its_error(noise: str, at: int) -> None:
    text = starter_text()[-1500:]
    for candidate in (noise, text[:at] + noise + text[at:]):
        try:
            load(candidate)
        except PolicyError as error:
            assert all(problem.line >= 1 and problem.message for problem in error.problems)


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_stands_where_its_column_says(name: str) -> None:
    text = MISTAKES[name][0]
    with pytest.raises(PolicyError) as caught:
        load(text)
    for problem in caught.value.problems:
        line = text.splitlines()[problem.line - 1]
        assert (problem.column == 0) == (problem.length == 0)
        if problem.column:
            found = line[problem.column - 1 : problem.column - 1 + problem.length]
            assert len(found) == problem.length and found == found.strip() != "", problem


def test_columns_count_from_the_line_and_not_from_the_file() -> None:
    text = '// first\r\n@id("a")\r\npermit (principal, action, resource) when { context.regoin == "x" };'
    with pytest.raises(PolicyError) as caught:
        load(text)
    (problem,) = caught.value.problems
    assert (problem.line, problem.column, problem.length) == (3, 53, 6)
