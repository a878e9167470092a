"""The S3 client: dagster-aws makes it, with the AWS SDK's own credentials, region and endpoint."""

from typing import Any


def s3_client() -> Any:
    """A client of boto3. Imported when it is needed: the SDK takes a second."""
    from dagster_aws.s3 import S3Resource  # noqa: PLC0415

    return S3Resource().get_client()
