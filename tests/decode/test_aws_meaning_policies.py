"""Policy documents: who gains what, in plain words; whatever nobody can read is read the stricter way."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest
from aws_meaning_kit import OTHER, act, policy, said
from hypothesis import given
from hypothesis import strategies as st
from tests.fuzz_kit import fuzz

from comptroller.core.action import ActionClass as C
from comptroller.decode.aws import policy_document
from comptroller.decode.aws.policy_document import UnreadableDocument, gains, read

ALL = {"Effect": "Allow", "Action": "*", "Resource": "*"}
READ_X = {"Action": ["s3:GetObject", "s3:ListBucket"], "Resource": ["arn:aws:s3:::x", "arn:aws:s3:::x/*"]}

PLAIN_WORDS = {
    "an account reads a bucket": (
        {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{OTHER}:root"}, **READ_X},
        f"which lets account {OTHER} read bucket x",
    ),
    "a bare account number": (
        {"Effect": "Allow", "Principal": {"AWS": [OTHER]}, **READ_X},
        f"which lets account {OTHER} read bucket x",
    ),
    "anyone": ({"Effect": "Allow", "Principal": "*", **READ_X}, "which lets anyone read bucket x"),
    "anyone in the other spelling": (
        {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "s3:*", "Resource": "*"},
        "which lets anyone do everything in s3 on everything",
    ),
    "anyone but one": (
        {"Effect": "Allow", "NotPrincipal": {"AWS": OTHER}, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::x/*"},
        f"which lets anyone but account {OTHER} read bucket x",
    ),
    "under conditions": (
        {"Effect": "Allow", "Principal": "*", **READ_X, "Condition": {"Bool": {"aws:SecureTransport": "true"}}},
        "which lets anyone read bucket x under conditions",
    ),
    "a role of another account": (
        {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{OTHER}:role/a/deploy"}, "Action": "sts:AssumeRole"},
        f"which lets role deploy of account {OTHER} become it",
    ),
    "a service": (
        {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"},
        "which lets ec2.amazonaws.com become it",
    ),
    "everything but": (
        {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"},
        "which lets whoever holds it do everything except iam:* (as good as a full administrator) on everything",
    ),
    "who may change permissions": (
        {"Effect": "Allow", "Action": "IAM:*", "Resource": "*"},
        "which lets whoever holds it do IAM:* (as good as a full administrator) on everything",
    ),
    "only refusals": ({"Effect": "Deny", "Action": "*", "Resource": "*"}, "which gives nothing and refuses one thing"),
}


@pytest.mark.parametrize("name", PLAIN_WORDS)
def test_what_a_document_gives_is_said_plainly(name: str) -> None:
    statement, words = PLAIN_WORDS[name]
    assert gains(policy(statement)) == words


@pytest.mark.parametrize("action", ["*", "*:*", "**", "?*", "*:**"])
@pytest.mark.parametrize("resource", ["*", "**", "*:*"])
def test_a_full_administrator_is_called_one_in_every_spelling(action: str, resource: str) -> None:
    statement = {"Effect": "Allow", "Action": [action, "s3:GetObject"], "Resource": resource}
    assert gains(policy(statement), "role web") == "which makes role web a full administrator"
    assert read(policy(statement)).administrator


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: text,
        lambda text: quote(text),
        lambda text: quote(text, safe="").lower().replace("%7b", "%7B") if False else quote(text, safe=""),
        lambda text: "\n\t " + text.replace(":", " : "),
        lambda text: json.dumps(json.loads(text), indent=4),
        lambda text: text.replace("Allow", "\\u0041llow"),
        lambda text: text.encode(),
        lambda text: json.loads(text),
    ],
)
def test_encodings_change_nothing(encode) -> None:  # type: ignore[no-untyped-def]
    assert gains(encode(policy(ALL)), "role web") == "which makes role web a full administrator"


UNREADABLE = {
    "no JSON": "{",
    "a duplicate key": '{"Statement": [], "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}',
    "a duplicate effect": '{"Statement": {"Effect": "Deny", "Effect": "Allow", "Action": "*", "Resource": "*"}}',
    "base64": base64.b64encode(policy(ALL).encode()).decode(),
    "a list": "[]",
    "no statement": '{"Version": "2012-10-17"}',
    "an unknown effect": policy({"Effect": "allow", "Action": "*", "Resource": "*"}),
    "an unknown member": policy({"Effect": "Deny", "Action": "*", "Resource": "*", "actions": "*"}),
    "an unknown version": '{"Version": "2099-01-01", "Statement": []}',
    "both forms": policy({"Effect": "Deny", "Action": "s3:*", "NotAction": "s3:*", "Resource": "*"}),
    "numbers for actions": policy({"Effect": "Deny", "Action": [1], "Resource": "*"}),
    "a principal of no kind": policy({"Effect": "Deny", "Principal": "x", "Action": "*", "Resource": "*"}),
    "an unknown kind": policy({"Effect": "Deny", "Principal": {"Aws": "*"}, "Action": "*", "Resource": "*"}),
    "no action": policy({"Effect": "Deny", "Resource": "*"}),
    "a condition of text": policy({"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": "x"}),
    "nested deep": '{"Statement":' + "[" * 100 + "]" * 100 + "}",
    "too long": '{"Statement": [], "Id": "' + "x" * policy_document.DOCUMENT_CHARACTERS_MAX + '"}',
    "too many statements": json.dumps({"Statement": [ALL] * (policy_document.STATEMENTS_MAX + 1)}),
    "a lone surrogate": '{"Statement": [], "Id": "\ud800"}',
    "bytes": b"\xff\xfe",
    "a number": 3,
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_nobody_can_read_may_give_anything(name: str) -> None:
    with pytest.raises(UnreadableDocument):
        read(UNREADABLE[name])
    assert gains(UNREADABLE[name]).startswith("with a policy that nobody can read")


def test_one_statement_needs_no_list_and_long_lists_are_cut() -> None:
    many = [{"Effect": "Allow", "Action": f"s3:Get{n}", "Resource": f"arn:aws:s3:::b{n}"} for n in range(30)]
    text = gains(policy(*many))
    assert "and 26 more" in text
    assert len(text) < 400
    assert read({"Statement": ALL}) == read(policy(ALL))


def test_a_document_tells_which_accounts_gain() -> None:
    document = read(
        policy({"Effect": "Allow", "Principal": {"AWS": [OTHER, f"arn:aws:iam::{OTHER}:user/x"]}, **READ_X})
    )
    assert document.accounts == {OTHER}
    assert not document.anyone
    assert read(policy({"Effect": "Allow", "Principal": "*", **READ_X})).anyone


PLACES = {
    "s3:PutBucketPolicy": lambda text: {"Bucket": "x", "Policy": text},
    "kms:CreateKey": lambda text: {"Policy": text},
    "sqs:CreateQueue": lambda text: {"QueueName": "q", "Attributes": {"Policy": text}},
    "sqs:SetQueueAttributes": lambda text: {"QueueUrl": "https://q", "Attributes": {"Policy": text}},
    "sns:CreateTopic": lambda text: {"Name": "t", "Attributes": {"Policy": text}},
    "sns:SetTopicAttributes": lambda text: {"TopicArn": "t", "AttributeName": "Policy", "AttributeValue": text},
    "iam:PutRolePolicy": lambda text: {"RoleName": "web", "PolicyName": "p", "PolicyDocument": text},
    "iam:CreatePolicyVersion": lambda text: {"PolicyArn": "p", "PolicyDocument": text},
    "ec2:CreateVpcEndpoint": lambda text: {"VpcId": "v", "PolicyDocument": text},
    "opensearch:CreateDomain": lambda text: {"DomainName": "d", "AccessPolicies": text},
    "dynamodb:CreateTable": lambda text: {"TableName": "t", "ResourcePolicy": text, "BillingMode": "PAY_PER_REQUEST"},
    "apigateway:CreateRestApi": lambda text: {"name": "a", "policy": text},
    "ecr:SetRepositoryPolicy": lambda text: {"repositoryName": "r", "policyText": text},
    "secretsmanager:PutResourcePolicy": lambda text: {"SecretId": "s", "ResourcePolicy": text},
    "efs:PutFileSystemPolicy": lambda text: {"FileSystemId": "f", "Policy": text},
}


@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize("text", [policy(ALL), policy({"Effect": "Allow", "Principal": "*", **READ_X}), "{", "x"])
def test_a_policy_is_found_wherever_it_stands(name: str, text: str) -> None:
    assert C.ENTITLE in act(name, PLACES[name](text)).classes
    wanted = "nobody can read" if text in ("{", "x") else "administrator" if "Principal" not in text else "anyone"
    assert wanted in said(name, PLACES[name](text))


def test_words_of_a_caller_stay_quoted() -> None:
    statement = {"Effect": "Allow", "Action": "s3:Get; nothing else` at all", "Resource": "arn:aws:s3:::b in no way"}
    text = gains(policy(statement))
    assert "`s3:Get; nothing else' at all`" in text
    assert "bucket `b in no way`" in text


KEYS = [
    *("Version", "Id", "Statement", "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource"),
    *("NotResource", "Condition", "AWS", "Service", "Federated", "x"),
]
VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.text(max_size=20),
        st.sampled_from(["*", "Allow", "Deny", "s3:*", "arn:aws:iam::123456789012:root", "arn:aws:s3:::b/*"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.sampled_from(KEYS),
            inner,
            max_size=6,
        ),
    ),
    max_leaves=20,
)


@fuzz(60)
@given(VALUES)
def test_any_value_is_read_or_refused(value: object) -> None:
    text = gains({"Statement": value})
    assert text.isprintable()
    assert gains(json.dumps(value)).isprintable()
    try:
        document = read({"Version": "2012-10-17", "Statement": value})
    except UnreadableDocument:
        return
    assert all(one.who is None or one.who or one.not_who or one.who == () for one in document.statements)


@fuzz(60)
@given(st.text(max_size=200))
def test_any_text_entitles_where_a_policy_is_due(text: str) -> None:
    found = act("kms:CreateKey", {"Policy": text} if text else {"Policy": "{}"}).classes
    assert C.ENTITLE in found
    assert gains(text).isprintable()


@fuzz(60)
@given(
    st.lists(st.sampled_from(["s3:GetObject", "ec2:*", "sqs:Send*", "x"]), max_size=4),
    st.integers(0, 4),
    st.booleans(),
    st.text(max_size=10),
)
def test_an_administrator_cannot_be_hidden_among_others(others: list[str], place: int, denied: bool, sid: str) -> None:
    """Whatever stands before, after and beside it."""
    actions = [*others[:place], "*", *others[place:]]
    statements = [
        {"Sid": sid, "Effect": "Deny" if denied else "Allow", "Action": "s3:GetObject", "Resource": "*"},
        {"Effect": "Allow", "Action": actions, "Resource": ["arn:aws:s3:::x", "*"]},
    ]
    assert read(policy(*statements)).administrator
    assert gains(policy(*statements)).endswith("a full administrator")
