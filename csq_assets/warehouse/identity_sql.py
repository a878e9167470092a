"""The defining SELECTs of the identity map, up to the point where pairs are followed."""


def _strict(text: str) -> str:
    """The 64-bit integer that the text spells, else null. The cast alone would take blanks."""
    return f"CASE WHEN NOT regexp_matches({text}, '[^0-9-]') THEN TRY_CAST({text} AS BIGINT) END"


# `delivered`: ordinal (manifest order), from_text, to_text.
CAST_PAIRS = f"""
SELECT
    ordinal AS place, from_text, to_text,
    {_strict("from_text")} AS from_user_id, {_strict("to_text")} AS to_user_id
FROM delivered
"""

# `pairs`: what CAST_PAIRS gives. Pairs onto themselves are ignored, the last of several counts.
PAIRS_IN_FORCE = """
SELECT
    from_user_id,
    max_by(to_user_id, place) AS to_user_id,
    min(to_user_id) <> max(to_user_id) AS contested
FROM pairs
WHERE from_user_id <> to_user_id
GROUP BY from_user_id
"""

# `hops`: what PAIRS_IN_FORCE gives. Only the pairs that lead on have to be followed, with what they
# lead to; most targets are an end already.
PAIRS_TO_FOLLOW = """
SELECT from_user_id, to_user_id
FROM hops
WHERE to_user_id IN (SELECT from_user_id FROM hops)
    OR from_user_id IN (SELECT to_user_id FROM hops)
"""

# `followed`: from_user_id, user_id, as `close_pairs` gives them, also of ids that stay as they are.
RESOLVED_IDS = """
SELECT hops.from_user_id, coalesce(followed.user_id, hops.to_user_id) AS user_id
FROM hops
LEFT JOIN followed ON followed.from_user_id = hops.from_user_id
WHERE coalesce(followed.user_id, hops.to_user_id) <> hops.from_user_id
"""
