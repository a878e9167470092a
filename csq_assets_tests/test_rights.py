"""The rights that the pages ask for are enough, and each of them is needed, and named where it lacks.

Policies are read out of docs/your-bucket.md, and judged twice: with their conditions by moto's
evaluator of IAM, before a server that asks for none, and by moto's server with its enforcement on.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from urllib.request import Request as HttpRequest
from urllib.request import urlopen

import boto3
import pytest
from moto.iam.access_control import IAMPolicy, PermissionResult

from csq_assets.doctor import Probe, examine
from csq_assets.sync import run_sync
from csq_assets_tests.builders import ExportBuilder
from csq_assets_tests.faulty_s3 import Answer, FaultyS3, Request, error
from csq_assets_tests.platform import REPOSITORY, Listener, Platform, open_platform

PAGE = (REPOSITORY / "docs" / "your-bucket.md").read_text()
EXPORT, LAKE = "customer", "analytics"
IMPLIED = "/sync_reports/*"  # by sync_*/*: it is there to be seen
NOWHERE = "arn:aws:s3:::nowhere"
OPTIONAL = ("s3:ListBucketMultipartUploads", "s3:AbortMultipartUpload")
pytestmark = pytest.mark.s3

Statement = dict[str, Any]


def reading_the_export() -> list[Statement]:
    """The policy of the page, for the export of these tests."""
    policy = re.search(r"```json\n(\{.*?\n\})\n```", PAGE, re.DOTALL)
    assert policy is not None
    return json.loads(policy[1].replace("csq-rs3-acme", EXPORT))["Statement"]


def having_the_lake() -> list[Statement]:
    """The rows of the page's table, as a policy for the lake of these tests."""
    rows = re.findall(r"^\| (`s3:[^|]+) \| ([^|]+) \|", PAGE, re.MULTILINE)
    assert len(rows) == 3
    statements: list[Statement] = []
    for actions, _ in rows:
        for action in re.findall(r"s3:\w+", actions):
            of_bucket = action.startswith("s3:ListBucket")
            on = f"arn:aws:s3:::{LAKE}" + ("" if of_bucket else "/csq/*")
            statement: Statement = {"Effect": "Allow", "Action": action, "Resource": on}
            if action == "s3:ListBucket":
                statement["Condition"] = {"StringLike": {"s3:prefix": ["csq/*"]}}
            statements.append(statement)
    return statements


def everything() -> list[Statement]:
    return [*reading_the_export(), *having_the_lake()]


def action_of(request: Request) -> tuple[str, str, str]:
    """The action of IAM that a request takes, its bucket and key, and the prefix that it lists."""
    address = urlsplit(request.path)
    bucket, _, key = unquote(address.path).lstrip("/").partition("/")
    query = parse_qs(address.query, keep_blank_values=True)
    resource = f"{bucket}/{key}" if key else bucket
    prefix = query.get("prefix", [""])[0]
    if not key and request.method == "GET":
        listed = "s3:ListBucketMultipartUploads" if "uploads" in query else "s3:ListBucket"
        return listed, resource, prefix
    if request.method == "DELETE":
        aborts = "uploadId" in query
        return "s3:AbortMultipartUpload" if aborts else "s3:DeleteObject", resource, prefix
    reads = request.method in ("GET", "HEAD")
    return "s3:GetObject" if reads else "s3:PutObject", resource, prefix


def _condition_holds(statement: Statement, prefix: str) -> bool:
    """The only one that the page has. moto's evaluator knows no StringLike."""
    patterns = statement.get("Condition", {"StringLike": {"s3:prefix": ["*"]}})
    return any(fnmatchcase(prefix, one) for one in patterns["StringLike"]["s3:prefix"])


def enforced(statements: Sequence[Statement], request: Request) -> Answer | None:
    """None where the policy allows it."""
    action, resource, prefix = action_of(request)
    holding = [one for one in statements if _condition_holds(one, prefix)]
    policy = IAMPolicy(json.dumps({"Statement": holding}))
    judged = policy.is_action_permitted(action, f"arn:aws:s3:::{resource}")
    if judged == PermissionResult.PERMITTED:
        return None
    return error(403, "AccessDenied", "Access Denied")


