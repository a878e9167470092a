"""Rows of made-up tables, each from its number and a seed alone: any part of a table can be made.

What is popular follows Zipf's law: of N pages, the one in place k is seen about 1/k as often as the
first. Rows of one visit share what belongs to the visit, and visits of one user what belongs to the
user. Who the users are does not depend on the seed, so that dumps tell of the same people.
"""

import math
from collections.abc import Mapping, Sequence
from functools import cache

import polars as pl

WIDE_COLUMNS = 1_000
_USERS, _PAGES, _CITIES, _CAMPAIGNS = 1_000_000, 20_000, 4_000, 200
_ROWS_OF_VISIT, _VISITS_AT_A_TIME = 6, 1_000  # so rows of one visit lie apart
_MILLISECONDS_OF_ROW = 25
_START = 1_772_323_200_000  # 2026-03-01, in milliseconds
_DAY = 86_400_000

_SITE = "https://shop.example.com"
_COUNTRIES = ("United States", "France", "Germany", "United Kingdom", "Japan", "Brazil", "Spain")
_PLATFORMS = ("Windows 10", "iOS 18.3", "Android 15", "Mac OS X 10.15.7", "Linux", "Chrome OS")
_BROWSERS = ("Chrome 124.0.0", "Mobile Safari 18.3", "Edge 124.0.0", "Firefox 137", "Safari 18.3")
_DEVICES = ("Desktop", "Mobile", "Tablet")
_REFERRERS = ("https://www.google.com/", "https://www.bing.com/", "https://news.example.org/mail")
_SOURCES = ("google", "newsletter", "facebook", "affiliate-network")
_PLANS = ("free", "pro", "team")
_WORDS = ("anvil", "skates", "seed", "paint", "spring", "magnet", "tunnel", "rope", "rocket")

_ROW_BYTES = {"pageviews": 320, "sessions": 220, "users": 65, "user_migrations": 33, "wide": 1_120}

Columns = Mapping[str, pl.Expr]


def made_rows(table: str, start: int, stop: int, seed: int) -> pl.DataFrame:
    """Rows `start` up to `stop` of a table.

    `users`, `sessions`, `pageviews`, `user_migrations` and `wide` have columns of their own; a table
    of any other name is one of events. Ids are Int64, all else is text, as in an export.
    """
    make = {
        "users": _users,
        "sessions": _sessions,
        "pageviews": _pageviews,
        "user_migrations": _user_migrations,
        "wide": _wide,
    }.get(table, _events)
    rows = pl.select(row=pl.int_range(start, stop, dtype=pl.UInt64))
    return rows.select(**make(seed))


@cache
def column_names(table: str) -> tuple[str, ...]:
    """In order."""
    return tuple(made_rows(table, 0, 0, seed=0).columns)


def row_bytes(table: str) -> int:
    """About how large a row is in Avro, before compression."""
    return _ROW_BYTES.get(table, 120)


def _pageviews(seed: int) -> Columns:
    page = _zipf(_ROW, _PAGES, seed + 1)
    is_first = _ROW // _VISITS_AT_A_TIME % _ROWS_OF_VISIT == 0
    previous = _zipf(_ROW - _VISITS_AT_A_TIME, _PAGES, seed + 1)  # wraps where there is none
    token = _scatter(_ROW, seed + 4)
    return {
        **_ids_and_time(_visit_of(_ROW), seed),
        "type": pl.lit("pageview"),
        **_visit(_visit_of(_ROW), seed),
        "domain": pl.lit("shop.example.com"),
        "path": _path(page),
        "query": _seldom(0.2, pl.format("?variant={}&ref={}", token % 400, token), seed + 2),
        "hash": _seldom(0.03, pl.lit("#reviews"), seed + 5),
        "title": pl.format("{} {} {} | Example Shop", _pick(_WORDS, page), _word(page), page),
        "previous_page": pl.when(~is_first).then(_path(previous)),
    }


def _sessions(seed: int) -> Columns:
    return {
        **_ids_and_time(_ROW, seed),
        "type": pl.lit("session"),
        **_visit(_ROW, seed),
    }


def _events(seed: int) -> Columns:
    page = _zipf(_ROW, _PAGES, seed + 1)
    visit = _visit_of(_ROW)
    user = _user_of_visit(visit, seed)
    return {
        **_ids_and_time(visit, seed),
        "type": pl.lit("click"),
        "library": pl.lit("web"),
        "platform": _pick(_PLATFORMS, user),
        "country": _pick(_COUNTRIES, user),
        "path": _path(page),
        "href": _seldom(0.2, _path(page + 1), seed + 2),
        "target_text": _pick(_WORDS, page),
    }


