"""What `csq forget` did and what it found, for whoever asks for a proof."""

from dataclasses import dataclass
from datetime import datetime
from typing import Self

from csq_assets.errors import CsqError

FORGET_AGAIN = "Then run csq forget again."
NOT_COVERED = (
    "the export: Contentsquare deletes there, and what is redelivered is left out here",
    "ids that a later dump gives to, or merges with, the same person: name them in another call",
    "texts in delivered columns: they go with the rows of the person, and stay in rows of others",
    "in tables and files that people made: ids inside of longer texts, in binary, as times, or rounded",
    "Dagster's event log: numbers of rows, examples of ids in results of the check migrations_resolve",
    "Dagster's event log and logs: what errors quote, and what assets and dbt tests of your own write",
    "backups, and earlier versions of objects where a bucket keeps them",
    "files that were made by csq rebuild --into, copies and exports that people made",
    "temporary folders csq_assets-staged-* of processes that were killed",
)


@dataclass(frozen=True, slots=True)
class ForgottenUser:
    """An id, by its hash: the SHA-256 of the certificate's salt and the id's digits. `found` is whether
    anything of it was removed in this call."""

    hash: str
    asked_at: datetime
    found: bool


@dataclass(frozen=True, slots=True)
class Removed:
    """Rows that are gone from a place: a partition of the lake, or a table of the DuckDB file."""

    where: str
    rows: int


@dataclass(frozen=True, slots=True)
class Left:
    """What could not be done, or is a person's to do."""

    where: str
    what: str
    remedy: str

    @classmethod
    def of(cls, where: str, error: CsqError, remedy: str = "") -> Self:
        """What an error kept from being done there; `remedy` is for one that brings none."""
        remedy = error.remedy or remedy
        again = "" if remedy.endswith(FORGET_AGAIN) else FORGET_AGAIN
        return cls(where, error.message, f"{remedy} {again}".strip())


@dataclass(frozen=True, slots=True)
class Searched:
    """What a search looked at: numbers of partitions and of files of people's own assets in the lake,
    of tables in DuckDB files, and of published files."""

    partitions: int = 0
    assets: int = 0
    tables: int = 0
    published: int = 0


@dataclass(frozen=True, slots=True)
class Certificate:
    """Complete where the second search found nothing and nothing is `left`. `resumed` where an earlier
    call was interrupted: what that one removed is not counted here."""

    lake: str
    lake_identity: str
    salt: str
    began_at: datetime
    ended_at: datetime
    resumed: bool
    users: tuple[ForgottenUser, ...]
    removed: tuple[Removed, ...]
    replaced: tuple[str, ...]  # files that were written anew, without freed space
    second_search: Searched
    left: tuple[Left, ...] = ()
    not_covered: tuple[str, ...] = NOT_COVERED

    @property
    def is_complete(self) -> bool:
        return not self.left
