"""No secret is shown, whatever goes wrong: neither on the streams nor in Dagster's database."""

from pathlib import Path

import pytest

from csq_assets_tests.builders import AvroFile, ExportBuilder
from csq_assets_tests.faulty_s3 import Answer, FaultyS3, Request, error
from csq_assets_tests.platform import Platform, open_platform

SECRET = "SENTINELsentinelSENTINEL"
pytestmark = pytest.mark.s3


def seen(platform: Platform, *commands: str, **variables: str) -> tuple[list[int], str]:
    """The exit codes of the commands, and everything that they said and left behind."""
    ran = [platform.csq(*command.split(), **variables) for command in commands]
    files = [path for path in platform.folder.rglob("*") if path.is_file()]
    texts = [one.stdout + one.stderr for one in ran]
    texts += [path.read_bytes().decode("latin-1") for path in files]
    return [one.code for one in ran], "\n".join(texts)


@pytest.fixture
def s3_platform(s3_export: ExportBuilder, home: Path) -> Platform:
    """A platform with its export in S3 and its lake in a folder."""
    with open_platform(home, s3_export, str(home / "data" / "lake")) as platform:
        platform.deliver(12, users=[{"user_id": 1}])
        return platform


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
