"""The Dagster instance of DAGSTER_HOME: opened, and with its errors in words."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from csq_assets.errors import SettingsError, StorageError
from csq_assets.settings import dagster_home, set_default_dagster_home

if TYPE_CHECKING:
    import dagster as dg

# Imported when an instance is opened: Dagster alone takes longer than most commands.
# ruff: noqa: PLC0415

_PROBE_PARTITIONS, _PROBE_KEY = "csq_doctor", "probe"


@contextmanager
def open_instance() -> "Iterator[dg.DagsterInstance]":
    """The instance. Raises SettingsError where it cannot be opened."""
    home = dagster_home()
    set_default_dagster_home()
    os.chdir(home)  # a base_dir in dagster.yaml counts from here; settings are absolute by now
    import dagster as dg
    from dagster._check import CheckError
    from sqlalchemy.exc import SQLAlchemyError
    from yaml import YAMLError

    misnamed = (ImportError, AttributeError, CheckError)  # a module or class, in dagster.yaml
    try:
        instance = dg.DagsterInstance.get()
    except (dg.DagsterError, YAMLError, OSError, SQLAlchemyError, *misnamed) as error:
        raise SettingsError(
            f"the Dagster instance of {home} cannot be opened: {_said(error)}",
            where={"setting": "DAGSTER_HOME"},
            remedy=f"Correct {home / 'dagster.yaml'}, or see to the folder or database that it names.",
        ) from error
    with instance:
        yield instance


@contextmanager
def recording() -> Iterator[None]:
    """Raises StorageError where Dagster's database cannot be read or written."""
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except SQLAlchemyError as error:
        raise StorageError(
            f"Dagster cannot record what is done: {_said(error)}",
            where={"setting": "DAGSTER_HOME"},
            remedy="See to the folder or database that its dagster.yaml names, then run csq again.",
        ) from error


def try_recording() -> None:
    """Write something and take it back. Raises what the others raise."""
    with open_instance() as instance, recording():
        instance.add_dynamic_partitions(_PROBE_PARTITIONS, [_PROBE_KEY])
        instance.delete_dynamic_partition(_PROBE_PARTITIONS, _PROBE_KEY)


def _said(error: Exception) -> str:
    """In one line; of a database's error what the database said, without SQLAlchemy's words."""
    return " ".join(str(getattr(error, "orig", None) or error).split())
