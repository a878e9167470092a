"""The S3 client: dagster-aws's retries, the AWS SDK's own credentials, region and endpoint."""

from typing import Any

from csq_assets.errors import SettingsError

_ATTEMPTS = 5
_CONNECTIONS = 32  # what hides the time that an answer of S3 takes to come


def s3_client() -> Any:
    """A client of boto3. Imported when it is needed: the SDK takes a second.

    Raises SettingsError where the SDK's own variables are wrong in themselves.
    """
    from boto3 import Session  # noqa: PLC0415
    from botocore import exceptions  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415
    from dagster_aws.utils import construct_boto_client_retry_config  # noqa: PLC0415

    retries = construct_boto_client_retry_config(_ATTEMPTS)
    try:
        return Session().client(
            "s3", config=retries.merge(Config(max_pool_connections=_CONNECTIONS))
        )
    except exceptions.ProfileNotFound as error:
        raise _wrong("AWS_PROFILE", error, "Correct it, or run aws configure.") from error
    except exceptions.PartialCredentialsError as error:
        remedy = "Set both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or neither."
        raise _wrong("AWS_ACCESS_KEY_ID", error, remedy) from error
    except exceptions.InvalidRegionError as error:
        raise _wrong("AWS_DEFAULT_REGION", error, "Give one such as us-east-1.") from error
    except ValueError as error:
        remedy = "Give an address such as https://s3.example.com."
        raise _wrong("AWS_ENDPOINT_URL_S3", error, remedy) from error


def _wrong(variable: str, error: Exception, remedy: str) -> SettingsError:
    return SettingsError(str(error), where={"setting": variable}, remedy=remedy)


def open_s3_client(s3: Any) -> Any:
    return s3_client()
