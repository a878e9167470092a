"""No secret is shown, whatever goes wrong: neither on the streams nor in Dagster's database."""

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from moto.sts.models import sts_backends

from csq_assets.aws import s3_client
from csq_assets.errors import CsqError
from csq_assets.lake.bucket import BucketStore
from csq_assets.masking import masked
from csq_assets_tests.builders import AvroFile
from csq_assets_tests.faulty_s3 import Answer, FaultyS3, Request, error
from csq_assets_tests.platform import Platform
from csq_assets_tests.sentinel import SECRET, seen

pytestmark = pytest.mark.s3


@pytest.mark.parametrize(
    "variables",
    [
        {"AWS_SESSION_TOKEN": f"{SECRET}\n{SECRET}"},
        {"AWS_ENDPOINT_URL_S3": f"http://me:{SECRET}/x@127.0.0.1:9000"},
        {"AWS_PROFILE": "process"},
        {"AWS_PROFILE": "mfa"},
    ],
)
def test_a_mistake_in_the_settings_shows_no_secret(
    s3_platform: Platform, tmp_path: Path, variables: dict[str, str]
) -> None:
    config = tmp_path / "config"
    config.write_text(
        f"[profile process]\ncredential_process = sh -c 'echo {SECRET} >&2; exit 1'\n"
        "[profile mfa]\nrole_arn = arn:aws:iam::1:role/reader\nsource_profile = keys\n"
        "mfa_serial = arn:aws:iam::1:mfa/me\n"
        f"[profile keys]\naws_access_key_id = AKIA\naws_secret_access_key = {SECRET}\n"
    )
    if "AWS_PROFILE" in variables:
        variables |= {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    codes, text = seen(
        s3_platform, "sync --json", "doctor", AWS_CONFIG_FILE=str(config), **variables
    )
    assert codes == [2, 2]
    assert SECRET not in text
    assert "Traceback" not in text


def test_what_s3_repeats_of_a_request_shows_no_secret(
    s3_platform: Platform, faulty_s3: FaultyS3
) -> None:
    def echo(request: Request) -> Answer | None:
        if ".avro" not in request.path:
            return None
        return error(
            400, "InvalidToken", f"No such token: {request.headers['X-Amz-Security-Token']}"
        )

    faulty_s3.fault = echo
    variables = {
        "AWS_ENDPOINT_URL_S3": faulty_s3.endpoint.replace("://", f"://me:{SECRET}@"),
        "AWS_SESSION_TOKEN": f" {SECRET}\n",
    }
    codes, text = seen(s3_platform, "sync --json", "doctor", "status", **variables)
    assert "No such token: ***" in text
    assert SECRET not in text
    assert codes == [1, 2, 0]


def test_an_address_of_alerts_shows_no_secret(platform: Platform) -> None:
    platform.deliver(12, users=[AvroFile(body=b"")], columns={"users": ["user_id"]})
    addresses = (
        f"json://me:{SECRET}@127.0.0.1:1/{SECRET}?+X-Key={SECRET}",
        f"mailto://{SECRET}:{SECRET}@127.0.0.1:1?from={SECRET}@example.com&to=ana@example.com",
    )
    codes, text = seen(platform, "doctor", "sync --json", CSQ_ALERTS=",".join(addresses))
    assert SECRET not in text
    assert codes == [0, 1]
    assert "ok   CSQ_ALERTS: json://***, mailto://***\n" in text
    assert "ok   alerts: JSON, E-Mail would be told; nothing was sent\n" in text
    assert text.count(" could not be told, the next pass tries again: ") == 2
    codes, text = seen(platform, "sync", CSQ_ALERTS=f"slack://{SECRET}!/B/c")
    assert SECRET not in text
    assert codes == [2]
    assert "csq: setting CSQ_ALERTS: address 1, slack://…, is none that apprise " in text


def test_the_key_of_hashes_is_not_shown(platform: Platform) -> None:
    platform.deliver(12, users=[{"user_id": 1, "email": "ana@x"}])
    variables = {"CSQ_HASH_COLUMNS": "users.email", "CSQ_HASH_KEY": SECRET}
    codes, text = seen(platform, "doctor", "sync --json", "status", **variables)
    assert SECRET not in text
    assert codes == [0, 0, 0]
    assert "ok   CSQ_HASH_KEY: ***\n" in text
    columns = {"CSQ_HASH_COLUMNS": "users.email,users.user_id", "CSQ_HASH_KEY": SECRET}
    codes, text = seen(platform, "sync", **columns)
    assert SECRET not in text
    assert codes == [2]


@pytest.mark.parametrize(
    "command",
    [
        f"true --conf spark.hadoop.fs.s3a.secret.key={SECRET} --master local",
        f"true --conf=spark.hadoop.fs.s3a.access.key={SECRET}",
        f"true --driver-java-options '-Dx=y -Djavax.net.ssl.trustStorePassword={SECRET}'",
        f"true --conf fs.azure.account.key.us.blob.core.windows.net='{SECRET} and more'",
        f"no-such-command --conf spark.ssl.keyPassword={SECRET}",
        f"'--conf spark.my.token={SECRET}",  # a quote that does not end
        f"true --conf spark.sql.catalog.csq.uri=https://me:{SECRET}@catalog",
    ],
)
def test_the_command_that_launches_spark_shows_no_secret(platform: Platform, command: str) -> None:
    _, text = seen(platform, "doctor", CSQ_ENGINE="spark", CSQ_SPARK_SUBMIT=command)
    assert SECRET not in text
    assert "Traceback" not in text
    assert "CSQ_SPARK_SUBMIT" in text


def test_what_only_switches_a_key_on_is_no_secret(platform: Platform) -> None:
    command = "true --conf spark.hadoop.fs.s3a.bucket-key-enabled=true"
    _, text = seen(platform, "doctor", CSQ_ENGINE="spark", CSQ_SPARK_SUBMIT=command)
    assert "true launches the jobs" in text


RESOLVED = """
[profile keys]
aws_access_key_id = AKIAEXAMPLE
aws_secret_access_key = of-the-source-profile
[profile role]
role_arn = arn:aws:iam::111111111111:role/reader
source_profile = keys
[profile process]
credential_process = cat {folder}/credentials.json
"""


def process_output(number: int) -> str:
    """What a credential_process prints. The SDK renews what ends in 15 minutes."""
    expiration = (datetime.now(UTC) + timedelta(minutes=5)).isoformat()
    return json.dumps(
        {
            "Version": 1,
            "AccessKeyId": "AKIAEXAMPLE",
            "SecretAccessKey": f"secret-key-{number}",
            "SessionToken": f"session-token-{number}",
            "Expiration": expiration,
        }
    )


@pytest.fixture
def resolving(
    faulty_s3: FaultyS3, s3_endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> FaultyS3:
    """Profiles whose credentials the SDK obtains itself, and an S3 that repeats their token."""
    (tmp_path / "config").write_text(RESOLVED.format(folder=tmp_path))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", s3_endpoint)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    faulty_s3.fault = lambda request: error(
        400, "InvalidToken", f"No such token: {request.headers['X-Amz-Security-Token']}"
    )
    return faulty_s3


def refusal() -> str:
    """What a new client says of an S3 that refuses its token."""
    with closing(s3_client()) as client, pytest.raises(CsqError) as refused:
        BucketStore(client, "customer", setting="CSQ_EXPORT_URL").read("a")
    return str(refused.value)


def test_the_credentials_of_a_role_are_masked_once_the_sdk_has_them(
    resolving: FaultyS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "role")
    assert "No such token: ***. " in refusal()
    token = resolving.requests[-1].headers["X-Amz-Security-Token"]
    role = sts_backends["111111111111"]["aws"].assumed_roles[-1]
    assert role.session_token == token
    assert masked(f"{token} {role.secret_access_key} {role.access_key_id}") == (
        f"*** *** {role.access_key_id}"
    )


def test_the_credentials_of_a_process_are_masked_also_when_they_are_obtained_again(
    resolving: FaultyS3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "process")
    given = tmp_path / "credentials.json"
    given.write_text(process_output(0))
    with closing(s3_client()) as client:
        store = BucketStore(client, "customer", setting="CSQ_EXPORT_URL")
        for number in (1, 2):
            given.write_text(process_output(number))
            with pytest.raises(CsqError, match=r"No such token: \*\*\*\. "):
                store.read("a")
            sent = resolving.requests[-1].headers["X-Amz-Security-Token"]
            assert sent == f"session-token-{number}"
            assert masked(f"secret-key-{number} session-token-{number}") == "*** ***"


def test_a_garbled_answer_that_holds_credentials_is_not_repeated(
    resolving: FaultyS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "role")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", resolving.endpoint)
    resolving.always(Answer(200, f"<SecretAccessKey>{SECRET}</SecretAccessKey><".encode()))
    said = refusal()
    assert "Unable to parse response" in said
    assert SECRET not in said
