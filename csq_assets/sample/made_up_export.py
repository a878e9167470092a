"""Puts a sample together: dumps with their files and manifests, and a report for each."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from csq_assets.errors import UsageError
from csq_assets.sample.export_directory import write_files
from csq_assets.sample.people import Person
from csq_assets.sample.schedule import DAY, HOUR, MINUTE, SECOND, Schedule, as_text, make_schedule
from csq_assets.sample.tables import TABLES, encode_rows, fields_of
from csq_assets.sample.visits import Row, make_visits, redelivered, user_row

BUCKET = "s3://csq-rs3-acme/"
RESYNCED = "add_to_cart"

_MOST_PEOPLE_PER_FILE = 2000


@dataclass(frozen=True, slots=True)
class SampleSummary:
    """What the export now holds. `rows` are those that manifests list, repeated ones included."""

    directory: Path
    dump_ids: tuple[int, ...]
    tables: tuple[str, ...]
    rows: int
    files: int
    changed: int  # files that were written, as they were not there or were different


def write_sample(
    directory: Path, *, dumps: int = 4, users: int = 500, seed: int = 7, now: datetime
) -> SampleSummary:
    """Write a made-up export that lies in `directory` as it would in its bucket.

    The same arguments give the same bytes on any moment of one day, UTC; `now` must be aware. An
    earlier sample in the directory is replaced. Raises UsageError where something else is there.
    """
    for name, number in (("dumps", dumps), ("users", users)):
        if number < 1:
            raise UsageError(f"a sample has at least 1 of {name}, not {number}")
    sample = _Sample(make_schedule(now, dumps, seed), users)
    try:
        files, changed = write_files(directory, sample.files())
    except OSError as error:
        raise UsageError(f"{directory} cannot be written to: {error}") from error
    return SampleSummary(directory, sample.dump_ids, TABLES, sample.rows, files, changed)


class _Sample:
    """`rows` counts what `files` has given, each file as key and bytes."""

    def __init__(self, schedule: Schedule, users: int) -> None:
        self._schedule = schedule
        self._users = users
        self._last = len(schedule.windows) - 1
        random = schedule.random()
        # They pass 1000 on the way, so a reader that sorts them as text is found out.
        places = range(len(schedule.windows))
        self.dump_ids = tuple(990 + 4 * place + random.randrange(3) for place in places)
        self.rows = 0

    def files(self) -> Iterator[tuple[str, bytes]]:
        for dump in range(self._last + 1):
            yield from self._dump(dump)
        yield self._decoy()
        yield from self._reports()

    def _dump(self, dump: int) -> Iterator[tuple[str, bytes]]:
        paths: dict[str, list[str]] = defaultdict(list)
        for rows_by_table in self._chunks(dump):
            for table, rows in rows_by_table.items():
                key, body = self._avro_file(dump, table, len(paths[table]), rows)
                yield key, body
                paths[table].append(BUCKET + key)
                self.rows += len(rows)
        dump_id = self.dump_ids[dump]
        definitions = f"sync_{dump_id}/property_definitions.json"
        yield definitions, _as_json(_DEFINITIONS)
        tables = [
            {
                "name": table,
                "incremental": not self._is_complete(table, dump),
                "columns": [field["name"] for field in fields_of(table, dump)],
                "files": paths[table],
            }
            for table in TABLES
            if paths[table] or self._is_complete(table, dump)
        ]
        manifest = {
            "dump_id": dump_id,
            "tables": tables,
            "property_definitions": BUCKET + definitions,
        }
        yield f"manifests/sync_{dump_id}.json", _as_json(manifest)

    def _is_complete(self, table: str, dump: int) -> bool:
        resynced = table == RESYNCED and dump == min(3, self._last)
        return dump == 0 or table == "user_migrations" or resynced

    def _chunks(self, dump: int) -> Iterator[dict[str, list[Row]]]:
        """Rows by table, for so many people at a time as go into one file."""
        size = min(_MOST_PEOPLE_PER_FILE, -(-self._users // (2 if dump else 3)))
        for start in range(0, self._users, size):
            rows: dict[str, list[Row]] = defaultdict(list)
            for number in range(start, min(start + size, self._users)):
                for table, row in self._rows_of(Person(number, self._schedule), dump):
                    rows[table].append(row)
            yield rows

    def _rows_of(self, person: Person, dump: int) -> Iterator[tuple[str, Row]]:
        """What one dump tells of one person."""
        complete = dump > 0 and self._is_complete(RESYNCED, dump)
        last_seen: dict[int, int] = {}
        for visit in make_visits(person, dump, self._schedule):
            last_seen |= visit.last_seen
            yield from (item for item in visit.rows if not complete or item[0] != RESYNCED)
        for user_id, instant in last_seen.items():
            yield "users", user_row(person, user_id, instant)
        for row in redelivered(person, dump, self._schedule):
            yield "pageviews", row
        for old, new, instant in person.migrations(self._schedule.windows[dump].stop):
            migration = {"from_user_id": old, "to_user_id": new, "time": as_text(instant)}
            yield "user_migrations", migration
        if complete:  # all of it once more: the event was given a narrower definition at the sender
            for earlier in range(dump + 1):
                for visit in make_visits(person, earlier, self._schedule):
                    for table, row in visit.rows:
                        if table == RESYNCED and row["target_text"] != "Buy again":
                            yield table, row

    def _decoy(self) -> tuple[str, bytes]:
        """A file that no manifest lists: whoever reads folders finds pageviews too many."""
        random = self._schedule.random()
        nobody = Person(self._users, self._schedule)
        row = {
            **_DECOY_PAGE,
            "time": as_text(self._schedule.end),
            "country": nobody.country,
            "user_id": nobody.tracker_id,
            "session_id": self.dump_ids[0],
        }
        rows = [{**row, "event_id": random.getrandbits(62)} for _ in range(40)]
        return self._avro_file(self._last, "pageviews", 99, rows)

    def _reports(self) -> Iterator[tuple[str, bytes]]:
        """Each sync follows the window of its dump at once; the next is due when `now` is over."""
        random = self._schedule.random()
        for window in self._schedule.windows:
            start = window.stop + 10 * MINUTE
            report = {
                "start_time": start,
                "finish_time": start + random.randrange(12 * MINUTE, 30 * MINUTE),
                "status": "succeeded",
                "next_sync_at": window.stop + HOUR + DAY,
                "error": None,
            }
            name = f"{datetime.fromtimestamp(start / SECOND, UTC):%Y-%m-%dT%H-%M-%SZ}"
            yield f"sync_reports/{name}.json", _as_json(report)

    def _avro_file(self, dump: int, table: str, index: int, rows: list[Row]) -> tuple[str, bytes]:
        body = encode_rows(table, dump, rows, form=dump + index)
        # By its content, so that a manifest tells of a sample that is another one.
        name = hashlib.sha256(body).hexdigest()[:12]
        return f"sync_{self.dump_ids[dump]}/{table}/part-{index:05}-{name}-c000.avro", body


def _as_json(document: dict[str, Any]) -> bytes:
    return json.dumps(document, indent=2, ensure_ascii=False).encode()


_DECOY_PAGE: Row = {
    "library": "web",
    "platform": "Windows 11",
    "device_type": "Desktop",
    "browser": "Chrome 141",
    "domain": "www.acme.example",
    "path": "/from-a-file-that-no-manifest-lists",
    "query": "",
    "title": "Not delivered",
}
_ORDER_SIZES = [
    {"when": "revenue >= 500", "then": "large"},
    {"when": "revenue < 500", "then": "small"},
]
_DEFINITIONS = {"properties": [{"name": "Order Size", "type": "event", "cases": _ORDER_SIZES}]}
