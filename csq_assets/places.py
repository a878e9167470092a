"""What a setting may name as a place: a directory, a prefix in S3, a DuckDB file."""

import os
import re
from pathlib import Path

from csq_assets.errors import SettingsError
from csq_assets.masking import masked

_SCHEMAS_IN_DUCKDB = ("csq", "csq_typed", "csq_meta", "csq_rows", "csq_ledger")


def location(variable: str, value: str, folder: Path) -> str:
    """The absolute path of a directory, or `s3://bucket/prefix` without a slash at its end."""
    scheme, separator, rest = value.partition("://")
    if not separator:
        return str(absolute_path(variable, value, folder))
    bucket, _, prefix = rest.partition("/")
    if scheme != "s3":
        raise wrong(
            variable,
            f'"{value}" begins with {scheme}://',
            "Give s3://bucket, s3://bucket/prefix, or a directory.",
        )
    if not bucket:
        raise wrong(variable, f'"{value}" names no bucket', "Give s3://bucket/prefix.")
    if "@" in bucket:
        remedy = "Give credentials in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile."
        raise wrong(variable, f'"{value}" holds credentials', remedy)
    prefix = prefix.strip("/")
    return f"s3://{bucket}/{prefix}" if prefix else f"s3://{bucket}"


def duckdb_file(variable: str, value: str, folder: Path) -> Path:
    """The absolute path of a file that DuckDB opens by a name of its own."""
    if scheme := re.match(r"[A-Za-z][\w+.-]+:|:", value):  # not the rest: it may hold a token
        message = f'what begins with "{scheme[0]}" is not the path of a file'
        raise wrong(variable, message, "Name a file, such as data/warehouse.duckdb.")
    path = absolute_path(variable, value, folder)
    database = next(filter(None, path.name.split(".")), "")  # as DuckDB names it
    if database.lower() in _SCHEMAS_IN_DUCKDB:
        raise wrong(
            variable,
            f'a DuckDB file named "{path.name}" would make {database}.users ambiguous',
            "Choose another name, warehouse.duckdb for instance.",
        )
    if path.is_dir():
        raise wrong(variable, f"{path} is a directory", "Name a file.")
    return path


def project_folder(variable: str, value: str, folder: Path) -> Path:
    """The absolute path of a dbt project."""
    path = absolute_path(variable, value, folder)
    if not (path / "dbt_project.yml").is_file():
        remedy = "Name the folder of a dbt project: dbt of the clone, or a copy of it."
        raise wrong(variable, f"there is no dbt_project.yml in {path}", remedy)
    return path


def absolute_path(variable: str, value: str, folder: Path = Path()) -> Path:
    """The absolute path; `~` is the home directory, as in a shell. A relative one is in `folder`."""
    try:
        return (folder / Path(value).expanduser()).absolute()
    except RuntimeError:
        raise wrong(variable, f"{value} names no home directory", "Write the path out.") from None


def overlap(one: str, other: str) -> bool:
    """Whether two places are the same or one lies in the other, by whatever spelling or link."""
    if one.startswith("s3://") != other.startswith("s3://"):
        return False
    if one.startswith("s3://"):
        parts, others = ([part for part in url.split("/") if part] for url in (one, other))
        shared = min(len(parts), len(others))
        return parts[:shared] == others[:shared]
    paths = [Path(os.path.realpath(place)) for place in (one, other)]
    return any(
        _is_same(parent, folder)
        for path, folder in (paths, reversed(paths))
        for parent in (path, *path.parents)
    )


def wrong(variable: str, message: str, remedy: str) -> SettingsError:
    """The error that names the variable."""
    return SettingsError(masked(message), where={"setting": variable}, remedy=remedy)


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one == other or one.samefile(other)
    except OSError:  # one of them does not exist
        return False
