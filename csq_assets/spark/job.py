"""The job: what a cluster executes, with the request and for the answer of Dagster Pipes.

`spark-submit job.py`, where csq_assets can be imported.
"""

from typing import Any

from csq_assets.errors import CsqError
from csq_assets.spark.dialect import hadoop_path, pyspark
from csq_assets.spark.events_job import refresh_events
from csq_assets.spark.identity_job import IdentityTable
from csq_assets.spark.maintenance_job import maintain
from csq_assets.spark.messages import (
    ANSWERS,
    ERROR,
    REQUESTS,
    Answer,
    AuditTable,
    Maintain,
    Place,
    RefreshEvents,
    RefreshIdentity,
    RefreshTable,
    Request,
)
from csq_assets.spark.table_job import CurrentTable


def execute(spark: Any, request: Request) -> Answer:
    """Do the work in this session. Raises StorageError; then nothing that people see has changed."""
    place, work = request.place, request.work
    if isinstance(work, RefreshIdentity):
        return IdentityTable(spark, place).refresh(work)
    if isinstance(work, RefreshTable):
        return CurrentTable(spark, place, work.table).refresh(work)
    if isinstance(work, AuditTable):
        return CurrentTable(spark, place, work.table).audit(work)
    if isinstance(work, RefreshEvents):
        return refresh_events(spark, place, work)
    assert isinstance(work, Maintain)  # noqa: S101  # the last one there is
    return maintain(spark, place, work)


def open_session(place: Place) -> Any:
    """The cluster's session. A catalog that its settings do not name is a folder of the lake."""
    SparkSession = pyspark("sql").SparkSession  # noqa: N806  # a class
    builder = SparkSession.builder.appName("csq_assets").config("spark.sql.caseSensitive", "true")
    builder = builder.config("spark.sql.session.timeZone", "UTC").config(
        "spark.sql.extensions",
        "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
    )
    spark = builder.getOrCreate()
    name = f"spark.sql.catalog.{place.catalog}"
    if spark.conf.get(name, None) is None:
        spark.conf.set(name, "org.apache.iceberg.spark.SparkCatalog")
        spark.conf.set(f"{name}.type", "hadoop")
        spark.conf.set(f"{name}.warehouse", hadoop_path(spark, place.folder))
    return spark


def _pipes() -> Any:
    """How this process was given its request: by its launcher itself, or by way of a bucket."""
    import dagster_pipes as pipes  # noqa: PLC0415  # of the cluster

    if "bucket" not in pipes.PipesEnvVarParamsLoader().load_messages_params():
        return pipes.open_dagster_pipes()
    import boto3  # noqa: PLC0415  # of EMR

    client = boto3.client("s3")
    return pipes.open_dagster_pipes(
        context_loader=pipes.PipesS3ContextLoader(client),
        message_writer=pipes.PipesS3MessageWriter(client),
    )


def main() -> None:
    """Answer the one request that Dagster gave this process."""
    with _pipes() as pipes:
        request = REQUESTS.validate_python(pipes.get_extra("request"))
        try:
            answer = execute(open_session(request.place), request)
        except CsqError as error:
            told = {"message": error.message, "where": error.where, "remedy": error.remedy}
            pipes.report_custom_message({ERROR: told})
            return
        pipes.report_custom_message(ANSWERS.dump_python(answer, mode="json"))


if __name__ == "__main__":
    main()
