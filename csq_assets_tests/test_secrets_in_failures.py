"""Whatever fails, no secret is shown or kept: on the streams, in Dagster's storage and logs, in lake
and DuckDB, in the page of csq report, in alerts."""

import signal
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from csq_assets_tests.alerts.receivers import Webhook, serve_webhook
from csq_assets_tests.builders import AvroFile
from csq_assets_tests.ended import end_at
from csq_assets_tests.faulty_s3 import FaultyS3, error
from csq_assets_tests.kept_texts import kept_text
from csq_assets_tests.marts.project import PROJECT
from csq_assets_tests.platform import SCRIPTS, Platform, run
from csq_assets_tests.sentinel import SECRET
from csq_assets_tests.torture.shim import Hit, build_shim

pytestmark = [pytest.mark.s3, pytest.mark.slow]
COMMANDS = ("sync --json", "doctor", "status", "report --out page.html")
POSTGRES = "storage: {postgres: {postgres_url: {env: PG_URL}}}\ntelemetry: {enabled: false}\n"
EVERYWHERE = {
    "AWS_SECRET_ACCESS_KEY": f"{SECRET}/key",
    "AWS_SESSION_TOKEN": f"{SECRET}+token",
    "DAGSTER_PG_PASSWORD": f"{SECRET}-postgres",
    "PG_URL": f"postgresql://csq:{SECRET}@127.0.0.1:1/dagster",
    "CSQ_HASH_COLUMNS": "users.email",
    "CSQ_HASH_KEY": SECRET,
    "CSQ_SPARK_SUBMIT": f"spark-submit --conf spark.hadoop.fs.s3a.secret.key={SECRET}",
    "PYICEBERG_CATALOG__DEFAULT__CREDENTIAL": f"csq:{SECRET}",
    "PYICEBERG_CATALOG__DEFAULT__TOKEN": SECRET,
}


@dataclass(slots=True)
class Scene:
    """What a failure is made of. `folder` has no blanks in its path; `variables` are those of csq."""

    platform: Platform
    s3: FaultyS3
    webhook: Webhook
    folder: Path
    variables: dict[str, str] = field(default_factory=dict[str, str])
    said: str = ""

    @property
    def data(self) -> Path:
        return self.platform.folder / "data"


@pytest.fixture
def scene(s3_platform: Platform, faulty_s3: FaultyS3) -> Iterator[Scene]:
    with serve_webhook() as webhook, TemporaryDirectory(prefix="csq-") as folder:
        made = Scene(s3_platform, faulty_s3, webhook, Path(folder))
        made.variables = {
            **EVERYWHERE,
            "AWS_ENDPOINT_URL_S3": faulty_s3.endpoint.replace("://", f"://me:{SECRET}@"),
            "CSQ_ALERTS": f"json://me:{SECRET}@{webhook.place}/{SECRET}",
            "TMPDIR": folder,
        }
        yield made


def _damage(scene: Scene) -> None:
    scene.platform.deliver(13, users=[AvroFile(body=b"Obj")], columns={"users": ["user_id"]})


def _refuse(scene: Scene) -> None:
    """An S3 that repeats what it was sent."""
    scene.s3.fault = lambda one: error(403, "AccessDenied", f"You sent {dict(one.headers)}")


def _no_proxy(scene: Scene) -> None:
    scene.variables["HTTP_PROXY"] = f"http://me:{SECRET}@127.0.0.1:1"
    scene.variables["NO_PROXY"] = ""


def _no_database(scene: Scene) -> None:
    (scene.data / "warehouse.duckdb").write_text("no database" * 9_999)


def _no_lake(scene: Scene) -> None:
    (scene.data / "lake").write_text("no folder")


def _no_postgres(scene: Scene) -> None:
    (scene.platform.folder / "dagster.yaml").write_text(POSTGRES)


def _no_room(scene: Scene) -> None:
    hit = Hit((scene.data / "lake" / "raw",), at=1, action="full")
    scene.variables |= hit.environment(scene.folder)
    scene.variables["LD_PRELOAD"] = str(build_shim(scene.folder))


def _no_memory(scene: Scene) -> None:
    scene.variables["CSQ_DUCKDB_MEMORY_LIMIT"] = "1MB"


def _kill(scene: Scene) -> None:
    point = r"rename .*/data\.parquet"
    ended = end_at(scene.platform, signal.SIGKILL, point, variables=scene.variables)
    assert ended.code == -signal.SIGKILL
    scene.said = ended.stdout + ended.stderr


def _no_catalog(scene: Scene) -> None:
    scene.variables |= {
        "CSQ_PUBLISH_URL": str(scene.folder / "tables"),
        "PYICEBERG_CATALOG__DEFAULT__TYPE": "rest",
        "PYICEBERG_CATALOG__DEFAULT__URI": f"http://me:{SECRET}@127.0.0.1:1/{SECRET}",
    }


def _no_catalog_database(scene: Scene) -> None:
    scene.variables |= {
        "CSQ_PUBLISH_URL": str(scene.folder / "tables"),
        "PYICEBERG_CATALOG__DEFAULT__TYPE": "sql",
        "PYICEBERG_CATALOG__DEFAULT__URI": f"postgresql://csq:{SECRET}@127.0.0.1:1/iceberg",
    }


