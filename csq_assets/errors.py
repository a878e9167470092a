"""Errors, split by who must act. Each says what happened, where, and what to do."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Self

REDELIVER = "Ask Contentsquare to redeliver the dump, or replace the file in place."

_NO_THREAD = "can't start new thread"
_LONGEST_TEXT, _LONGEST_NAME = 2_000, 300
# Controls of terminals and of the direction of text, and halves of surrogate pairs.
CONTROLS = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def printable(text: str, longest: int = _LONGEST_TEXT) -> str:
    """The text as a terminal may show it: control characters as escapes, the middle of a long one
    left out."""
    if len(text) > longest:
        text = f"{text[: longest // 2]}…{text[-longest // 2 :]}"
    return CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


class CsqError(Exception):
    """An error that a person can act on.

    `where` places it, outermost first: `dump`, `table`, `file`, `row`, `column`; or `field`, `setting`.
    `remedy` is a sentence, or empty where there is nothing to do.
    """

    def __init__(
        self, message: str, *, where: Mapping[str, str | int] | None = None, remedy: str = ""
    ) -> None:
        super().__init__(message)
        self.message = message
        self.where: dict[str, str | int] = dict(where or {})
        self.remedy = remedy

    def at(self, **where: str | int) -> Self:
        """The same error with a wider place before the place that it already has."""
        self.where = {**where, **self.where}
        return self

    def __str__(self) -> str:
        names = {name: printable(str(value), _LONGEST_NAME) for name, value in self.where.items()}
        place = ", ".join(f"{name} {value}" for name, value in names.items())
        message = printable(self.message)
        said = f"{place}: {message}" if place else message
        return f"{said.rstrip('.')}. {printable(self.remedy)}" if self.remedy else said


@contextmanager
def located(**where: str | int) -> Iterator[None]:
    """Errors that are raised inside have this place before their own."""
    try:
        yield
    except CsqError as error:
        error.at(**where)
        raise


class SettingsError(CsqError):
    """A setting, a folder or a right is wrong: whoever runs the platform must act. Exit code 2."""


class UsageError(CsqError):
    """A command names something that does not exist. Exit code 2."""


class DeliveryError(CsqError):
    """What arrived is not what the format promises: Contentsquare must redeliver it."""


class ManifestError(DeliveryError):
    """A manifest is not valid; `where` names the field."""


class ReportError(DeliveryError):
    """A sync report cannot be read."""


class FileError(DeliveryError):
    """A data file is missing, damaged, not Avro, or is outside the export."""


class IdentifierError(DeliveryError):
    """An id column is missing, or holds a value that is not a 64-bit integer."""


class NameClashError(DeliveryError):
    """A table or a column has a name that is reserved, or taken by a table seen earlier."""


class StorageError(CsqError):
    """The lake, the warehouse or the connection to the export fails; a retry may help."""


@contextmanager
def lack_of_memory_told() -> Iterator[None]:
    """Raises StorageError where there is no memory, or none for another thread."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and str(error) != _NO_THREAD:
            raise
        raise StorageError(
            "this takes more memory than there is", remedy="Give the process more memory."
        ) from error


class BusyError(StorageError):
    """Another process holds what is needed. Nothing is wrong: a retry follows."""
