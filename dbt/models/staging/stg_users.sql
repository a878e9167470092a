{{ delivered("users", [
    ("user_id", dbt.type_bigint()),
    ("identity", dbt.type_string()),
    ("handle", dbt.type_string()),
    ("email", dbt.type_string()),
    ("joindate", dbt.type_timestamp()),
    ("last_modified", dbt.type_timestamp()),
], others=true) }}
