"""The sample's tables: their columns with Avro types, and rows as the bytes of a file."""

import hashlib
import io
from collections.abc import Sequence
from typing import Any

import fastavro

# A column is a string unless another type follows its name; a question mark says that it holds nulls.
_EVENT = "event_id:long user_id:long session_id:long time"
_BROWSER = f"{_EVENT} library platform device_type browser country utm_source?"
_COLUMNS = {
    "users": "user_id:long identity? handle? email? joindate:long last_modified:long company? role?",
    "sessions": f"{_BROWSER} city? ip referrer? landing_page utm_campaign? utm_medium?",
    "pageviews": f"{_BROWSER} domain path query title previous_page?",
    "sign_up_click_link": f"{_BROWSER} href target_text path",
    "add_to_cart": f"{_BROWSER} target_text product category price:double quantity:long",
    "_key_events__order_": (
        f"{_BROWSER} order_number items:long revenue:double currency coupon? is_gift:boolean"
    ),
    "user_migrations": "from_user_id:long to_user_id:long time",
}
_PLAN_SINCE = 2  # the place of the dump that adds users.plan

TABLES = tuple(_COLUMNS)


def fields_of(table: str, dump: int, form: int = 0) -> list[dict[str, Any]]:
    """The fields of the table's Avro schema in the dump with that place in the order, from 0.

    `form` turns the way in which types are spelled, as real files mix them: null first, null last, or
    plain where the column holds no nulls.
    """
    columns = _COLUMNS[table].split()
    if table == "users" and dump >= _PLAN_SINCE:
        columns.append("plan?")
    fields: list[dict[str, Any]] = []
    for column in columns:
        name, _, kind = column.partition(":")
        kind = kind or "string"
        spellings = ["null", kind], [kind, "null"], kind
        spelling = spellings[form % (2 if name.endswith("?") else 3)]
        fields.append({"name": name.removesuffix("?"), "type": spelling})
    return fields


def encode_rows(table: str, dump: int, rows: Sequence[dict[str, Any]], *, form: int) -> bytes:
    """The bytes of a file; the same sample gives the same bytes."""
    schema = {"type": "record", "name": table, "fields": fields_of(table, dump, form)}
    # fastavro's own marker is random.
    marker = hashlib.md5(f"{table} {form}".encode(), usedforsecurity=False).digest()
    body = io.BytesIO()
    fastavro.writer(body, schema, rows, codec="snappy", sync_marker=marker)
    return body.getvalue()
