"""Ask the warehouse: python docs/examples/ask.py QUERY.sql [WAREHOUSE.duckdb]."""

import sys
from pathlib import Path

import duckdb

query = Path(sys.argv[1]).read_text()
warehouse = sys.argv[2] if len(sys.argv) > 2 else "data/warehouse.duckdb"
with duckdb.connect(warehouse, read_only=True) as connection:
    print(f"\n{query}")
    connection.sql(query).show()
