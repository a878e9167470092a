"""The DuckDB file that analysts query."""
