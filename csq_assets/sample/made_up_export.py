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
from csq_assets.sample.avro_files import TABLES, columns_of, encode_rows
from csq_assets.sample.chance import seeded
from csq_assets.sample.export_directory import SampleDirectory
from csq_assets.sample.people import Person, make_person
from csq_assets.sample.schedule import SECOND, Schedule, Sync, as_text, make_schedule
from csq_assets.sample.visits import Row, make_visits, redelivered, user_row

BUCKET = "csq-rs3-acme"
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
    try:
        return _Sample(SampleDirectory(directory), dumps, users, seed, now).write(directory)
    except OSError as error:
        raise UsageError(f"{directory} cannot be written to: {error}") from error


class _Sample:
    def __init__(
        self, target: SampleDirectory, dumps: int, users: int, seed: int, now: datetime
    ) -> None:
        self._target = target
        self._users = users
        self._seed = seed
        self._schedule: Schedule = make_schedule(now, dumps, seed)
        random = seeded(seed)
        # They pass 1000 on the way, so a reader that sorts them as text is found out.
        self._dump_ids = tuple(990 + 4 * place + random.randrange(3) for place in range(dumps))
        self._rows = 0

    def write(self, directory: Path) -> SampleSummary:
        last = len(self._dump_ids) - 1
        for dump in range(last + 1):
            self._write_dump(dump)
        self._write_decoy(last)
        return SampleSummary(
            directory=directory,
            dump_ids=self._dump_ids,
            tables=TABLES,
            rows=self._rows,
            files=self._target.finish(),
            changed=self._target.changed,
        )

    def _write_dump(self, dump: int) -> None:
        files: dict[str, list[str]] = defaultdict(list)
        for rows_by_table in self._chunks(dump):
            for table, rows in rows_by_table.items():
                key = self._write_rows(dump, table, len(files[table]), rows)
                files[table].append(f"s3://{BUCKET}/{key}")
                self._rows += len(rows)
        definitions = f"sync_{self._dump_ids[dump]}/property_definitions.json"
        self._write_json(definitions, _DEFINITIONS)
        manifest = {
            "dump_id": self._dump_ids[dump],
            "tables": [
                {
                    "name": table,
                    "incremental": not self._is_complete(table, dump),
                    "columns": list(columns_of(table, dump)),
                    "files": files[table],
                }
                for table in TABLES
                if files[table] or self._is_complete(table, dump)
            ],
            "property_definitions": f"s3://{BUCKET}/{definitions}",
        }
        self._write_json(f"manifests/sync_{self._dump_ids[dump]}.json", manifest)
        self._write_report(self._schedule.syncs[dump])

    def _is_complete(self, table: str, dump: int) -> bool:
        resynced_in = min(3, len(self._dump_ids) - 1)
        resynced = table == RESYNCED and dump == resynced_in
        return dump == 0 or table == "user_migrations" or resynced

    def _chunks(self, dump: int) -> Iterator[dict[str, list[Row]]]:
        """Rows by table, for so many people at a time as go into one file."""
        size = min(_MOST_PEOPLE_PER_FILE, -(-self._users // (2 if dump else 3)))
        for start in range(0, self._users, size):
            rows: dict[str, list[Row]] = defaultdict(list)
            for number in range(start, min(start + size, self._users)):
                person = make_person(number, self._schedule, self._seed)
                for table, row in self._rows_of(person, dump):
                    rows[table].append(row)
            yield rows

    def _rows_of(self, person: Person, dump: int) -> Iterator[tuple[str, Row]]:
        """What one dump tells of one person."""
        complete = dump > 0 and self._is_complete(RESYNCED, dump)
        last_seen: dict[int, int] = {}
        for visit in make_visits(person, dump, self._schedule, self._seed):
            last_seen |= visit.last_seen
            yield from (item for item in visit.rows if not complete or item[0] != RESYNCED)
        for user_id, instant in last_seen.items():
            yield "users", user_row(person, user_id, instant)
        for row in redelivered(person, dump, self._schedule, self._seed):
            yield "pageviews", row
        for old, new, instant in person.migrations(self._schedule.windows[dump].end):
            migration = {"from_user_id": old, "to_user_id": new, "time": as_text(instant)}
            yield "user_migrations", migration
        if complete:
            yield from self._history(person, dump)

    def _history(self, person: Person, dump: int) -> Iterator[tuple[str, Row]]:
        """The table delivered anew: its event was given a narrower definition at the sender."""
        for earlier in range(dump + 1):
            for visit in make_visits(person, earlier, self._schedule, self._seed):
                for table, row in visit.rows:
                    if table == RESYNCED and row["target_text"] != "Buy again":
                        yield table, row

    def _write_decoy(self, dump: int) -> None:
        """A file that no manifest lists: whoever reads folders finds pageviews too many."""
        random = seeded(self._seed)
        nobody = make_person(self._users, self._schedule, self._seed)
        first = self._dump_ids[0]
        row = {
            **_DECOY_PAGE,
            "time": as_text(self._schedule.end),
            "country": nobody.country,
            "user_id": nobody.tracker_id,
            "session_id": first,
        }
        rows = [{**row, "event_id": random.getrandbits(62)} for _ in range(40)]
        self._write_rows(dump, "pageviews", 99, rows)

    def _write_rows(self, dump: int, table: str, index: int, rows: list[Row]) -> str:
        dump_id = self._dump_ids[dump]
        body = encode_rows(table, columns_of(table, dump), rows, form=dump + index)
        # By its content, so that a manifest tells of a sample that is another one.
        name = hashlib.sha256(body).hexdigest()[:12]
        key = f"sync_{dump_id}/{table}/part-{index:05}-{name}-c000.avro"
        self._target.write(key, body)
        return key

    def _write_report(self, sync: Sync) -> None:
        name = f"{datetime.fromtimestamp(sync.start / SECOND, UTC):%Y-%m-%dT%H-%M-%SZ}"
        report = {
            "start_time": sync.start,
            "finish_time": sync.finish,
            "status": "succeeded",
            "next_sync_at": sync.next_sync_at,
            "error": None,
        }
        self._write_json(f"sync_reports/{name}.json", report)

    def _write_json(self, key: str, document: dict[str, Any]) -> None:
        self._target.write(key, json.dumps(document, indent=2, ensure_ascii=False).encode())


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
_DEFINITIONS = {
    "properties": [
        {
            "name": "Order Size",
            "type": "event",
            "cases": [
                {"when": "revenue >= 500", "then": "large"},
                {"when": "revenue < 500", "then": "small"},
            ],
        }
    ]
}
