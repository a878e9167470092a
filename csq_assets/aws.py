"""The S3 client: dagster-aws makes it, with the AWS SDK's own credentials, region and endpoint."""

from typing import Any

from csq_assets.errors import SettingsError


def s3_client() -> Any:
    """A client of boto3. Imported when it is needed: the SDK takes a second.

    Raises SettingsError where the SDK's own variables are wrong in themselves.
    """
    from botocore import exceptions  # noqa: PLC0415
    from dagster_aws.s3 import S3Resource  # noqa: PLC0415

    try:
        return S3Resource().get_client()
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
