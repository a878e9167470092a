"""The Dagster instance of DAGSTER_HOME: opens it, and puts its errors into words."""

import logging
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import uuid4

from csq_assets.environment import dagster_home
from csq_assets.errors import CsqError, SettingsError, StorageError
from csq_assets.masking import masked

if TYPE_CHECKING:
    import dagster as dg

# Imported when an instance is opened: Dagster alone takes longer than most commands.
# ruff: noqa: PLC0415

_PROBE_PARTITIONS = "csq_doctor"
_UNSET_VARIABLE = re.compile(r'environment variable "(\w+)" which is not set')


@contextmanager
def open_instance() -> "Iterator[dg.DagsterInstance]":
    """The instance. Raises SettingsError where it cannot be opened, StorageError if the database
    cannot be reached."""
    home = dagster_home()
    os.environ["DAGSTER_HOME"] = str(home)
    import dagster as dg

    try:
        with _root_logger_silent():  # dagster-postgres reports each retry there
            instance = dg.DagsterInstance.get()
    except CsqError:
        raise
    except Exception as error:  # dagster.yaml may name any class, and each raises its own
        message = f"the Dagster instance of {home} cannot be opened: {_reason(error)}"
        if _is_from_database(error):
            raise _unusable(message, error) from error
        raise SettingsError(
            message,
            where={"setting": "DAGSTER_HOME"},
            remedy=f"Correct {home / 'dagster.yaml'}, or check the folder or the environment "
            "variables that it names.",
        ) from error
    with instance:
        yield instance


@contextmanager
def recording() -> Iterator[None]:
    """Raises StorageError where Dagster's database or folder cannot be read or written."""
    try:
        with _root_logger_silent():
            yield
    except Exception as error:
        if not _is_from_database(error):
            raise
        message = f"Dagster cannot record what is done: {_reason(error)}"
        raise _unusable(message, error) from error


def _unusable(message: str, error: Exception) -> StorageError:
    home = dagster_home()
    remedy = (
        f"Check the folder that {home / 'dagster.yaml'} names, then run csq again. Is the disk full?"
        if isinstance(_first_cause(error), sqlite3.Error)
        else "Check that the database server runs, and its address, database, user and password in "
        f"{home / 'dagster.yaml'} or in the variables that it names. Then run csq again."
    )
    return StorageError(message, where={"setting": "DAGSTER_HOME"}, remedy=remedy)


def try_recording() -> None:
    """Write something and take it back. Raises what the others raise."""
    with open_instance() as instance, recording():
        key = str(uuid4())  # two processes that add one key at once disturb each other
        instance.add_dynamic_partitions(_PROBE_PARTITIONS, [key])
        instance.delete_dynamic_partition(_PROBE_PARTITIONS, key)


@contextmanager
def _root_logger_silent() -> Iterator[None]:
    root = logging.getLogger()
    root.addFilter(_reject)
    try:
        yield
    finally:
        root.removeFilter(_reject)


def _reject(_record: logging.LogRecord) -> bool:
    return False


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _first_cause(error: Exception) -> BaseException:
    return list(_causes(error))[-1]


def _is_from_database(error: Exception) -> bool:
    from sqlalchemy.exc import ArgumentError, SQLAlchemyError

    found = [cause for cause in _causes(error) if isinstance(cause, SQLAlchemyError)]
    return any(not isinstance(cause, ArgumentError) for cause in found)  # that is a wrong URL


def _reason(error: Exception) -> str:
    """The first cause in one line, without the words of the libraries around it."""
    if unset := _UNSET_VARIABLE.findall(str(error)):
        return f"not set in the environment: {', '.join(sorted(set(unset)))}"
    invalid = getattr(error, "error_messages", None)  # of a dagster.yaml that is not valid
    lines = (", ".join(invalid) if invalid else str(_first_cause(error))).splitlines()
    # Postgres indents its hints; of a host with several addresses it gives a line each.
    return masked("; ".join(" ".join(line.split()) for line in lines if line and line[0] > " "))
