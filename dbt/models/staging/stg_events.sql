{{ delivered("all_events", [
    ("user_id", dbt.type_bigint()),
    ("event_id", dbt.type_bigint()),
    ("session_id", dbt.type_bigint()),
    ("time", dbt.type_timestamp()),
    ("event_table_name", dbt.type_string()),
]) }}
