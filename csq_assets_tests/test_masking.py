"""What counts as a secret, and how it is masked."""

from base64 import b64encode
from pathlib import Path
from urllib.parse import quote

import pytest

from csq_assets.masking import hide, masked

TOKEN = "IQoJb3/Jpz+2lu=="


@pytest.fixture(autouse=True)
def nothing_configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.environ", {"HOME": str(tmp_path)})


@pytest.mark.parametrize(
    "name",
    ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "DAGSTER_PG_PASSWORD"],
)
def test_secrets_of_the_environment_are_masked_however_they_are_spelled(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("os.environ", {name: f" {TOKEN}\n"})
    assert masked(f"sent {TOKEN}, b'{TOKEN}\\n' and {TOKEN.replace('/', '%2F')}") == (
        "sent ***, b'***\\n' and IQoJb3%2FJpz+2lu=="
    )
    assert masked("IQoJb3%2FJpz%2B2lu%3D%3D IQoJb3/Jpz%2B2lu%3D%3D") == "*** ***"


def test_what_basic_authentication_makes_of_an_address_is_masked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    address = f"http://me:{quote(TOKEN, safe='')}@127.0.0.1"
    for url in (address, f"http://me:{TOKEN}@127.0.0.1"):
        monkeypatch.setattr("os.environ", {"HTTPS_PROXY": url})
        sent = b64encode(f"me:{TOKEN}".encode()).decode()
        assert masked(f"Authorization: Basic {sent}") == "Authorization: Basic ***"


def test_a_secret_of_several_lines_is_masked_as_python_writes_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("os.environ", {"AWS_SESSION_TOKEN": "first'é\nsecond"})
    for text in (repr("first'é\nsecond"), repr("first'é\nsecond".encode()), "first'é\nsecond"):
        assert "second" not in masked(text)


@pytest.mark.parametrize(
    "url",
    [
        "http://me:pass/word@host:9000",
        "http://me:p@ss@word@host:9000",
        "http://me:pass%2Fword@host:9000/path",
    ],
)
def test_the_user_of_a_url_is_masked(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setattr("os.environ", {"AWS_ENDPOINT_URL_S3": url})
    said = masked(f'Could not connect to the endpoint URL: "{url}"; password pass/word')
    assert "word@" not in said
    assert "ss@" not in said
    assert said.startswith('Could not connect to the endpoint URL: "http://***@host:9000')


def test_a_url_of_any_origin_shows_no_user() -> None:
    assert masked("at https://a:b@host/x and s3://bucket/a@b.avro") == (
        "at https://***@host/x and s3://bucket/a@b.avro"
    )


@pytest.mark.parametrize("where", ["default", "variable"])
def test_secrets_of_profiles_are_masked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    text = f"[a]\naws_secret_access_key={TOKEN}\n[broken\n aws_session_token = other-token \n"
    path = tmp_path / ".aws" / "credentials"
    if where == "variable":
        path = tmp_path / "mine"
        monkeypatch.setattr("os.environ", {"AWS_SHARED_CREDENTIALS_FILE": str(path)})
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"{text}web_identity_token_file = /run/token\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert masked(f"{TOKEN} other-token /run/token") == "*** *** /run/token"


def test_what_a_file_of_a_token_holds_is_masked_and_its_path_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, config = tmp_path / "token", tmp_path / "config"
    token.write_text(f"{TOKEN}\n")
    config.write_text(f"[profile a]\nweb_identity_token_file = {token}\n")
    for variables in (
        {"AWS_WEB_IDENTITY_TOKEN_FILE": str(token)},
        {"AWS_CONFIG_FILE": str(config), "HOME": "/nonexistent"},
    ):
        monkeypatch.setattr("os.environ", variables)
        assert masked(f"{TOKEN} of {token}") == f"*** of {token}"


def test_paths_and_short_words_are_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {"AWS_WEB_IDENTITY_TOKEN_FILE": "/run/token", "AWS_SECRET_ACCESS_KEY": "users"}
    monkeypatch.setattr("os.environ", variables)
    assert masked("table users of /run/token") == "table users of /run/token"


def test_what_is_hidden_once_stays_hidden() -> None:
    hide("of-the-resource", None)
    assert masked("token of-the-resource") == "token ***"
