"""`csq init` makes a folder to work in, and `.env` supplies settings."""

import os
import re
from dataclasses import fields
from pathlib import Path

import pytest
from dotenv import dotenv_values

from csq_assets.home import write_home
from csq_assets.settings import Settings
from csq_assets_tests.platform import REPOSITORY, Ran, csq

WITHOUT_SETTINGS = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith("CSQ_") and name != "DAGSTER_HOME"
}


def test_init_makes_a_folder_and_says_what_follows(tmp_path: Path) -> None:
    assert csq(tmp_path, "init", "a home", environment=WITHOUT_SETTINGS) == Ran(
        0,
        "",
        f"Wrote dagster.yaml, workspace.yaml, .env into {tmp_path / 'a home'}. "
        "Next: edit .env there, then run csq doctor.\n",
    )
    assert {path.name for path in (tmp_path / "a home").iterdir()} == {
        "dagster.yaml",
        "workspace.yaml",
        ".env",
    }


@pytest.mark.parametrize("name", ["dagster.yaml", "workspace.yaml", ".env"])
def test_init_replaces_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    assert csq(tmp_path, "init", ".", environment=WITHOUT_SETTINGS) == Ran(
        2, "", f"csq: {tmp_path} already has {name}. Choose another folder, or move it away.\n"
    )
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(name, "mine")]


def test_init_into_a_file_is_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    ran = csq(tmp_path, "init", "file/home", environment=WITHOUT_SETTINGS)
    assert ran == Ran(
        2,
        "",
        f"csq: {file / 'home'} cannot be written: Not a directory. "
        "Choose a folder that can be written.\n",
    )


def test_the_repository_is_such_a_folder(tmp_path: Path) -> None:
    write_home(tmp_path)
    for name in ("dagster.yaml", "workspace.yaml"):
        assert (tmp_path / name).read_text() == (REPOSITORY / name).read_text()


def test_the_settings_file_has_each_variable_with_meaning_and_default(tmp_path: Path) -> None:
    write_home(tmp_path)
    paragraphs = (tmp_path / ".env").read_text().strip().split("\n\n")
    told = {}
    for paragraph in paragraphs:
        *comment, last = paragraph.splitlines()
        if found := re.fullmatch(r"#(\w+)=(.*)", last):
            meaning = " ".join(line.removeprefix("# ") for line in comment)
            told[found[1]] = (meaning, found[2])
    assert told == {
        setting.metadata["variable"]: (
            setting.metadata["meaning"],
            setting.metadata["default"] or "",
        )
        for setting in fields(Settings)
    }


def test_the_settings_file_as_written_sets_nothing(tmp_path: Path) -> None:
    write_home(tmp_path)
    assert dotenv_values(tmp_path / ".env") == {}


def test_what_is_not_set_is_read_here_then_in_dagster_home(tmp_path: Path) -> None:
    here, home = tmp_path / "here", tmp_path / "home"
    for folder in (here, home):
        folder.mkdir()
        write_home(folder)
    (here / ".env").write_text("CSQ_MANIFEST_PREFIX=of-here\nCSQ_SKIP_TABLES=of-here\n")
    (home / ".env").write_text(
        "CSQ_MANIFEST_PREFIX=of-home\nCSQ_SKIP_TABLES=of-home\nCSQ_OWNERS=team:of-home\n"
    )
    environment = {
        **WITHOUT_SETTINGS,
        "DAGSTER_HOME": str(home),
        "CSQ_MANIFEST_PREFIX": "of-environment",
    }
    shown = csq(here, "doctor", environment=environment).stderr
    assert "CSQ_MANIFEST_PREFIX: of-environment/\n" in shown
    assert "CSQ_SKIP_TABLES: of-here\n" in shown
    assert "CSQ_OWNERS: team:of-home\n" in shown


def test_a_settings_file_that_is_not_text_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"CSQ_OWNERS=team:\xff")
    ran = csq(tmp_path, "status", environment=WITHOUT_SETTINGS)
    assert (ran.code, ran.stdout) == (2, "")
    assert ran.stderr.startswith(f"csq: file {tmp_path / '.env'}: cannot be read: ")
    assert ran.stderr.endswith(" Correct or delete it.\n")
