"""What the columns of tables mean, as far as Contentsquare documents them, and what our own say.

Source: export-format.md, "The tables", "Custom event tables"; contract.md, "Raw tables".
"""

from collections.abc import Mapping
from enum import Enum

from csq_assets.dataconnect.tables import (
    BUILT_IN_TABLES,
    DUMP_ID,
    RAW_USER_ID,
    SOURCE_FILE,
    SOURCE_ROW,
    USER_MIGRATIONS,
    USERS,
)

_OURS = {
    DUMP_ID: "The dump that delivered the row; of a merged user, the newest one.",
    SOURCE_FILE: "The Avro file that holds the row, as the manifest names it.",
    SOURCE_ROW: "The number of the row in its file, from 0.",
    RAW_USER_ID: "The user_id as delivered, before it was resolved.",
}
_USERS = {
    "user_id": "The tracker's id; after identify, a hash of the identity.",
    "identity": "The token given to identify, unique for each user.",
    "handle": "The name of the user.",
    "email": "The e-mail address of the user.",
    "joindate": "When the user was first seen.",
    "last_modified": "When the user was last changed.",
}
_USER_MIGRATIONS = {
    "from_user_id": "The id that was given up.",
    "to_user_id": "The id that took over.",
    "time": "When the users were merged; 0 occurs, so it orders nothing.",
}
_SESSION = {
    "event_id": "The id of the event.",
    "user_id": "The user.",
    "session_id": "The session in which it happened.",
    "time": "When it happened.",
    "session_time": "Has no reliable meaning: sources disagree.",
    "type": "The kind of event.",
    "library": "The tracker: web, ios or android.",
    "platform": "The operating system.",
    "device_type": "Desktop, mobile or tablet.",
    "device": "The model of the device.",
    "carrier": "The mobile carrier.",
    "country": "The country, from the IP address.",
    "region": "The region, from the IP address.",
    "city": "The city, from the IP address.",
    "ip": "The IP address.",
    "browser": "The browser and its version.",
    "user_agent": "The browser's user agent.",
    "referrer": "The page that led to the session.",
    "landing_page": "The first page of the session.",
    "landing_page_query": "The query of the first page's URL.",
    "landing_page_hash": "The fragment of the first page's URL.",
    "search_keyword": "The keyword of the search that led to the session.",
    "utm_source": "The campaign's source.",
    "utm_medium": "The campaign's medium.",
    "utm_campaign": "The campaign's name.",
    "utm_term": "The campaign's term.",
    "utm_content": "The campaign's content.",
    "app_name": "The name of the app.",
    "app_version": "The version of the app.",
    "domain": "The domain of the page.",
    "path": "The path of the page.",
    "query": "The query of the page's URL.",
    "hash": "The fragment of the page's URL.",
    "title": "The title of the page.",
    "previous_page": "The page before.",
    "heap_previous_page": "The page before.",
    "view_controller": "The screen of an iOS app.",
    "href": "Where the link leads.",
    "target_text": "The text of the element.",
}
_BY_TABLE: Mapping[str, Mapping[str, str]] = {
    **dict.fromkeys(BUILT_IN_TABLES, _SESSION),
    USERS: _USERS,
    USER_MIGRATIONS: _USER_MIGRATIONS,
}


class InstantMeaning(Enum):
    """What the documentation says of a column that may hold instants."""

    DOCUMENTED = "an instant"
    DISPUTED = "an instant, or the seconds since one"


_INSTANTS: Mapping[str, InstantMeaning] = {
    "time": InstantMeaning.DOCUMENTED,
    "session_time": InstantMeaning.DISPUTED,
}
_INSTANTS_BY_TABLE: Mapping[str, Mapping[str, InstantMeaning]] = {
    USERS: dict.fromkeys(("joindate", "last_modified"), InstantMeaning.DOCUMENTED),
}


def instant_meaning(table: str, column: str) -> InstantMeaning | None:
    """Whether the column holds instants; None where nobody documents that it does.

    Source: export-format.md, "Time values", "Built-in tables".
    """
    return _INSTANTS_BY_TABLE.get(table, _INSTANTS).get(column)


def meaning_of(table: str, column: str) -> str | None:
    """What the column says, in a sentence; None where nobody documents it."""
    return _OURS.get(column) or _BY_TABLE.get(table, _SESSION).get(column)
