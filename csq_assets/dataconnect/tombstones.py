"""Users who were forgotten, known by salted hashes of their ids, and their rows in a table."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

import polars as pl

from csq_assets.dataconnect.tables import RAW_USER_ID, USER_IDENTITY, USER_MIGRATIONS

PAIR = ("from_user_id", "to_user_id")


@dataclass(frozen=True, slots=True)
class Tombstones:
    """Who was forgotten, as the lake keeps it: by hash, when that was asked for. `unfinished` are those
    of whom something may be left somewhere.

    A hash is the SHA-256 of the salt and the id's digits: who has an id can tell whether it is here.
    """

    salt: str = ""
    asked_at: Mapping[str, datetime] = field(default_factory=dict[str, datetime])
    unfinished: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.asked_at)

    def with_ids(self, ids: Iterable[int], now: datetime) -> "Tombstones":
        """These too, unfinished."""
        digests = [digest_of(self.salt, user_id) for user_id in ids]
        asked_at = {**dict.fromkeys(digests, now), **self.asked_at}
        unfinished = tuple(dict.fromkeys((*self.unfinished, *digests)))
        return replace(self, asked_at=asked_at, unfinished=unfinished)

    def finished(self) -> "Tombstones":
        return replace(self, unfinished=())

    def among(self, ids: Iterable[int]) -> list[int]:
        """Those of the ids that were forgotten."""
        if not self.asked_at:
            return []
        salted = hashlib.sha256(self.salt.encode())
        found = []
        for user_id in ids:
            digest = salted.copy()
            digest.update(b"%d" % user_id)
            if digest.hexdigest() in self.asked_at:
                found.append(user_id)
        return found

    def found_in(self, columns: Iterable[pl.Series]) -> set[int]:
        """The ids that were forgotten and are in the columns; a text that is no id is none."""
        numbers = (column.unique().cast(pl.Int64, strict=False).drop_nulls() for column in columns)
        return {user_id for column in numbers for user_id in self.among(column)}

    def without_rows(self, table: str, frame: pl.DataFrame) -> pl.DataFrame:
        """The frame without the rows of forgotten users; the same one where there are none."""
        columns = user_columns(table, frame.columns) if self.asked_at else ()
        found = self.found_in(frame.get_column(name) for name in columns)
        return frame.filter(~is_of(table, frame.columns, found)) if found else frame


def digest_of(salt: str, user_id: int) -> str:
    """What stands for an id that was forgotten."""
    return hashlib.sha256(f"{salt}{user_id}".encode()).hexdigest()


def user_columns(table: str, columns: Iterable[str]) -> tuple[str, ...]:
    """Those columns of a delivered table, or of the identity map, that hold ids of users, wherever it
    is kept: in a partition, in DuckDB, or published. The others are texts, which go with the rows of
    the user, and stay in rows of others. Source: export-format.md, section 4; docs/forgetting.md.
    """
    pair = PAIR if table in (USER_MIGRATIONS, USER_IDENTITY) else ()
    wanted = ("user_id", RAW_USER_ID, *pair)
    return tuple(name for name in columns if name in wanted)


def is_of(table: str, columns: Iterable[str], ids: Iterable[int]) -> pl.Expr:
    """Whether a row is one of these users', or names one."""
    ids = list(ids)
    return pl.any_horizontal(
        pl.lit(value=False),
        *(
            pl.col(name).cast(pl.Int64, strict=False).is_in(ids).fill_null(value=False)
            for name in user_columns(table, columns)
        ),
    )