@pytest.fixture
def guarded(
    s3_export: ExportBuilder, s3_client: Any, faulty_s3: FaultyS3, home: Path
) -> Iterator[tuple[Platform, FaultyS3]]:
    """A platform with its export in one bucket and its lake in another, and its server."""
    s3_client.create_bucket(Bucket=LAKE)
    with open_platform(home, s3_export, f"s3://{LAKE}/csq") as platform:
        platform.deliver(12, users=[{"user_id": 1}], property_definitions=[{"property": "plan"}])
        yield platform, faulty_s3


def allow(server: FaultyS3, statements: Sequence[Statement]) -> None:
    server.fault = lambda request: enforced(statements, request)


def failed(platform: Platform) -> list[Probe]:
    """What csq doctor finds."""
    return [probe for probe in examine(lambda: platform.settings) if not probe.ok]


def test_the_rights_of_the_page_are_enough(guarded: tuple[Platform, FaultyS3]) -> None:
    platform, server = guarded
    allow(server, everything())
    assert failed(platform) == []
    assert platform.sync().exit_code == 0
    platform.export.deliver(13, users=[{"user_id": 2}])
    assert platform.sync().exit_code == 0
    assert platform.rebuild().exit_code == 0
    assert [row["user_id"] for row in platform.rows("users")] == [1, 2]
    assert platform.csq("forget", "--yes", "2").code == 0
    assert [row["user_id"] for row in platform.rows("users")] == [1]
    refused = [action_of(one) for one in server.requests if enforced(everything(), one)]
    assert refused == []


def test_nothing_is_written_to_the_export(guarded: tuple[Platform, FaultyS3]) -> None:
    platform, server = guarded
    before = {key: platform.export.get(key) for key in platform.export.list_keys()}
    platform.sync()
    assert failed(platform) == []
    asked = {one.method for one in server.requests if action_of(one)[1].partition("/")[0] == EXPORT}
    assert asked <= {"GET", "HEAD"}
    assert {key: platform.export.get(key) for key in platform.export.list_keys()} == before


def without_one() -> list[tuple[str, list[Statement]]]:
    """Each right that is needed, by its action and resource, and the policies without it."""
    found: list[tuple[str, list[Statement]]] = []
    for place, statement in enumerate(everything()):
        action, listed = statement["Action"], statement["Resource"]
        resources = listed if isinstance(listed, list) else [listed]
        for resource in resources:
            if action in OPTIONAL or resource.endswith(IMPLIED):
                continue
            kept = everything()
            kept[place]["Resource"] = [one for one in resources if one != resource] or NOWHERE
            found.append((f"{action} {resource.removeprefix('arn:aws:s3:::')}", kept))
    return found


@pytest.mark.parametrize(("right", "kept"), without_one(), ids=[one for one, _ in without_one()])
def test_a_right_that_lacks_is_named(
    guarded: tuple[Platform, FaultyS3], right: str, kept: list[Statement]
) -> None:
    platform, server = guarded
    allow(server, kept)
    action, _, resource = right.partition(" ")
    found = failed(platform)
    assert found, right
    assert action in found[0].said
    assert resource.partition("/")[0] in found[0].said
    assert "Traceback" not in found[0].said


def test_without_the_optional_rights_everything_works(
    guarded: tuple[Platform, FaultyS3],
) -> None:
    platform, server = guarded
    allow(server, [one for one in everything() if one["Action"] not in OPTIONAL])
    assert failed(platform) == []
    assert platform.sync().exit_code == 0


