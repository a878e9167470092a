"""The one place where an error of the AWS SDK becomes ours: AWS's own words, secrets masked."""

import errno
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from csq_assets.errors import CsqError
from csq_assets.interruption import Interrupted
from csq_assets.lake import s3_meanings as means
from csq_assets.lake.s3_meanings import Meaning, Place
from csq_assets.masking import masked

_RIGHTS = {
    "ListObjectsV2": "s3:ListBucket",
    "HeadBucket": "s3:ListBucket",
    "GetObject": "s3:GetObject",
    "HeadObject": "s3:GetObject",
    "PutObject": "s3:PutObject",
    "CreateMultipartUpload": "s3:PutObject",
    "UploadPart": "s3:PutObject",
    "CompleteMultipartUpload": "s3:PutObject",
    "DeleteObject": "s3:DeleteObject",
    "ListMultipartUploads": "s3:ListBucketMultipartUploads",
    "AbortMultipartUpload": "s3:AbortMultipartUpload",
}
_RIGHT = re.compile(r"to perform:? (\w[\w-]*:\w+)")  # in AWS's sentence
_NO_PLACE = Place()


@contextmanager
def explaining(place: Place = _NO_PLACE) -> Iterator[None]:
    """Turn whatever the SDK raises into SettingsError, StorageError, or FileNotFoundError where the
    object does not exist. Without a place a client is being made, and a setting is at fault.
    """
    try:
        yield
    except (CsqError, Interrupted, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001 - the SDK passes on errors of any kind
        explained = _answered(error, place) if isinstance(error, ClientError) else None
        # No cause is kept: its text may hold a secret, and Dagster records the texts of causes.
        raise explained or _raised(error, place) from None


def refuse_other_services(
    operation_model: Any, response_dict: Mapping[str, Any], **_: object
) -> None:
    """For botocore's event before-parse: it would take a web page for an empty listing, and follow
    a redirect in circles. Raises SettingsError.
    """
    status, headers, body = (response_dict[part] for part in ("status_code", "headers", "body"))
    if 300 <= status < 400 and not any(name.lower().startswith("x-amz-") for name in headers):  # noqa: PLR2004
        raise not_s3("the answer is a redirect")
    is_listing = operation_model.name == "ListObjectsV2" and status == 200  # noqa: PLR2004
    if is_listing and b"ListBucketResult" not in body and b"<Error" not in body:
        raise not_s3("the answer to a listing is something else")


def not_s3(text: str) -> CsqError:
    """The endpoint answers, and not as S3 does."""
    return means.NOT_S3.error(text, _NO_PLACE)


def _raised(error: Exception, place: Place) -> CsqError:
    """What the SDK itself raises."""
    text = masked(str(error) or type(error).__name__)
    if isinstance(error, ResponseParserError):  # the answer follows, which may hold credentials
        text = text.partition("\n")[0]
    for kind, meaning in means.RAISED.items():
        if isinstance(error, kind) and meaning.part in text:
            return meaning.error(text, place)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return means.DISK_FULL.error(text, place)
    named_file = isinstance(error, OSError) and error.filename is not None  # by the profile
    if named_file or isinstance(error, means.OF_CREDENTIALS):
        return means.NOT_USABLE.error(text, place)
    if not isinstance(error, BotoCoreError):
        text = f"{type(error).__name__}: {text}"
    meaning = means.NOT_USABLE if place is _NO_PLACE else means.UNREACHABLE
    return meaning.error(text, place)


def _answered(error: ClientError, place: Place) -> CsqError | FileNotFoundError:
    """What S3, or a service that gives credentials, refuses."""
    said, operation = error.response.get("Error", {}), error.operation_name
    code = str(said.get("Code", ""))
    text = masked(": ".join(filter(None, (code, said.get("Message")))))
    if operation not in _RIGHTS:
        return means.NOT_USABLE.error(f"{operation}: {text}", place)
    is_of_object = _is_read(operation) or operation == "DeleteObject"
    if (code == "NoSuchKey" and is_of_object) or (code in means.MISSING and _is_read(operation)):
        return FileNotFoundError(place.url)
    if "requester pays" in text.lower():
        return means.REQUESTER_PAYS.error(text, place)
    if code in means.DENIED:
        named = _RIGHT.search(text)
        return _denied(operation, named[1] if named else _RIGHTS[operation]).error(text, place)
    if code == "NoSuchKey":  # and no key was asked for
        return means.ANSWERED.error(text, place)
    return means.ANSWERS.get(code, means.ANSWERED).error(text, place)


def _denied(operation: str, right: str) -> Meaning:
    if right.startswith("kms:"):
        return Meaning("", f"Allow {right} on the KMS key.", "no right to the key of {url}: {text}")
    if operation in ("ListObjectsV2", "HeadBucket"):
        remedy = f"Allow {right} on the bucket (README, Your own bucket)."
        return Meaning("{setting}", remedy, "no right to list {url}: {text}")
    if _is_read(operation):
        remedy = (
            f"Allow {right} on it, and s3:ListBucket so that a missing object can be told from a "
            "forbidden one."
        )
        return Meaning("", remedy, "no right to read {url}, or it does not exist: {text}")
    return Meaning("", f"Allow {right} on it.", "no right to change {url}: {text}")


def _is_read(operation: str) -> bool:
    return operation in ("GetObject", "HeadObject")
