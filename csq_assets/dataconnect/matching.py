"""Which column of a file serves which column of its table."""

from collections.abc import Mapping
from functools import lru_cache


@lru_cache(maxsize=64)  # the files of a table mostly have the same columns
def match_columns(listed: tuple[str, ...], in_file: tuple[str, ...]) -> Mapping[str, str]:
    """The file's column for each column that it brings to the table.

    Names that the manifest lists come first. One that the file lacks is served by the only column
    that differs from it in case alone, unless the manifest lists that one too. What serves none is a
    column of its own.
    Source: contract.md, section 4.
    """
    by_case: dict[str, list[str]] = {}
    for column in in_file:
        by_case.setdefault(column.lower(), []).append(column)
    matched: dict[str, str] = {}
    own = set(listed)
    for column in listed:
        alike = by_case.get(column.lower(), [])
        if column in alike:
            matched[column] = column
        elif len(alike) == 1 and alike[0] not in own:
            matched[column] = alike[0]
    used = set(matched.values())
    return matched | {column: column for column in in_file if column not in used}