def test_the_evaluator_keeps_a_listing_to_its_prefixes() -> None:
    listing = Request("GET", f"/{EXPORT}?list-type=2&prefix=manifests%2F", {})
    assert enforced(everything(), listing) is None
    for prefix in ("", "other/"):
        elsewhere = replace(listing, path=f"/{EXPORT}?list-type=2&prefix={prefix}")
        assert enforced(everything(), elsewhere) is not None
    assert enforced(everything(), Request("PUT", f"/{EXPORT}/sync_1/a.avro", {})) is not None


@contextmanager
def motos_own_enforcement(
    endpoint: str, statements: Sequence[Statement]
) -> Iterator[Mapping[str, str]]:
    """What signs requests as a user who has these rights and no others, as long as moto asks for them.
    It knows no StringLike, so a listing may be of any prefix."""
    with closing(boto3.Session().client("iam", endpoint_url=endpoint)) as iam:
        iam.create_user(UserName="csq")
        key = iam.create_access_key(UserName="csq")["AccessKey"]
        policy = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
        iam.put_user_policy(UserName="csq", PolicyName="csq", PolicyDocument=policy)
    _ask_for_rights_after(endpoint, "0")
    try:
        yield {
            "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
        }
    finally:
        _ask_for_rights_after(endpoint, "inf")


def _ask_for_rights_after(endpoint: str, requests: str) -> None:
    address, plain = f"{endpoint}/moto-api/reset-auth", {"Content-Type": "text/plain"}
    urlopen(HttpRequest(address, requests.encode(), plain)).close()  # noqa: S310


@pytest.mark.parametrize(
    ("right", "kept"),
    [("", everything()), *without_one()],
    ids=["all", *(one for one, _ in without_one())],
)
def test_moto_enforces_the_same_rights(
    guarded: tuple[Platform, FaultyS3],
    s3_endpoint: str,
    monkeypatch: pytest.MonkeyPatch,
    right: str,
    kept: list[Statement],
) -> None:
    platform, _ = guarded
    with motos_own_enforcement(s3_endpoint, kept) as variables:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        found = failed(platform)
        if right:
            assert right.partition(" ")[0] in found[0].said
        else:
            assert found == []
            assert platform.sync().exit_code == 0
            assert platform.rebuild().exit_code == 0
            assert platform.csq("forget", "--yes", "1").code == 0


PUBLISHED = "published"
PUBLISHING = re.search(
    r"The rights that it takes on the bucket are (.*?)\.",
    (REPOSITORY / "docs" / "publishing.md").read_text(),
    re.DOTALL,
)


def publishing(*, without: str = "") -> list[Statement]:
    """The rights of the page on publishing, for a bucket of these tests."""
    assert PUBLISHING is not None
    actions = [one for one in re.findall(r"s3:\w+", PUBLISHING[1]) if one != without]
    of = {True: f"arn:aws:s3:::{PUBLISHED}", False: f"arn:aws:s3:::{PUBLISHED}/*"}
    return [
        {"Effect": "Allow", "Action": one, "Resource": of[one == "s3:ListBucket"]}
        for one in actions
    ]


@pytest.mark.parametrize(
    "without", ["", "s3:ListBucket", "s3:GetObject", "s3:PutObject", "s3:DeleteObject"]
)
def test_the_rights_to_publish_are_enough_and_one_that_lacks_is_named(
    guarded: tuple[Platform, FaultyS3], s3_client: Any, without: str
) -> None:
    platform, server = guarded
    s3_client.create_bucket(Bucket=PUBLISHED)
    publish_url = f"s3://{PUBLISHED}/tables"
    settings = replace(platform.settings, publish_url=publish_url, publish_format="parquet")
    allow(server, [*everything(), *publishing()])
    platform.export.deliver(13, notes=[{"text": "a"}])
    assert run_sync(settings, platform.instance, Listener()).errors == ()
    platform.export.deliver(13, users=[{"user_id": 2}])  # the other table is no more
    allow(server, [*everything(), *publishing(without=without)])
    said = " ".join(run_sync(settings, platform.instance, Listener()).errors)
    assert (said == "") == (without == "")
    assert without in said
    assert "Traceback" not in said
