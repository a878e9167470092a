"""dagster-aws's S3Resource with more connections. Importing it takes a second, most of it Dagster."""

from typing import Any

from boto3 import Session
from botocore import UNSIGNED
from botocore.config import Config
from dagster_aws.s3 import S3Resource
from dagster_aws.utils import construct_boto_client_retry_config
from pydantic import Field


class PooledS3Resource(S3Resource):
    """S3Resource has no field for the connections that are kept: the SDK's default is 10. A dump of
    many small files is read by as many threads as there are connections."""

    max_pool_connections: int = Field(default=32, description="Connections that are kept open.")

    def get_client(self) -> Any:
        config = construct_boto_client_retry_config(self.max_attempts).merge(
            Config(
                max_pool_connections=self.max_pool_connections,
                signature_version=UNSIGNED if self.use_unsigned_session else None,
            )
        )
        return Session(profile_name=self.profile_name).client(
            "s3",
            region_name=self.region_name,
            use_ssl=self.use_ssl,
            verify=self.verify,
            endpoint_url=self.endpoint_url,
            aws_access_key_id=self.aws_access_key_id,
            aws_secret_access_key=self.aws_secret_access_key,
            aws_session_token=self.aws_session_token,
            config=config,
        )
