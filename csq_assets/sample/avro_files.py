"""The sample's tables: their columns with Avro types, and rows as the bytes of a file."""

import hashlib
import io
from collections.abc import Sequence
from typing import Any

import fastavro

# A question mark stands for a column that holds nulls.
_EVENT = {"event_id": "long", "user_id": "long", "session_id": "long", "time": "string"}
_BROWSER = {
    "library": "string",
    "platform": "string",
    "device_type": "string",
    "browser": "string",
    "country": "string",
    "utm_source": "string?",
}
_COLUMNS: dict[str, dict[str, str]] = {
    "users": {
        "user_id": "long",
        "identity": "string?",
        "handle": "string?",
        "email": "string?",
        "joindate": "long",
        "last_modified": "long",
        "company": "string?",
        "role": "string?",
    },
    "sessions": {
        **_EVENT,
        **_BROWSER,
        "city": "string?",
        "ip": "string",
        "referrer": "string?",
        "landing_page": "string",
        "utm_campaign": "string?",
        "utm_medium": "string?",
    },
    "pageviews": {
        **_EVENT,
        **_BROWSER,
        "domain": "string",
        "path": "string",
        "query": "string",
        "title": "string",
        "previous_page": "string?",
    },
    "sign_up_click_link": {
        **_EVENT,
        **_BROWSER,
        "href": "string",
        "target_text": "string",
        "path": "string",
    },
    "add_to_cart": {
        **_EVENT,
        **_BROWSER,
        "target_text": "string",
        "product": "string",
        "category": "string",
        "price": "double",
        "quantity": "long",
    },
    "_key_events__order_": {
        **_EVENT,
        **_BROWSER,
        "order_number": "string",
        "items": "long",
        "revenue": "double",
        "currency": "string",
        "coupon": "string?",
        "is_gift": "boolean",
    },
    "user_migrations": {"from_user_id": "long", "to_user_id": "long", "time": "string"},
}
_PLAN_SINCE = 2  # the place of the dump that adds users.plan

TABLES = tuple(_COLUMNS)


def columns_of(table: str, dump: int) -> dict[str, str]:
    """The table's columns in the dump with that place in the order, from 0."""
    added = {"plan": "string?"} if table == "users" and dump >= _PLAN_SINCE else {}
    return _COLUMNS[table] | added


def encode_rows(
    table: str, columns: dict[str, str], rows: Sequence[dict[str, Any]], *, form: int
) -> bytes:
    """The bytes of a file. `form` turns the way in which types are spelled: real files mix them."""
    fields = [{"name": name, "type": _spell(kind, form)} for name, kind in columns.items()]
    schema = {"type": "record", "name": table, "fields": fields}
    # fastavro's own marker is random, and the same sample must give the same bytes.
    marker = hashlib.md5(f"{table} {form}".encode(), usedforsecurity=False).digest()
    body = io.BytesIO()
    fastavro.writer(body, schema, rows, codec="snappy", sync_marker=marker)
    return body.getvalue()


def _spell(kind: str, form: int) -> str | list[str]:
    """Plain, null first or null last; a column that holds nulls is never plain."""
    plain = kind.rstrip("?")
    spellings = ["null", plain], [plain, "null"], plain
    return spellings[form % (2 if kind.endswith("?") else 3)]
