"""Current tables on Spark and Iceberg: what Dagster asks of a job, and the job."""
