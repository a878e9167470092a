"""S3 clients from dagster-aws's S3Resource. The AWS SDK is imported when a client is made."""

import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from csq_assets.masking import hide, strip_aws_variables

if TYPE_CHECKING:
    from dagster_aws.s3 import S3Resource


def open_s3_client(s3: "S3Resource") -> Any:
    """The resource's client: what it does not set, the AWS SDK reads from its variables and files.

    Raises SettingsError where no client can be made.
    """
    from csq_assets.lake.s3_errors import explaining, refuse_other_services  # noqa: PLC0415

    strip_aws_variables()
    hide(s3.aws_secret_access_key, s3.aws_session_token)
    # It logs errors that it also raises, with a traceback and unmasked; to stderr by default.
    logger = logging.getLogger("botocore")
    logger.setLevel(logger.level or logging.CRITICAL)
    with explaining():
        client = s3.get_client()
        # With these stars it runs before the SDK's own handlers, which change the answer.
        client.meta.events.register("before-parse.*.*", refuse_other_services)
        client.meta.events.register("before-send.s3", partial(_hide_credentials, client))
    return client


def _hide_credentials(client: Any, request: Any, **_: object) -> None:
    """Mask those that the SDK obtained itself from a role, SSO or a process: it does so when they are
    needed, and again when they expire.
    """
    if token := request.headers.get("X-Amz-Security-Token"):
        hide(token.decode() if isinstance(token, bytes) else token)
    # boto3 has no public name for the credentials of a client.
    if (credentials := client._request_signer._credentials) is not None:  # noqa: SLF001
        found = credentials.get_frozen_credentials()
        hide(found.secret_key, found.token)


def s3_client() -> Any:
    """The client of the default resource: the AWS SDK's own variables and files decide."""
    from csq_assets.s3_resource import PooledS3Resource  # noqa: PLC0415

    return open_s3_client(PooledS3Resource())
