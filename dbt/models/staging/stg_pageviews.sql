{{ delivered("pageviews", [
    ("user_id", dbt.type_bigint()),
    ("event_id", dbt.type_bigint()),
    ("session_id", dbt.type_bigint()),
    ("time", dbt.type_timestamp()),
    ("domain", dbt.type_string()),
    ("path", dbt.type_string()),
    ("title", dbt.type_string()),
]) }}
