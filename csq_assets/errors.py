"""What can go wrong, split by who must act. Every error says what, where and what to do."""

from collections.abc import Mapping
from typing import Self


class CsqError(Exception):
    """An error that a person can act on.

    `where` places it, outermost first: `dump`, `table`, `file`, `row`, `column`; or `field`, `setting`.
    `remedy` is a sentence, or empty where there is nothing to do but to look.
    """

    def __init__(
        self, message: str, *, where: Mapping[str, str | int] | None = None, remedy: str = ""
    ) -> None:
        super().__init__(message)
        self.message = message
        self.where: dict[str, str | int] = dict(where or {})
        self.remedy = remedy

    def at(self, **where: str | int) -> Self:
        """The same error, placed more widely: what it already knows stays, and comes after."""
        self.where = {**where, **self.where}
        return self

    def __str__(self) -> str:
        place = ", ".join(f"{name} {value}" for name, value in self.where.items())
        said = f"{place}: {self.message}" if place else self.message
        return f"{said.rstrip('.')}. {self.remedy}" if self.remedy else said


class SettingsError(CsqError):
    """A setting, a folder or a right is wrong: whoever runs the platform must act. Exit code 2."""


class UsageError(CsqError):
    """A command was asked for something that does not exist. Exit code 2."""


class DeliveryError(CsqError):
    """What arrived is not what the format promises: Contentsquare must deliver again."""


class ManifestError(DeliveryError):
    """A manifest is not valid; `where` names the field."""


class ReportError(DeliveryError):
    """A sync report cannot be read."""


class FileError(DeliveryError):
    """A data file is missing, damaged, not Avro, or lies where it may not."""


class IdentifierError(DeliveryError):
    """An id column is missing, or holds a value that is no 64-bit integer."""


class NameClashError(DeliveryError):
    """A table or a column has a name that is taken: by us, or by a table seen before."""


class StorageError(CsqError):
    """The lake, the warehouse or the way to the export fails; trying again may help."""


class BusyError(StorageError):
    """Another process holds what is needed. Nothing is wrong: it is tried again later."""
