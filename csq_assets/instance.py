"""The Dagster instance of DAGSTER_HOME: opens it, and puts its errors into words."""

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import uuid4

from csq_assets.errors import CsqError, SettingsError, StorageError
from csq_assets.settings import dagster_home

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
            raise _unusable(message) from error
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
        raise _unusable(f"Dagster cannot record what is done: {_reason(error)}") from error


def _unusable(message: str) -> StorageError:
    return StorageError(
        message,
        where={"setting": "DAGSTER_HOME"},
        remedy="Check the folder or database that its dagster.yaml names, then run csq again. "
        "Is the disk full?",
    )


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


def _is_from_database(error: Exception) -> bool:
    from sqlalchemy.exc import SQLAlchemyError

    return any(isinstance(cause, SQLAlchemyError) for cause in _causes(error))


def _reason(error: Exception) -> str:
    """The first cause in one line, without the words of the libraries around it."""
    if unset := _UNSET_VARIABLE.findall(str(error)):
        return f"not set in the environment: {', '.join(sorted(set(unset)))}"
    invalid = getattr(error, "error_messages", None)  # of a dagster.yaml that is not valid
    first = list(_causes(error))[-1]
    return " ".join((", ".join(invalid) if invalid else str(first)).split()).rstrip("?")
