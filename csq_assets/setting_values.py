"""What a setting that is no place may be. Raises SettingsError, naming the variable."""

import re
import shlex
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from pydantic import SecretStr

from csq_assets.errors import SettingsError
from csq_assets.masking import hide, is_secret, masked
from csq_assets.places import wrong

_NEEDED_IDS = ("user_id", "event_id", "from_user_id", "to_user_id")
_SHORTEST_KEY = 16
_KEY = re.compile(r"key(?![a-z])", re.IGNORECASE)  # no keytab, which is a file


def manifest_prefix(value: str) -> str:
    """A folder, with a slash at its end."""
    prefix = value.strip("/")
    if not prefix or "://" in value or ".." in prefix.split("/"):
        raise wrong(
            "CSQ_MANIFEST_PREFIX",
            f'"{value}" is not a folder under CSQ_EXPORT_URL',
            "Give a folder such as manifests/.",
        )
    return f"{prefix}/"


def memory_limit(value: str) -> str:
    """An amount, as DuckDB reads it."""
    pattern = r"(?=.*[1-9])\d+(\.\d+)? ?[KMGT]i?B"
    wanted = "not an amount of memory", "Write for example 2GB or 512MB."
    return _matching(pattern, value, "CSQ_DUCKDB_MEMORY_LIMIT", *wanted)


def publish_format(value: str) -> str:
    """The format of published tables."""
    wanted = "no format", "Write iceberg or parquet."
    return _matching("iceberg|parquet", value, "CSQ_PUBLISH_FORMAT", *wanted)


def engine(value: str) -> str:
    """What keeps the current tables."""
    return _matching("duckdb|spark", value, "CSQ_ENGINE", "no engine", "Write duckdb or spark.")


def refuse_with_spark(**given: object) -> None:
    """Settings of what only DuckDB does."""
    for variable, value in given.items():
        if value:
            raise wrong(
                variable,
                "CSQ_ENGINE is spark, and this needs the tables in a DuckDB file",
                f"Unset {variable}, or CSQ_ENGINE.",
            )


def spark_submit(value: str) -> str:
    """A command, as a shell reads it. Keys and passwords that its options give are never shown."""
    try:
        words = shlex.split(value)
    except ValueError:
        words = []
    if not words:
        raise wrong(
            "CSQ_SPARK_SUBMIT",
            "it is no command",
            "Write for example spark-submit --master spark://host:7077.",
        )
    hide(*_secrets_in(words))
    return value


def _secrets_in(words: Sequence[str]) -> Iterator[str]:
    """What stands behind the name of a key or a password, as in --conf, and in options of Java."""
    for piece in (*words, *" ".join(words).split()):
        name, _, value = piece.removeprefix("--conf=").partition("=")
        if (is_secret(name) or _KEY.search(name)) and value.lower() not in ("true", "false"):
            yield value


def spark_catalog(value: str) -> str:
    """An identifier."""
    wanted = "not the name of a catalog", "Write a word in lower case, as in spark.sql.catalog.csq."
    return _matching(r"[a-z]\w*", value, "CSQ_SPARK_CATALOG", *wanted)


def spark_buckets(value: str) -> int:
    """A number of buckets."""
    wanted = "not a number from 1 to 99999", "Write for example 16."
    return int(_matching("[1-9][0-9]{0,4}", value, "CSQ_SPARK_BUCKETS", *wanted))


def dropped_columns(value: str | Sequence[str]) -> tuple[str, ...]:
    """Globs over `table.column`; none is the name of an id that tables need."""
    found = _columns("CSQ_DROP_COLUMNS", value)
    for pattern in found:
        table, _, column = pattern.rpartition(".")
        if column in _NEEDED_IDS or (column == "session_id" and fnmatchcase("sessions", table)):
            raise _is_needed("CSQ_DROP_COLUMNS", pattern)
    return found


def hashed_columns(value: str | Sequence[str]) -> tuple[str, ...]:
    """The same; no id can be hashed, as ids are numbers."""
    found = _columns("CSQ_HASH_COLUMNS", value)
    for pattern in found:
        if pattern.rpartition(".")[2] in (*_NEEDED_IDS, "session_id"):
            raise _is_needed("CSQ_HASH_COLUMNS", pattern)
    return found


