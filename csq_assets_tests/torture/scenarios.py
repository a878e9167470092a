"""What `csq` is in the midst of when something happens: a platform before it, and a command."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from csq_assets_tests.builders import ExportBuilder
from csq_assets_tests.platform import copy_dagster_yaml
from csq_assets_tests.targets import DirectoryTarget, Target
from csq_assets_tests.torture.warm import Ended, Warm

FORGOTTEN = 3


@dataclass(frozen=True, slots=True)
class Place:
    """A platform in a folder: export, lake, DuckDB file and DAGSTER_HOME. `variables` come on top."""

    folder: Path
    lake_url: str = ""
    export_target: Target | None = None
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def export(self) -> ExportBuilder:
        target = self.export_target or DirectoryTarget(self.folder / "export")
        return ExportBuilder(target, bucket="customer")

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def lake(self) -> str:
        return self.lake_url or str(self.home / "data" / "lake")

    @property
    def warehouse(self) -> Path:
        return self.home / "data" / "warehouse.duckdb"

    @property
    def snapshot(self) -> Path:
        return self.home / "data" / "snapshot" / "copy.duckdb"

    def make(self) -> None:
        """An empty one, of which Dagster's databases are not there yet."""
        shutil.rmtree(self.folder, ignore_errors=True)
        (self.folder / "export").mkdir(parents=True)
        (self.folder / "tmp").mkdir()
        self.home.mkdir()
        copy_dagster_yaml(self.home)
        self.export.report("2026-03-01")

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": "/usr/bin:/bin",
            "HOME": str(self.folder),
            "TMPDIR": str(self.folder / "tmp"),
            "COLUMNS": "200",
            "DAGSTER_HOME": str(self.home),
            "CSQ_EXPORT_URL": self.export.url,
            "CSQ_LAKE_URL": self.lake,
            "CSQ_DUCKDB_PATH": str(self.warehouse),
            "CSQ_DUCKDB_SNAPSHOT_PATH": str(self.snapshot),
            **self.variables,
        }

    def csq(self, warm: Warm, *arguments: str, **options: Any) -> Ended:
        environment = self.environment
        return warm.csq(*arguments, folder=self.home, environment=environment, **options)


@dataclass(frozen=True, slots=True)
class Scenario:
    """`before` is delivered and taken in, then `news` is delivered, and `command` is run, of csq or of
    `daemon.py`. `finish` are the commands that put everything right after it was ended. All of them
    have these `variables`."""

    name: str
    command: tuple[str, ...] = ("sync",)
    before: tuple[Callable[[ExportBuilder], object], ...] = ()
    news: tuple[Callable[[ExportBuilder], object], ...] = ()
    finish: tuple[tuple[str, ...], ...] = (("sync",),)
    variables: Mapping[str, str] = field(default_factory=dict[str, str])

    def deliver_before(self, export: ExportBuilder) -> None:
        for deliver in self.before:
            deliver(export)

    def deliver_news(self, export: ExportBuilder) -> None:
        for deliver in self.news:
            deliver(export)


def _dump(
    dump_id: int, *people: int, full_resync: bool = False, word: str = ""
) -> Callable[[ExportBuilder], object]:
    """A delivery of six tables and of property definitions, about these people."""

    def deliver(export: ExportBuilder) -> object:
        return export.deliver(
            dump_id,
            users=[
                {"user_id": person, "plan": f"{word}{dump_id}", "joindate": "2026-01-02"}
                for person in people
            ],
            sessions=[{"user_id": person, "session_id": dump_id} for person in people],
            pageviews=[
                {"event_id": dump_id * 100 + person, "user_id": person, "time": "1767312000"}
                for person in people
            ],
            signups=[{"event_id": dump_id, "user_id": people[0], "session_id": dump_id}],
            notes=[{"text": word or "a note"}],  # without a key: whatever is applied twice shows
            user_migrations=[{"from_user_id": people[0], "to_user_id": people[-1]}],
            property_definitions={"dump": dump_id, "word": word},
            full_resync=full_resync,
        )

    return deliver


_FIRST = (_dump(11, 1, 2, FORGOTTEN), _dump(12, 2, FORGOTTEN, 4))
FIRST_SYNC = Scenario("first sync", news=_FIRST)
INCREMENT = Scenario("increment", before=_FIRST, news=(_dump(13, 4, 5),))
REDELIVERY = Scenario("redelivery", before=_FIRST, news=(_dump(11, 1, 6, FORGOTTEN, word="again"),))
RESYNC = Scenario("full resync", before=_FIRST, news=(_dump(13, 1, 7, full_resync=True),))
REBUILD = Scenario("csq rebuild", command=("rebuild",), before=_FIRST)
FORGET = Scenario(
    "csq forget",
    command=("forget", "--yes", str(FORGOTTEN)),
    before=_FIRST,
    finish=(("forget", "--yes", str(FORGOTTEN)), ("sync",)),
)
# The daemon, its code server and its runs are ended; then it starts again, or csq sync comes first.
DAEMON = Scenario(
    "the daemon's runs",
    command=("daemon",),
    before=_FIRST,
    news=(_dump(13, 4, 5),),
    finish=(("daemon",),),
)
DAEMON_AND_SYNC = replace(
    DAEMON, name="the daemon's runs, then csq sync", finish=(("sync",), ("daemon",))
)
# More users than fit into so little memory, so DuckDB spills.
SPILLING = Scenario(
    "increment, spilled",
    before=_FIRST,
    news=(
        lambda export: export.deliver(
            13,
            users=[
                {"user_id": person, "plan": f"plan of {person} " * 8, "joindate": "2026-01-02"}
                for person in range(100_000)
            ],
        ),
    ),
    variables={"CSQ_DUCKDB_MEMORY_LIMIT": "40MB"},
)
ONE_TABLE = Scenario(
    "one table without a key",
    before=(lambda export: export.deliver(11, notes=[{"text": "a"}]),),
    news=(lambda export: export.deliver(12, notes=[{"text": "b"}]),),
)
SCENARIOS = (
    FIRST_SYNC,
    INCREMENT,
    REDELIVERY,
    RESYNC,
    REBUILD,
    FORGET,
    DAEMON,
    DAEMON_AND_SYNC,
)
