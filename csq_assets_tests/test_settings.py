"""What settings default to, take and refuse."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from csq_assets.environment import dagster_home, set_default_dagster_home
from csq_assets.errors import SettingsError
from csq_assets.settings import Settings
from csq_assets_tests.marts.project import PROJECT


def refusal_of(**environment: str) -> str:
    with pytest.raises(SettingsError) as refused:
        Settings.from_environment(environment)
    return str(refused.value)


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("CSQ_DROP_COLUMN", "CSQ_DROP_COLUMNS"),
        ("CSQ_EXPORT_URI", "CSQ_EXPORT_URL"),
        ("CSQ_SKIP_TABLE", "CSQ_SKIP_TABLES"),
    ],
)
def test_a_name_that_is_nearly_that_of_a_setting_is_refused(variable: str, meant: str) -> None:
    assert refusal_of(**{variable: "x"}) == (
        f"setting {variable}: no setting has this name. Write {meant}, or remove the variable."
    )


@pytest.mark.parametrize(
    ("variable", "value"),
    [("CSQ_DROP_COLUMN", " "), ("CSQ_LAKE_URL_EU", "x"), ("CSQ_ZZZ", "x"), ("OTHER", "x")],
)
def test_other_variables_are_left_alone(variable: str, value: str) -> None:
    assert Settings.from_environment({variable: value}) == Settings.from_environment({})


def test_without_variables_everything_lies_under_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert Settings.from_environment({}) == Settings(
        export_url=str(tmp_path / "data/export"),
        manifest_prefix="manifests/",
        skip_tables=(),
        drop_columns=(),
        hash_columns=(),
        hash_key=None,
        lake_url=str(tmp_path / "data/lake"),
        duckdb_path=tmp_path / "data/warehouse.duckdb",
        snapshot_path=None,
        publish_url=None,
        publish_format="iceberg",
        types_path=None,
        memory_limit="2GB",
        dbt_project=None,
        owners=(),
        request_payer=None,
        key_prefix="csq",
        group_prefix="",
        alerts=(),
        alert_severity="ERROR",
        ui_url=None,
        code_location="csq_assets",
        engine="duckdb",
        spark_submit="spark-submit",
        spark_emr_serverless=None,
        spark_catalog="csq",
        spark_buckets=16,
    )


def test_each_variable_sets_its_field() -> None:
    settings = Settings.from_environment(
        {
            "CSQ_EXPORT_URL": "s3://csq-rs3-acme/team/x/",
            "CSQ_MANIFEST_PREFIX": "/lists/of/dumps",
            "CSQ_SKIP_TABLES": "_event_metadata, click_*,,",
            "CSQ_DROP_COLUMNS": "*.ip, Users.Email",
            "CSQ_HASH_COLUMNS": "users.*",
            "CSQ_HASH_KEY": "a secret of some length",
            "CSQ_LAKE_URL": "s3://lake/",
            "CSQ_DUCKDB_PATH": " /srv/w.duckdb ",
            "CSQ_DUCKDB_SNAPSHOT_PATH": "/srv/copy.duckdb",
            "CSQ_PUBLISH_URL": "s3://ours/tables/",
            "CSQ_PUBLISH_FORMAT": "parquet",
            "CSQ_DUCKDB_MEMORY_LIMIT": "1.5 GiB",
            "CSQ_TYPES": "/etc/types.toml",
            "CSQ_DBT_PROJECT": str(PROJECT),
            "CSQ_OWNERS": "team:data-platform, ana@example.com",
            "CSQ_REQUEST_PAYER": "requester",
            "CSQ_KEY_PREFIX": "marketing/eu",
            "CSQ_GROUP_PREFIX": "eu_",
            "CSQ_ALERTS": "JSONS://me:secret@host/a,b,secret slack://A/B/secret\nmailto://c?to=d,e",
            "CSQ_ALERT_SEVERITY": "WARN",
            "CSQ_UI_URL": "https://ui.example.com/dagster/",
            "CSQ_CODE_LOCATION": "analytics",
            "CSQ_ENGINE": "duckdb",
            "CSQ_SPARK_SUBMIT": "spark-submit --master 'spark://host:7077'",
            "CSQ_SPARK_EMR_SERVERLESS": "/etc/csq/emr.json",
            "CSQ_SPARK_CATALOG": "glue",
            "CSQ_SPARK_BUCKETS": "256",
        }
    )
    assert settings == Settings(
        export_url="s3://csq-rs3-acme/team/x",
        manifest_prefix="lists/of/dumps/",
        skip_tables=("_event_metadata", "click_*"),
        drop_columns=("*.ip", "users.email"),
        hash_columns=("users.*",),
        hash_key=SecretStr("a secret of some length"),
        lake_url="s3://lake",
        duckdb_path=Path("/srv/w.duckdb"),
        snapshot_path=Path("/srv/copy.duckdb"),
        publish_url="s3://ours/tables",
        publish_format="parquet",
        types_path=Path("/etc/types.toml"),
        memory_limit="1.5 GiB",
        dbt_project=PROJECT,
        owners=("team:data-platform", "ana@example.com"),
        request_payer="requester",
        key_prefix="marketing/eu",
        group_prefix="eu_",
        alerts=(
            SecretStr("JSONS://me:secret@host/a,b,secret"),
            SecretStr("slack://A/B/secret"),
            SecretStr("mailto://c?to=d,e"),
        ),
        alert_severity="WARN",
        ui_url="https://ui.example.com/dagster",
        code_location="analytics",
        engine="duckdb",
        spark_submit="spark-submit --master 'spark://host:7077'",
        spark_emr_serverless=Path("/etc/csq/emr.json"),
        spark_catalog="glue",
        spark_buckets=256,
    )
    assert "secret" not in repr(settings)
    assert settings.described() == (
        ("CSQ_EXPORT_URL", "s3://csq-rs3-acme/team/x"),
        ("CSQ_MANIFEST_PREFIX", "lists/of/dumps/"),
        ("CSQ_SKIP_TABLES", "_event_metadata, click_*"),
        ("CSQ_DROP_COLUMNS", "*.ip, users.email"),
        ("CSQ_HASH_COLUMNS", "users.*"),
        ("CSQ_HASH_KEY", "***"),
        ("CSQ_LAKE_URL", "s3://lake"),
        ("CSQ_DUCKDB_PATH", "/srv/w.duckdb"),
        ("CSQ_DUCKDB_SNAPSHOT_PATH", "/srv/copy.duckdb"),
        ("CSQ_PUBLISH_URL", "s3://ours/tables"),
        ("CSQ_PUBLISH_FORMAT", "parquet"),
        ("CSQ_DUCKDB_MEMORY_LIMIT", "1.5 GiB"),
        ("CSQ_TYPES", "/etc/types.toml"),
        ("CSQ_DBT_PROJECT", str(PROJECT)),
        ("CSQ_OWNERS", "team:data-platform, ana@example.com"),
        ("CSQ_REQUEST_PAYER", "requester"),
        ("CSQ_KEY_PREFIX", "marketing/eu"),
        ("CSQ_GROUP_PREFIX", "eu_"),
        ("CSQ_ALERTS", "jsons://***, slack://***, mailto://***"),
        ("CSQ_ALERT_SEVERITY", "WARN"),
        ("CSQ_UI_URL", "https://ui.example.com/dagster"),
        ("CSQ_CODE_LOCATION", "analytics"),
        ("CSQ_ENGINE", "duckdb"),
        ("CSQ_SPARK_SUBMIT", "spark-submit --master 'spark://host:7077'"),
        ("CSQ_SPARK_EMR_SERVERLESS", "/etc/csq/emr.json"),
        ("CSQ_SPARK_CATALOG", "glue"),
        ("CSQ_SPARK_BUCKETS", "256"),
    )


def test_the_environment_is_read_unless_another_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CSQ_LAKE_URL", "s3://lake/of/ours")
    assert Settings.from_environment().lake_url == "s3://lake/of/ours"


def test_an_empty_variable_counts_as_not_set() -> None:
    names = [variable for variable, _ in Settings.from_environment({}).described()]
    assert Settings.from_environment(dict.fromkeys(names, " ")) == Settings.from_environment({})


def test_what_is_not_set_is_described_as_none() -> None:
    described = dict(Settings.from_environment({}).described())
    assert [name for name, value in described.items() if value == "none"] == [
        "CSQ_SKIP_TABLES",
        "CSQ_DROP_COLUMNS",
        "CSQ_HASH_COLUMNS",
        "CSQ_HASH_KEY",
        "CSQ_DUCKDB_SNAPSHOT_PATH",
        "CSQ_PUBLISH_URL",
        "CSQ_TYPES",
        "CSQ_DBT_PROJECT",
        "CSQ_OWNERS",
        "CSQ_REQUEST_PAYER",
        "CSQ_GROUP_PREFIX",
        "CSQ_ALERTS",
        "CSQ_UI_URL",
        "CSQ_SPARK_EMR_SERVERLESS",
    ]


@pytest.mark.parametrize("variable", ["CSQ_EXPORT_URL", "CSQ_LAKE_URL"])
def test_a_place_is_a_directory_or_in_s3(variable: str) -> None:
    assert refusal_of(**{variable: "gs://bucket/prefix"}) == (
        f'setting {variable}: "gs://bucket/prefix" begins with gs://. '
        "Give s3://bucket, s3://bucket/prefix, or a directory."
    )
    assert refusal_of(**{variable: "s3:///prefix"}) == (
        f'setting {variable}: "s3:///prefix" names no bucket. Give s3://bucket/prefix.'
    )


@pytest.mark.parametrize("value", ["s3://bucket/manifests", "../manifests", "a/../../b"])
def test_manifests_lie_under_the_export(value: str) -> None:
    assert refusal_of(CSQ_MANIFEST_PREFIX=value) == (
        f'setting CSQ_MANIFEST_PREFIX: "{value}" is not a folder under CSQ_EXPORT_URL. '
        "Give a folder such as manifests/."
    )


def test_a_format_and_a_place_of_publication_are_checked(tmp_path: Path) -> None:
    assert refusal_of(CSQ_PUBLISH_FORMAT="delta") == (
        'setting CSQ_PUBLISH_FORMAT: "delta" is no format. Write iceberg or parquet.'
    )
    lake = str(tmp_path / "lake")
    assert refusal_of(CSQ_PUBLISH_URL=f"{lake}/tables", CSQ_LAKE_URL=lake) == (
        f"setting CSQ_PUBLISH_URL: {lake}/tables and the lake at {lake} overlap. "
        "Choose another place: files there are replaced and deleted."
    )


@pytest.mark.parametrize("variable", ["CSQ_DUCKDB_PATH", "CSQ_DUCKDB_SNAPSHOT_PATH"])
@pytest.mark.parametrize(
    ("name", "database"),
    [
        ("csq.duckdb", "csq"),
        ("CSQ.db", "CSQ"),
        ("csq", "csq"),
        ("csq_meta.duckdb", "csq_meta"),
        ("csq_rows.duckdb", "csq_rows"),
        ("csq_ledger.duckdb", "csq_ledger"),
        ("csq.v2.duckdb", "csq"),  # DuckDB's name for it ends at the first dot
        (".csq.duckdb", "csq"),
    ],
)
def test_a_duckdb_file_is_not_named_like_a_schema(variable: str, name: str, database: str) -> None:
    assert refusal_of(**{variable: f"/srv/{name}"}) == (
        f'setting {variable}: a DuckDB file named "{name}" would make {database}.users ambiguous. '
        "Choose another name, warehouse.duckdb for instance."
    )


@pytest.mark.parametrize("name", ["my.csq.duckdb", "csq2.duckdb", "csq_.duckdb"])
def test_other_names_of_duckdb_files_are_free(name: str) -> None:
    settings = Settings.from_environment({"CSQ_DUCKDB_PATH": f"/srv/{name}"})
    assert settings.duckdb_path == Path("/srv", name)


def test_a_duckdb_file_is_no_directory(tmp_path: Path) -> None:
    assert refusal_of(CSQ_DUCKDB_PATH=str(tmp_path)) == (
        f"setting CSQ_DUCKDB_PATH: {tmp_path} is a directory. Name a file."
    )


@pytest.mark.parametrize("amount", ["2", "GB", "80%", "-2GB", "2 gb"])
def test_memory_is_an_amount_with_its_unit(amount: str) -> None:
    assert refusal_of(CSQ_DUCKDB_MEMORY_LIMIT=amount) == (
        f'setting CSQ_DUCKDB_MEMORY_LIMIT: "{amount}" is not an amount of memory. '
        "Write for example 2GB or 512MB."
    )


@pytest.mark.parametrize("prefix", ["eu-west", "/eu", "eu/", "a//b", "é"])
def test_a_key_prefix_is_made_of_identifiers(prefix: str) -> None:
    assert refusal_of(CSQ_KEY_PREFIX=prefix) == (
        f'setting CSQ_KEY_PREFIX: "{prefix}" is not the beginning of an asset key. '
        "Write letters, digits and underscores, with slashes between the parts."
    )


def test_a_group_prefix_is_one_identifier() -> None:
    assert refusal_of(CSQ_GROUP_PREFIX="eu/") == (
        'setting CSQ_GROUP_PREFIX: "eu/" is not the beginning of a group\'s name. '
        "Write letters, digits and underscores."
    )


@pytest.mark.parametrize(
    ("value", "place"),
    [("me:secret@host", 1), ("json://host, ://secret", 2), ("json:///secret", 1)],
)
def test_an_address_begins_with_a_service(value: str, place: int) -> None:
    assert refusal_of(CSQ_ALERTS=value) == (
        f"setting CSQ_ALERTS: address {place} does not begin with a service. Write for example "
        "jsons://host/path, slack://A/B/C or mailtos://user:password@host?to=ana@example.com."
    )


@pytest.mark.parametrize(
    ("variable", "pattern"),
    [
        ("CSQ_DROP_COLUMNS", "*.user_id"),
        ("CSQ_DROP_COLUMNS", "pageviews.event_id"),
        ("CSQ_DROP_COLUMNS", "Sess*.Session_Id"),
        ("CSQ_HASH_COLUMNS", "user_migrations.to_user_id"),
        ("CSQ_HASH_COLUMNS", "pageviews.session_id"),
    ],
)
def test_ids_that_tables_need_stay(variable: str, pattern: str) -> None:
    variables = {variable: f"users.email,{pattern}", "CSQ_HASH_KEY": "a secret of some length"}
    assert refusal_of(**variables) == (
        f'setting {variable}: "{pattern.lower()}" names an id, by which rows are told apart and '
        "users are resolved. Leave it out. To take a person out, use csq forget."
    )


def test_a_session_id_that_no_key_needs_may_go() -> None:
    dropped = Settings.from_environment({"CSQ_DROP_COLUMNS": "pageviews.session_id"}).drop_columns
    assert dropped == ("pageviews.session_id",)


@pytest.mark.parametrize("pattern", ["email", ".email", "users."])
def test_a_column_is_named_with_its_table(pattern: str) -> None:
    assert refusal_of(CSQ_DROP_COLUMNS=pattern) == (
        f'setting CSQ_DROP_COLUMNS: "{pattern}" is not table.column. Write for example users.email.'
    )


def test_hashes_need_a_key_that_cannot_be_guessed() -> None:
    assert refusal_of(CSQ_HASH_COLUMNS="users.email") == (
        "setting CSQ_HASH_KEY: it is not set, and CSQ_HASH_COLUMNS needs it. Make a key with openssl "
        "rand -hex 32, and keep it."
    )
    assert refusal_of(CSQ_HASH_KEY="guess me") == (
        "setting CSQ_HASH_KEY: it is short enough to be guessed. Make one with openssl rand -hex 32, "
        "and keep it: with another key, hashes differ."
    )


def test_a_severity_is_one_of_two() -> None:
    assert refusal_of(CSQ_ALERT_SEVERITY="INFO") == (
        'setting CSQ_ALERT_SEVERITY: "INFO" is not a severity. Write ERROR or WARN.'
    )


@pytest.mark.parametrize("value", ["ui.example.com", "https://", "https://me:secret@host/x"])
def test_the_ui_is_a_web_page_without_a_user(value: str) -> None:
    assert refusal_of(CSQ_UI_URL=value) == (
        "setting CSQ_UI_URL: it is not the address of a web page, or names a user. "
        "Write for example https://dagster.example.com."
    )


@pytest.mark.parametrize("owner", ["ana", "team:", "team:a b", "ana@example", "a b@example.com"])
def test_an_owner_is_an_address_or_a_team(owner: str) -> None:
    assert refusal_of(CSQ_OWNERS=f"team:data,{owner}") == (
        f'setting CSQ_OWNERS: "{owner}" is neither an e-mail address nor team:name. '
        "Write for example team:data,ana@example.com."
    )


def test_only_a_requester_pays() -> None:
    assert refusal_of(CSQ_REQUEST_PAYER="me") == (
        'setting CSQ_REQUEST_PAYER: "me" is not a payer. Write requester.'
    )


@pytest.mark.parametrize(
    ("export", "lake"),
    [
        ("s3://bucket/x/", "s3://bucket/x"),
        ("s3://bucket", "s3://bucket/lake"),
        ("s3://bucket/x/export", "s3://bucket//x"),
        ("{0}/export", "{0}/export"),
        ("{0}/export", "{0}/export/lake"),
        ("{0}/data/export", "{0}/data"),
        ("{0}/export", "{0}/other/../export/lake"),
        ("{0}/export", "{0}/link/lake"),
        ("{0}/link", "{0}/export"),
    ],
)
def test_the_lake_and_the_export_do_not_overlap(tmp_path: Path, export: str, lake: str) -> None:
    (tmp_path / "export").mkdir()
    (tmp_path / "link").symlink_to("export")
    refused = refusal_of(CSQ_EXPORT_URL=export.format(tmp_path), CSQ_LAKE_URL=lake.format(tmp_path))
    assert refused.startswith("setting CSQ_LAKE_URL: ")
    assert refused.endswith(
        " overlap. Choose another place: nothing is ever written into the export."
    )


@pytest.mark.parametrize("variable", ["CSQ_DUCKDB_PATH", "CSQ_DUCKDB_SNAPSHOT_PATH"])
def test_nothing_is_written_into_the_export(tmp_path: Path, variable: str) -> None:
    path = tmp_path / "export" / "w.duckdb"
    refused = refusal_of(CSQ_EXPORT_URL=str(tmp_path / "export"), **{variable: str(path)})
    assert refused.startswith(f"setting {variable}: {path} and the export at ")


@pytest.mark.parametrize(
    ("export", "lake"),
    [
        ("s3://bucket/export", "s3://bucket/export2"),
        ("s3://bucket/x", "s3://other/x"),
        ("s3://srv", "/srv"),
        ("/srv/export", "/srv/export2"),
    ],
)
def test_places_beside_each_other_do_not_overlap(export: str, lake: str) -> None:
    settings = Settings.from_environment({"CSQ_EXPORT_URL": export, "CSQ_LAKE_URL": lake})
    assert (settings.export_url, settings.lake_url) == (export, lake)


@pytest.mark.parametrize("name", ["w.duckdb", "other/../w.duckdb", "link.duckdb"])
def test_the_snapshot_is_not_the_file_itself(tmp_path: Path, name: str) -> None:
    path = tmp_path / "w.duckdb"
    path.touch()
    (tmp_path / "other").mkdir()
    (tmp_path / "link.duckdb").symlink_to(path)
    snapshot = tmp_path / name
    assert refusal_of(CSQ_DUCKDB_PATH=str(path), CSQ_DUCKDB_SNAPSHOT_PATH=str(snapshot)) == (
        f"setting CSQ_DUCKDB_SNAPSHOT_PATH: {snapshot} is the DuckDB file itself. "
        "Name another file for the copy."
    )


@pytest.mark.parametrize("variable", ["CSQ_DUCKDB_PATH", "CSQ_DUCKDB_SNAPSHOT_PATH"])
@pytest.mark.parametrize(
    ("value", "scheme"),
    [
        ("md:", "md:"),
        ("md:mine?motherduck_token=secret", "md:"),
        (":memory:", ":"),
        ("s3://bucket/w.duckdb", "s3:"),
        ("postgres:dbname=x password=secret", "postgres:"),
        ("file:///srv/w.duckdb", "file:"),
    ],
)
def test_a_duckdb_path_is_a_file(variable: str, value: str, scheme: str) -> None:
    assert refusal_of(**{variable: value}) == (
        f'setting {variable}: what begins with "{scheme}" is not the path of a file. '
        "Name a file, such as data/warehouse.duckdb."
    )


def test_a_tilde_is_the_home_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "dagster.yaml").write_text("")
    settings = Settings.from_environment(
        {
            "CSQ_EXPORT_URL": "~/export",
            "CSQ_LAKE_URL": "~/lake",
            "CSQ_DUCKDB_PATH": "~/w.duckdb",
            "CSQ_DUCKDB_SNAPSHOT_PATH": "~/copy.duckdb",
        }
    )
    assert (settings.export_url, settings.lake_url) == (f"{tmp_path}/export", f"{tmp_path}/lake")
    assert settings.duckdb_path == tmp_path / "w.duckdb"
    assert settings.snapshot_path == tmp_path / "copy.duckdb"
    assert dagster_home({"DAGSTER_HOME": "~"}) == tmp_path
    assert refusal_of(CSQ_LAKE_URL="~nobody-of-that-name/lake") == (
        "setting CSQ_LAKE_URL: ~nobody-of-that-name/lake names no home directory. "
        "Write the path out."
    )


@pytest.mark.parametrize("url", ["s3://me:secret@bucket/x", "https://me:secret@host/x"])
def test_a_place_shows_no_credentials(url: str) -> None:
    refused = refusal_of(CSQ_EXPORT_URL=url)
    assert "secret" not in refused
    assert "://***@" in refused


@pytest.mark.parametrize(
    ("patterns", "skipped"),
    [
        ("", []),
        ("users", ["users"]),
        ("user*", ["user_migrations", "users"]),
        ("*_click,users", ["sign_up_click", "users"]),
        ("USERS,?sers", ["users"]),
        ("[!u]*", ["sign_up_click", "pageviews"]),
    ],
)
def test_tables_are_skipped_by_name_or_glob(patterns: str, skipped: list[str]) -> None:
    settings = Settings.from_environment({"CSQ_SKIP_TABLES": patterns})
    tables = ["user_migrations", "sign_up_click", "pageviews", "users"]
    assert [table for table in tables if settings.skips(table)] == [
        table for table in tables if table in skipped
    ]


def test_settings_that_are_changed_can_be_checked_again() -> None:
    settings = Settings.from_environment({})
    with pytest.raises(SettingsError, match="overlap"):
        replace(settings, lake_url=settings.export_url).checked()


def test_dagster_home_is_the_variable_or_the_current_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
        (folder / "dagster.yaml").write_text("")
    monkeypatch.chdir(here)
    assert dagster_home({}) == here
    assert dagster_home({"DAGSTER_HOME": str(there)}) == there
    monkeypatch.setenv("DAGSTER_HOME", str(there))
    assert dagster_home() == there


def test_a_home_without_dagster_yaml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as refused:
        dagster_home({"DAGSTER_HOME": str(tmp_path)})
    assert str(refused.value) == (
        f"setting DAGSTER_HOME: there is no dagster.yaml in {tmp_path}. "
        "Create one with csq init, run csq in the folder that has one, or set DAGSTER_HOME to it."
    )


def test_dagster_finds_its_home_where_it_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DAGSTER_HOME", "")
    set_default_dagster_home()
    assert os.environ["DAGSTER_HOME"] == ""

    (tmp_path / "dagster.yaml").write_text("")
    set_default_dagster_home()
    assert os.environ["DAGSTER_HOME"] == str(tmp_path)

    monkeypatch.setenv("DAGSTER_HOME", "/elsewhere")
    set_default_dagster_home()
    assert os.environ["DAGSTER_HOME"] == "/elsewhere"


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("CSQ_ENGINE", "Spark", '"Spark" is no engine. Write duckdb or spark.'),
        ("CSQ_SPARK_SUBMIT", "a 'b", "it is no command."),
        ("CSQ_SPARK_CATALOG", "my-catalog", '"my-catalog" is not the name of a catalog.'),
        ("CSQ_SPARK_BUCKETS", "0", '"0" is not a number from 1 to 99999.'),
    ],
)
def test_settings_of_spark_are_checked(variable: str, value: str, said: str) -> None:
    assert refusal_of(**{variable: value}).startswith(f"setting {variable}: {said}")
