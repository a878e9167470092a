"""Publication: current tables as Iceberg or Parquet, for engines that cannot read the DuckDB file."""