def _no_mart(scene: Scene) -> None:
    project = scene.folder / "own"
    (project / "models").mkdir(parents=True)
    (project / "dbt_project.yml").write_text("{name: own, profile: csq}")
    profile = (PROJECT / "profiles.yml").read_text()
    password = "threads: \"{{ env_var('AWS_SECRET_ACCESS_KEY') }}\""  # DuckDB repeats it
    (project / "profiles.yml").write_text(profile.replace("TimeZone: UTC", password))
    (project / "models" / "one.sql").write_text("select 1 as one")
    scene.variables["CSQ_DBT_PROJECT"] = str(project)


def _failed_run(scene: Scene) -> None:
    """As from the UI: Dagster's own command, without csq's around it."""
    _damage(scene)
    assert scene.platform.csq("sync", **scene.variables).code == 1
    which = ("--select", "csq/raw/users", "--partition", "13", "-m", "csq_assets.definitions")
    environment = {**scene.platform.environment(), **scene.variables}
    command = (SCRIPTS / "dagster", "asset", "materialize", *which)
    ran = run(*command, cwd=scene.platform.folder, environment=environment)
    assert ran.code == 1
    scene.said = ran.stdout + ran.stderr


FAILURES: Mapping[str, tuple[Callable[[Scene], object], list[int]]] = {
    "nothing": (lambda _: None, [0, 0, 0, 0]),
    "damage": (_damage, [1, 0, 0, 0]),
    "S3 refuses": (_refuse, [2, 2, 0, 0]),
    "a proxy that is away": (_no_proxy, [1, 1, 0, 0]),
    "no DuckDB file": (_no_database, [1, 1, 0, 0]),
    "no lake": (_no_lake, [2, 2, 2, 2]),
    "Postgres is away": (_no_postgres, [2, 2, 0, 0]),
    "no room": (_no_room, [1, 0, 0, 0]),
    "no memory": (_no_memory, [1, 0, 0, 0]),
    "a kill": (_kill, [0, 0, 0, 0]),
    "a catalog that is away": (_no_catalog, [1, 1, 0, 0]),
    "a database of a catalog that is away": (_no_catalog_database, [1, 1, 0, 0]),
    "a mart that fails": (_no_mart, [1, 0, 0, 0]),
    "a run that fails": (_failed_run, [1, 0, 0, 0]),
}


# Nothing failed, or nothing can be sent, or nothing can be remembered.
UNTOLD = ("nothing", "a kill", "a proxy that is away", "Postgres is away")


@pytest.mark.parametrize("failure", FAILURES)
def test_no_failure_shows_or_keeps_a_secret(scene: Scene, failure: str) -> None:
    fail, codes = FAILURES[failure]
    fail(scene)
    assert run_all(scene, *COMMANDS) == codes
    assert bool(scene.webhook.posted) == (failure not in UNTOLD)


OTHERS = {
    "S3 refuses": [0, 0, 0, 0],
    "no DuckDB file": [1, 0, 0, 1],
    "no lake": [2, 2, 2, 2],
    "no memory": [1, 1, 0, 1],
}


@pytest.mark.parametrize("failure", OTHERS)
def test_no_other_command_shows_or_keeps_a_secret(scene: Scene, failure: str) -> None:
    scene.platform.deliver(13, users=[{"user_id": 2}])
    assert scene.platform.csq("sync", **scene.variables).code == 0
    if failure == "no lake":
        (scene.data / "lake").rename(scene.data / "lake before")
    FAILURES[failure][0](scene)
    codes = run_all(scene, "rebuild", "diff 12 13", "doctor --repair", "forget --yes 1")
    assert codes == OTHERS[failure]


def test_no_tick_that_fails_shows_or_keeps_a_secret(scene: Scene) -> None:
    _refuse(scene)
    environment = {**scene.platform.environment(), **scene.variables}
    preview = ("sensor", "preview", "csq_sync_reports", "-m", "csq_assets.definitions")
    ran = run(SCRIPTS / "dagster", *preview, cwd=scene.platform.folder, environment=environment)
    assert "You sent" in ran.stdout + ran.stderr
    assert_no_secret(scene, ran.stdout + ran.stderr)


def run_all(scene: Scene, *commands: str) -> list[int]:
    """The exit codes of the commands, of which none shows a secret or a traceback."""
    ran = [scene.platform.csq(*command.split(), **scene.variables) for command in commands]
    told = [str(body) for _, body in scene.webhook.posted]
    said = "\n".join((scene.said, *(one.stdout + one.stderr for one in ran), *told))
    assert_no_secret(scene, said)
    assert "Traceback" not in said
    return [one.code for one in ran]


def assert_no_secret(scene: Scene, said: str) -> None:
    """Neither there, nor in what is kept: by the platform, where tables are published, in TMPDIR."""
    kept = [kept_text(folder) for folder in (scene.platform.folder, scene.folder)]
    for spelling in (SECRET, b64encode(f"me:{SECRET}".encode()).decode()):
        assert spelling not in said
        assert [text for text in kept if spelling in text] == []