def _users(seed: int) -> Columns:
    known = _scatter(_ROW, seed + 6) % 4 == 0
    joined = (_START - _DAY) * 1_000 + _scatter(_ROW, 7) % (_DAY * 1_000)
    name = pl.format("{}.{}", _word(_ROW), _ROW)
    return {
        "user_id": _user_id(_ROW),
        "identity": pl.when(known).then(name),
        "handle": pl.when(known).then(_word(_ROW)),
        "email": pl.when(known).then(pl.format("{}@example.com", name)),
        "joindate": joined.cast(pl.String),
        "last_modified": (joined + seed * 1_000).cast(pl.String),
        "plan": _pick(_PLANS, _ROW),
    }


def _user_migrations(seed: int) -> Columns:
    """Each second user became the one before: no chains, no cycles."""
    return {
        "from_user_id": _user_id(_ROW * 2 + 1),
        "to_user_id": _user_id(_ROW * 2),
        "time": (_START + _ROW + seed).cast(pl.String),
    }


def _wide(seed: int) -> Columns:
    """An id, and columns of which one in a hundred has a text."""
    filled = _scatter(_ROW, seed + 8) % 100
    text = pl.format("value {}", _ROW)
    properties = {
        f"property_{number}": pl.when(filled == number % 100).then(text)
        for number in range(1, WIDE_COLUMNS)
    }
    return {"event_id": _id(_ROW, seed), **properties}


def _ids_and_time(visit: pl.Expr, seed: int) -> Columns:
    milliseconds = _START + seed % 3_650 * _DAY + _ROW * _MILLISECONDS_OF_ROW
    return {
        "event_id": _id(_ROW, seed),
        "user_id": _user_id(_user_of_visit(visit, seed)),
        "session_id": _id(visit, seed + 9),
        "time": milliseconds.cast(pl.Datetime("ms")).dt.strftime("%Y-%m-%d %H:%M:%S%.3f"),
    }


def _visit(visit: pl.Expr, seed: int) -> Columns:
    """What a visit and its user are known for."""
    user = _user_of_visit(visit, seed)
    city = _zipf(user, _CITIES, 10)
    campaign = _zipf(visit, _CAMPAIGNS, seed + 11)
    source = _scatter(visit, seed + 12) % 10
    referred = source < 6
    advertised = source < 2
    address = _scatter(user, 13)
    return {
        "library": pl.lit("web"),
        "platform": _pick(_PLATFORMS, user),
        "device_type": _pick(_DEVICES, user),
        "country": _pick(_COUNTRIES, city),
        "region": pl.format("Region {}", city % 90),
        "city": pl.format("{}ville {}", _pick(_WORDS, city), city),
        "ip": pl.format(
            "203.{}.{}.{}", address % 256, address // 256 % 256, address // 65_536 % 256
        ),
        "referrer": pl.when(referred).then(_pick(_REFERRERS, source)),
        "landing_page": _SITE + _path(_zipf(visit, _PAGES, seed + 14)),
        "browser": _pick(_BROWSERS, user),
        "search_keyword": pl.when(source == 5).then(_word(visit)),
        "utm_source": pl.when(advertised).then(_pick(_SOURCES, campaign)),
        "utm_campaign": pl.when(advertised).then(pl.format("campaign-{}", campaign)),
    }


def _visit_of(row: pl.Expr) -> pl.Expr:
    together = _ROWS_OF_VISIT * _VISITS_AT_A_TIME
    return row // together * _VISITS_AT_A_TIME + row % _VISITS_AT_A_TIME


def _user_of_visit(visit: pl.Expr, seed: int) -> pl.Expr:
    return _zipf(visit, _USERS, seed + 15)


def _user_id(user: pl.Expr) -> pl.Expr:
    return (_scatter(user, 16) // 2**11).cast(pl.Int64)


def _id(number: pl.Expr, seed: int) -> pl.Expr:
    return (_scatter(number, seed) // 2).cast(pl.Int64)


def _path(page: pl.Expr) -> pl.Expr:
    return pl.format("/p/{}/{}-{}", _pick(_WORDS, page), _word(page), page)


def _word(number: pl.Expr) -> pl.Expr:
    return _pick(_WORDS, _scatter(number, 17))


def _pick(texts: Sequence[str], number: pl.Expr) -> pl.Expr:
    return pl.lit(pl.Series(texts)).gather(number % len(texts))


def _seldom(share: float, text: pl.Expr, seed: int) -> pl.Expr:
    """The text in this share of the rows, else null."""
    return pl.when(_scatter(_ROW, seed) < int(share * 2**64)).then(text)


def _zipf(number: pl.Expr, places: int, seed: int) -> pl.Expr:
    """A place from 0 up to `places`, the first ones most often."""
    even = _scatter(number, seed).cast(pl.Float64) / 2**64
    return ((even * math.log(places)).exp() - 1).floor().cast(pl.UInt64)


def _scatter(number: pl.Expr, seed: int) -> pl.Expr:
    """A number of 64 bits that looks drawn at random."""
    return number.hash(seed)


_ROW = pl.col("row").cast(pl.UInt64)
