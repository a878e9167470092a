"""What the sensor has asked for and what it asks for now: run requests, and the cursor they leave."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import dagster as dg
from pydantic import TypeAdapter, ValidationError

from csq_assets.dataconnect.intake import Work
from csq_assets.dataconnect.ledger import DumpRecord
from csq_assets.defs.current_assets import CURRENT_JOB, current_selection, refresh_config
from csq_assets.defs.keys import raw_key
from csq_assets.defs.raw_assets import RAW_JOB, decode_config

RETRY_AFTER = timedelta(hours=1)
REFRESH_AGAIN_AFTER = timedelta(minutes=10)
DUMPS_PER_RUN = 100


@dataclass(frozen=True, slots=True)
class Request:
    """The newest request for a dump, or for a refresh. `content` tells what it was asked for."""

    content: str
    tables: tuple[str, ...]
    at: datetime
    attempt: int


@dataclass(frozen=True, slots=True)
class Cursor:
    """Requests whose work is not finished: one leaves when nothing of it is due any more."""

    dumps: Mapping[int, Request] = field(default_factory=dict)
    refresh: Request | None = None

    @classmethod
    def read(cls, text: str | None) -> "Cursor":
        """The cursor of the last tick; one of another version counts as none."""
        try:
            return _CURSORS.validate_json(text) if text else cls()
        except ValidationError:
            return cls()

    def write(self) -> str:
        return _CURSORS.dump_json(self, exclude_defaults=True).decode()


_CURSORS = TypeAdapter(Cursor)


def open_work(
    due: Iterable[Work],
    asked: Mapping[int, Request],
    contents: Mapping[int, str],
    records: Mapping[int, DumpRecord],
    now: datetime,
) -> list[Work]:
    """What is due and was not asked for within the hour, or was, and has failed since.

    So a run that died without a word is repeated, yet not at every tick.
    """

    def is_open(dump_id: int, table: str) -> bool:
        request = asked.get(dump_id)
        if (
            request is None
            or request.content != contents[dump_id]
            or table not in request.tables
            or now - request.at >= RETRY_AFTER
        ):
            return True
        record = records[dump_id].table(table) if dump_id in records else None
        return record is not None and record.failure is not None and record.failure.at > request.at

    return [
        Work(work.dump_id, tuple(table for table in work.tables if is_open(work.dump_id, table)))
        for work in due
    ]


def ask_for_dumps(
    work: Sequence[Work], cursor: Cursor, contents: Mapping[int, str], now: datetime
) -> tuple[dg.RunRequest, Cursor]:
    """One run for all this work, and the cursor after it."""
    new = {
        one.dump_id: _next(cursor.dumps.get(one.dump_id), contents[one.dump_id], one.tables, now)
        for one in work
    }
    first, last = work[0].dump_id, work[-1].dump_id
    tables = dict.fromkeys(table for one in work for table in one.tables)
    request = dg.RunRequest(
        run_key=_run_key(sorted(new.items())),
        job_name=RAW_JOB,
        asset_selection=[raw_key(table) for table in tables],
        asset_check_keys=[],  # the step yields what they find all the same, unplanned
        run_config=decode_config(work),
        tags={"csq/dumps": str(first) if first == last else f"{first} to {last}"},
    )
    return request, replace(cursor, dumps={**cursor.dumps, **new})


def ask_for_refresh(
    stale: Sequence[str] | None, cursor: Cursor, now: datetime
) -> tuple[dg.RunRequest | None, Cursor]:
    """A run that refreshes the tables that are stale, and the cursor after it.

    None is asked for where nothing is stale, or while an earlier request for the same is young.
    """
    if stale is None:
        return None, replace(cursor, refresh=None)
    asked, tables = cursor.refresh, tuple(stale)
    if asked is not None and asked.tables == tables and now - asked.at < REFRESH_AGAIN_AFTER:
        return None, cursor
    # The time is in the key: the same tables are stale again with every dump.
    new = _next(asked, now.isoformat(), tables, now)
    request = dg.RunRequest(
        run_key=_run_key(new),
        job_name=CURRENT_JOB,
        asset_selection=current_selection(tables),
        asset_check_keys=[],
        run_config=refresh_config(rebuild=False),
    )
    return request, replace(cursor, refresh=new)


def _next(before: Request | None, content: str, tables: tuple[str, ...], now: datetime) -> Request:
    return Request(content, tables, now, before.attempt + 1 if before else 1)


def _run_key(asked: object) -> str:
    """A key is never run twice, not even where the run failed: so it tells one try from the next."""
    return hashlib.sha256(repr(asked).encode()).hexdigest()