def hash_key(value: str) -> SecretStr | None:
    """A secret, which is never shown, or nothing."""
    if value and len(value) < _SHORTEST_KEY:
        raise wrong(
            "CSQ_HASH_KEY",
            "it is short enough to be guessed",
            "Make one with openssl rand -hex 32, and keep it: with another key, hashes differ.",
        )
    hide(value)
    return SecretStr(value) if value else None


def _columns(variable: str, value: str | Sequence[str]) -> tuple[str, ...]:
    found = tuple(pattern.lower() for pattern in listed(value))
    for pattern in found:
        table, _, column = pattern.rpartition(".")
        if not table or not column:
            raise wrong(
                variable, f'"{pattern}" is not table.column', "Write for example users.email."
            )
    return found


def _is_needed(variable: str, pattern: str) -> SettingsError:
    return wrong(
        variable,
        f'"{pattern}" names an id, by which rows are told apart and users are resolved',
        "Leave it out. To take a person out, use csq forget.",
    )


def owners(value: str | Sequence[str]) -> tuple[str, ...]:
    """E-mail addresses or teams."""
    found = listed(value)
    for owner in found:
        if not re.fullmatch(r"team:[\w-]+|[^@\s]+@[^@\s]+\.[^@\s]+", owner):
            raise wrong(
                "CSQ_OWNERS",
                f'"{owner}" is neither an e-mail address nor team:name',
                "Write for example team:data,ana@example.com.",
            )
    return found


def request_payer(value: str) -> str | None:
    """`requester`, or nothing."""
    wanted = "not a payer", "Write requester."
    return _matching("(requester)?", value, "CSQ_REQUEST_PAYER", *wanted) or None


def key_prefix(value: str) -> str:
    """Identifiers, with slashes between them."""
    remedy = "Write letters, digits and underscores, with slashes between the parts."
    wanted = "not the beginning of an asset key", remedy
    return _matching(r"\w+(/\w+)*", value, "CSQ_KEY_PREFIX", *wanted)


def group_prefix(value: str) -> str:
    """An identifier, or the beginning of one, or nothing."""
    wanted = "not the beginning of a group's name", "Write letters, digits and underscores."
    return _matching(r"\w*", value, "CSQ_GROUP_PREFIX", *wanted)


def addresses(value: str | Sequence[str]) -> tuple[SecretStr, ...]:
    """Addresses of services, with commas or blanks between them; a comma may stand within one too.
    They hold secrets, and are never shown."""
    text = value if isinstance(value, str) else " ".join(value)
    found = re.split(r"[\s,]+(?=[\w+-]*://)", text) if text else []
    for place, address in enumerate(found, 1):
        if not re.match(r"[A-Za-z][\w+-]*://[^\s/]", address):
            raise wrong(
                "CSQ_ALERTS",
                f"address {place} does not begin with a service",
                "Write for example jsons://host/path, slack://A/B/C or "
                "mailtos://user:password@host?to=ana@example.com.",
            )
    return tuple(map(SecretStr, found))


def shown(value: object) -> str:
    """The value for people: of a secret nothing, or what its address begins with."""
    if isinstance(value, SecretStr):
        return f"{scheme_of(value)}://***" if "://" in value.get_secret_value() else "***"
    if isinstance(value, tuple):
        return ", ".join(map(shown, value)) or "none"
    return "none" if value in (None, "") else masked(str(value))


def scheme_of(address: SecretStr) -> str:
    """What an address begins with, which is no secret."""
    return address.get_secret_value().partition("://")[0].lower()


def alert_severity(value: str) -> str:
    """The lowest severity of checks that is told."""
    wanted = "not a severity", "Write ERROR or WARN."
    return _matching("ERROR|WARN", value, "CSQ_ALERT_SEVERITY", *wanted)


def ui_url(value: str) -> str | None:
    """The address of a web page, without a slash at its end, or nothing."""
    if value and (not re.match(r"https?://[^\s/]", value) or "@" in value):
        raise wrong(
            "CSQ_UI_URL",
            "it is not the address of a web page, or names a user",
            "Write for example https://dagster.example.com.",
        )
    return value.rstrip("/") or None


def listed(value: str | Sequence[str]) -> tuple[str, ...]:
    """What commas separate, or a list as it is."""
    items = value.split(",") if isinstance(value, str) else value
    return tuple(item.strip() for item in items if item.strip())


def _matching(pattern: str, value: str, variable: str, problem: str, remedy: str) -> str:
    if not re.fullmatch(pattern, value, re.ASCII):
        raise wrong(variable, f'"{value}" is {problem}', remedy)
    return value
