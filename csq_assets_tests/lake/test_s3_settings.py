"""Settings of the AWS SDK that are wrong: which one, and what to do."""

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from csq_assets.aws import open_s3_client, s3_client
from csq_assets.errors import SettingsError
from csq_assets.lake.bucket import BucketStore
from csq_assets.s3_resource import PooledS3Resource
from csq_assets_tests.faulty_s3 import FaultyS3, refusal

pytestmark = pytest.mark.s3


# Making a client
CONFIG = """
[profile chain]
role_arn = arn:aws:iam::111111111111:role/reader
source_profile = nosuch
[profile loop]
role_arn = arn:aws:iam::111111111111:role/reader
source_profile = other
[profile other]
role_arn = arn:aws:iam::111111111111:role/reader
source_profile = loop
[profile process]
credential_process = sh -c "echo a-very-secret-thing >&2; exit 1"
[profile notjson]
credential_process = echo a-very-secret-thing
[profile noprocess]
credential_process = /nonexistent/process
[profile token]
role_arn = arn:aws:iam::111111111111:role/reader
web_identity_token_file = /nonexistent/token
[profile keys]
aws_access_key_id = AKIAEXAMPLE
aws_secret_access_key = a-very-secret-thing
[profile half]
aws_access_key_id = AKIAEXAMPLE
[profile sso]
sso_session = work
sso_account_id = 111111111111
sso_role_name = reader
[sso-session work]
sso_region = us-east-1
sso_start_url = https://example.com/start
[profile nossosession]
sso_session = gone
sso_account_id = 111111111111
sso_role_name = reader
[profile source]
role_arn = arn:aws:iam::111111111111:role/reader
credential_source = Nowhere
[profile region]
region = the moon
aws_access_key_id = AKIAEXAMPLE
aws_secret_access_key = a-very-secret-thing
[profile retries]
retry_mode = never
aws_access_key_id = AKIAEXAMPLE
aws_secret_access_key = a-very-secret-thing
"""


PROFILES = [
    line.split()[1].rstrip("]") for line in CONFIG.splitlines() if line.startswith("[profile")
]


SOUND = ("keys", "other", "retries")  # the resource sets retries itself


@pytest.fixture
def profiles(s3_environment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Credentials come from a configuration file alone, and there is no terminal."""
    assert s3_environment
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    path = tmp_path / "config"
    path.write_text(CONFIG)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(path))
    monkeypatch.setenv("HOME", str(tmp_path))
    return path


def reach_once() -> None:
    """Make a client and use it: some credentials are looked for when they are needed."""
    with closing(s3_client()) as client:
        BucketStore(client, "customer", setting="CSQ_EXPORT_URL").put("a", b"")


@pytest.mark.parametrize("profile", [name for name in PROFILES if name not in SOUND])
def test_a_mistake_in_a_profile_is_a_wrong_setting(
    profiles: Path, monkeypatch: pytest.MonkeyPatch, profile: str
) -> None:
    assert profiles.exists()
    monkeypatch.setenv("AWS_PROFILE", profile)
    refused = refusal(reach_once)
    assert isinstance(refused, SettingsError)
    assert str(refused.where["setting"]).startswith("AWS_")
    assert refused.remedy
    assert "a-very-secret-thing" not in str(refused)


@pytest.mark.parametrize(
    ("profile", "said"),
    [
        ("chain", 'The source_profile "nosuch" referenced in the profile "chain" does not exist'),
        ("process", "the credential_process of the profile failed; run it by hand to see why"),
        ("token", "No such file or directory: '/nonexistent/token'"),
        ("source", "Nowhere"),
    ],
)
def test_what_is_wrong_in_the_profile_is_said(
    profiles: Path, monkeypatch: pytest.MonkeyPatch, profile: str, said: str
) -> None:
    assert profiles.exists()
    monkeypatch.setenv("AWS_PROFILE", profile)
    refused = refusal(reach_once)
    assert refused.where == {"setting": "AWS_PROFILE"}
    assert said in refused.message


@pytest.mark.parametrize("text", ["[profile\nx", "no section", "\xff\x00"])
def test_a_broken_configuration_file_is_named(profiles: Path, text: str) -> None:
    profiles.write_bytes(text.encode("latin-1"))
    refused = refusal(reach_once)
    assert refused.where == {"setting": "AWS_CONFIG_FILE"}
    assert str(profiles) in refused.message


def test_without_credentials_the_variables_are_named(profiles: Path) -> None:
    assert profiles.exists()
    assert str(refusal(reach_once)) == (
        "setting AWS_ACCESS_KEY_ID: no AWS credentials were found. Set AWS_ACCESS_KEY_ID and "
        "AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or run where a role gives them."
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"AWS_PROFILE": "nobody"},
            "setting AWS_PROFILE: The config profile (nobody) could not be found",
        ),
        (
            {"AWS_SECRET_ACCESS_KEY": None},
            (
                "setting AWS_ACCESS_KEY_ID: Partial credentials found in env, missing: "
                "AWS_SECRET_ACCESS_KEY"
            ),
        ),
        (
            {"AWS_DEFAULT_REGION": "the moon"},
            (
                "setting AWS_DEFAULT_REGION: Provided region_name 'the moon' doesn't match a "
                "supported format"
            ),
        ),
        (
            {"AWS_ENDPOINT_URL_S3": "localhost"},
            "setting AWS_ENDPOINT_URL_S3: Invalid endpoint: localhost",
        ),
        (
            {"AWS_SESSION_TOKEN": "first-line\nsecond-line"},
            (
                "setting AWS_SESSION_TOKEN: a credential has a character that cannot be sent, such as "
                "a line break"
            ),
        ),
    ],
)
def test_a_variable_of_the_sdk_that_is_wrong_is_named(
    s3_environment: str,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, str | None],
    said: str,
) -> None:
    assert s3_environment
    for name, value in changes.items():
        if value is None:
            monkeypatch.delenv(name)
        else:
            monkeypatch.setenv(name, value)
    refused = refusal(reach_once)
    assert isinstance(refused, SettingsError)
    assert str(refused) == f"{said}. {refused.remedy}"
    assert refused.remedy


def test_variables_of_the_sdk_may_end_with_a_line_break(
    faulty_s3: FaultyS3, s3_client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3_client.put_object(Bucket="customer", Key="a", Body=b"x")
    for name, value in {"AWS_SESSION_TOKEN": "a-token", "AWS_DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(name, f" {value}\r\n")
    monkeypatch.setenv("AWS_PROFILE", "\n")
    with closing(open_s3_client(PooledS3Resource())) as client:
        BucketStore(client, "customer", setting="CSQ_EXPORT_URL").read("a")
    (request,) = faulty_s3.requests
    assert request.headers["X-Amz-Security-Token"] == "a-token"
