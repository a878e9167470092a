"""DuckDB alone takes rows from Parquet that is there, and stores them: ROWS OUT.

ROWS is a folder of Parquet files, OUT the DuckDB file.
"""

import sys

import duckdb

rows, out = sys.argv[1:]
with duckdb.connect(out) as connection:
    connection.execute("CREATE TABLE pageviews AS FROM read_parquet(?)", [f"{rows}/*.parquet"])
