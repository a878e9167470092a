"""Whatever S3 answers becomes a sentence: what is wrong, and what to do."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

import pytest

from csq_assets.aws import open_s3_client
from csq_assets.errors import CsqError, SettingsError, StorageError
from csq_assets.lake.bucket import BucketStore
from csq_assets.s3_resource import PooledS3Resource
from csq_assets_tests.faulty_s3 import PAGES, Answer, FaultyS3, Request, error, refusal

pytestmark = pytest.mark.s3


OVER = "and s3:ListBucket so that a missing object can be told from a forbidden one."


KMS = (
    "User: arn:aws:iam::1:user/reader is not authorized to perform: kms:Decrypt on resource: "
    "arn:aws:kms:eu-west-1:1:key/k"
)


@pytest.fixture
def store(faulty_s3: FaultyS3) -> Iterator[BucketStore]:
    """A bucket, asked once."""
    assert faulty_s3.endpoint
    with closing(open_s3_client(PooledS3Resource(max_attempts=0))) as client:
        yield BucketStore(client, "customer", setting="CSQ_EXPORT_URL")


def publish(store: BucketStore, size: int = 1) -> None:
    with store.staging() as folder:
        (folder / "a").write_bytes(bytes(size))
        store.publish(folder / "a", "a")


LIST: Callable[[BucketStore], object] = lambda store: list(store.list("manifests/"))  # noqa: E731


READS: list[Callable[[BucketStore], object]] = [
    lambda store: store.read("a"),
    lambda store: store.open("a"),
    lambda store: store.stat("a"),
    lambda store: store.parquet_metadata("a"),
    lambda store: store.scan_parquet("a"),
]


CHANGES: list[Callable[[BucketStore], object]] = [
    lambda store: store.put("a", b""),
    publish,
    lambda store: publish(store, 9 * 1024 * 1024),
    lambda store: store.delete("a"),
]


EVERYTHING = [LIST, lambda store: list(store.folders("")), *READS, *CHANGES]


@pytest.mark.parametrize(
    ("answer", "reach", "kind", "said"),
    [
        (
            error(403, "AccessDenied"),
            LIST,
            SettingsError,
            (
                "setting CSQ_EXPORT_URL: no right to list s3://customer/manifests/: AccessDenied: "
                "It says so. Allow s3:ListBucket on the bucket (README, Your own bucket)."
            ),
        ),
        (
            error(403, "AccessDenied"),
            READS[0],
            StorageError,
            (
                "no right to read s3://customer/a, or it does not exist: AccessDenied: It says so. "
                f"Allow s3:GetObject on it, {OVER}"
            ),
        ),
        (
            error(403, "AccessDenied", KMS),
            READS[0],
            StorageError,
            (
                f"no right to the key of s3://customer/a: AccessDenied: {KMS}. "
                "Allow kms:Decrypt on the KMS key."
            ),
        ),
        (
            error(403, "AccessDenied", KMS.replace("Decrypt", "GenerateDataKey")),
            CHANGES[0],
            StorageError,
            f"no right to the key of s3://customer/a: AccessDenied: {KMS}. "
            "Allow kms:Decrypt on the KMS key.".replace("Decrypt", "GenerateDataKey"),
        ),
        (
            error(403, "AccessDenied"),
            CHANGES[2],
            StorageError,
            (
                "no right to change s3://customer/a: AccessDenied: It says so. "
                "Allow s3:PutObject on it."
            ),
        ),
        (
            error(403, "AccessDenied"),
            CHANGES[3],
            StorageError,
            (
                "no right to change s3://customer/a: AccessDenied: It says so. "
                "Allow s3:DeleteObject on it."
            ),
        ),
        (
            error(403, "AccessDenied", "Bucket is a requester pays bucket."),
            LIST,
            SettingsError,
            (
                "setting CSQ_REQUEST_PAYER: s3://customer/manifests/: AccessDenied: "
                "Bucket is a requester pays bucket. Set it to requester."
            ),
        ),
        (
            error(403, "InvalidObjectState"),
            READS[0],
            StorageError,
            "s3://customer/a: InvalidObjectState: It says so. Restore the object from its archive.",
        ),
        (
            error(400, "AuthorizationHeaderMalformed", "the region 'a' is wrong; expecting 'b'"),
            READS[0],
            SettingsError,
            (
                "setting AWS_DEFAULT_REGION: s3://customer/a: AuthorizationHeaderMalformed: "
                "the region 'a' is wrong; expecting 'b'. Set it to the region of the bucket."
            ),
        ),
        (
            error(403, "RequestTimeTooSkewed"),
            READS[0],
            StorageError,
            "s3://customer/a: RequestTimeTooSkewed: It says so. Set the clock of this machine.",
        ),
        (
            error(400, "ExpiredToken"),
            LIST,
            SettingsError,
            (
                "setting AWS_SESSION_TOKEN: the AWS credentials have expired: ExpiredToken: "
                "It says so. Renew them; for a profile, run aws sso login."
            ),
        ),
        (
            error(403, "InvalidAccessKeyId"),
            CHANGES[0],
            SettingsError,
            (
                "setting AWS_ACCESS_KEY_ID: the AWS credentials are refused: InvalidAccessKeyId: "
                "It says so. Correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE."
            ),
        ),
        (
            error(404, "NoSuchBucket"),
            READS[0],
            SettingsError,
            (
                'setting CSQ_EXPORT_URL: there is no bucket "customer". '
                "Correct the bucket's name in CSQ_EXPORT_URL, or AWS_ENDPOINT_URL_S3."
            ),
        ),
        (
            Answer(404),
            LIST,
            SettingsError,
            (
                'setting CSQ_EXPORT_URL: there is no bucket "customer". '
                "Correct the bucket's name in CSQ_EXPORT_URL, or AWS_ENDPOINT_URL_S3."
            ),
        ),
        (
            Answer(404),
            CHANGES[0],
            SettingsError,
            (
                'setting CSQ_EXPORT_URL: there is no bucket "customer". '
                "Correct the bucket's name in CSQ_EXPORT_URL, or AWS_ENDPOINT_URL_S3."
            ),
        ),
        (
            error(418, "NeverHeardOf"),
            READS[0],
            StorageError,
            "s3://customer/a: NeverHeardOf: It says so. Run csq sync again.",
        ),
        (
            Answer(200, b"x", {"ETag": '"e"'}, length=-1),
            READS[0],
            StorageError,
            (
                "s3://customer/a: the answer has no Content-Length. "
                "Let no proxy between here and S3 change answers."
            ),
        ),
    ],
)
def test_what_s3_answers_is_said_with_the_right_or_the_setting(
    faulty_s3: FaultyS3,
    store: BucketStore,
    answer: Answer,
    reach: Callable[[BucketStore], object],
    kind: type[CsqError],
    said: str,
) -> None:
    faulty_s3.always(answer)
    refused = refusal(lambda: reach(store))
    assert (type(refused), str(refused)) == (kind, said)


def test_an_empty_answer_to_a_write_is_not_taken_for_a_success(
    faulty_s3: FaultyS3, store: BucketStore
) -> None:
    faulty_s3.always(Answer(200))
    said = str(refusal(lambda: store.put("a", b"1")))
    assert "an object was written, and the answer has no ETag" in said
    assert "AWS_ENDPOINT_URL_S3" in said


@pytest.mark.parametrize("chunked", ["whole", "cut"])
def test_an_object_in_chunks_is_never_taken_for_whole(
    faulty_s3: FaultyS3, store: BucketStore, chunked: Literal["whole", "cut"]
) -> None:
    faulty_s3.always(Answer(200, b"so much", {"ETag": '"e"'}, chunked=chunked))
    for reach in READS:
        assert "the answer has no Content-Length" in str(refusal(lambda reach=reach: reach(store)))


def test_a_listing_in_chunks_is_read(faulty_s3: FaultyS3, store: BucketStore) -> None:
    store.put("a/b", b"1")
    faulty_s3.fault = lambda _: lambda answer: replace(answer, chunked="whole")
    assert [found.key for found in store.list("a/")] == ["a/b"]
    faulty_s3.fault = lambda _: lambda answer: replace(answer, chunked="cut")
    assert refusal(lambda: LIST(store)).remedy


CUT = Answer(200, b"only so much", {"ETag": '"e"'}, length=1_000)


FAULTS = [
    *(error(403, code) for code in ("AccessDenied", "SignatureDoesNotMatch", "Odd")),
    *(error(400, code) for code in ("KMS.DisabledException", "", "400")),
    *(Answer(status) for status in (301, 303, 307, 400, 401, 403, 405, 411, 500, 503)),
    Answer(403, b"<html>Forbidden</html>"),
    Answer(500, b"\xff\xfe\x00"),
    Answer(200, b"<ListBucketResult><Name>customer</Name><IsTr"),
    Answer(200, b"<ListBucketResult><Name>customer</Name><Contents/></ListBucketResult>"),
    Answer(200, b"x", {"ETag": '"e"', "x-amz-checksum-crc32": "AAAAAA=="}, length=1_000),
    CUT,
]


@pytest.mark.parametrize("fault", FAULTS)
def test_whatever_s3_answers_is_an_error_that_a_person_can_act_on(
    faulty_s3: FaultyS3, store: BucketStore, fault: Answer
) -> None:
    faulty_s3.always(fault)
    for reach in EVERYTHING if fault.status != 200 else [LIST, *READS[:2]]:
        refused = refusal(lambda reach=reach: reach(store))
        assert refused.message
        assert refused.remedy


@pytest.mark.parametrize("page", PAGES)
def test_an_endpoint_that_is_not_s3_is_a_wrong_setting(
    faulty_s3: FaultyS3, store: BucketStore, page: Answer
) -> None:
    faulty_s3.always(page)
    for reach in (LIST, *READS):
        refused = refusal(lambda reach=reach: reach(store))
        assert isinstance(refused, SettingsError)
        assert refused.where == {"setting": "AWS_ENDPOINT_URL_S3"}
        assert refused.message.startswith("this is not S3: ")


def test_an_answer_that_is_cut_is_never_taken_for_the_object(
    faulty_s3: FaultyS3, store: BucketStore
) -> None:
    faulty_s3.always(CUT)
    for reach in READS[:2]:
        refused = refusal(lambda reach=reach: reach(store))
        assert isinstance(refused, StorageError)
        assert refused.message.startswith("s3://customer/a cannot be reached: ")
        assert (
            refused.remedy == "Check the network and AWS_ENDPOINT_URL_S3, then run csq sync again."
        )


def test_an_answer_that_lacks_a_header_is_an_error(faulty_s3: FaultyS3, store: BucketStore) -> None:
    faulty_s3.always(Answer(200, b"x", {"ETag": '"e"'}))
    assert "LastModified" in refusal(lambda: store.stat("a")).message


def test_an_object_that_is_gone_is_deleted_already(faulty_s3: FaultyS3, store: BucketStore) -> None:
    faulty_s3.always(error(404, "NoSuchKey"))
    store.delete("a")
    assert [request.method for request in faulty_s3.requests] == ["DELETE"]


@pytest.mark.parametrize("reach", [LIST, CHANGES[0], publish])
def test_no_object_can_be_missing_where_none_is_read(
    faulty_s3: FaultyS3, store: BucketStore, reach: Callable[[BucketStore], object]
) -> None:
    faulty_s3.always(error(404, "NoSuchKey"))
    refused = refusal(lambda: reach(store))
    assert isinstance(refused, StorageError)
    assert str(refused).endswith("NoSuchKey: It says so. Run csq sync again.")


def test_an_answer_that_is_cut_is_asked_for_again(faulty_s3: FaultyS3, store: BucketStore) -> None:
    store.put("a", b"the whole object")
    cut = iter([CUT])
    faulty_s3.fault = lambda request: next(cut, None) if request.method == "GET" else None
    assert store.read("a") == b"the whole object"


def test_a_right_that_is_lost_midway_is_said(faulty_s3: FaultyS3, store: BucketStore) -> None:
    store.put("a", os.urandom(1024) * 20 * 1024)

    def deny(request: Request) -> Answer | None:
        return error(403, "AccessDenied") if "Range" in request.headers else None

    faulty_s3.fault = deny
    assert str(refusal(lambda: store.open("a"))).startswith("no right to read s3://customer/a, ")


def test_a_server_that_is_down_is_said_with_its_address(
    s3_environment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert s3_environment
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server.server_close()  # so nobody listens on its port
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", address)
    with closing(open_s3_client(PooledS3Resource(max_attempts=0))) as client:
        store = BucketStore(client, "customer", setting="CSQ_EXPORT_URL")
        refused = refusal(lambda: store.read("a"))
    assert isinstance(refused, StorageError)
    assert str(refused) == (
        "s3://customer/a cannot be reached: Could not connect to the endpoint URL: "
        f'"{address}/customer/a". Check the network and AWS_ENDPOINT_URL_S3, then run csq sync '
        "again."
    )


@pytest.mark.parametrize(
    ("name", "reach"), [("nowhere", LIST), ("nowhere", CHANGES[0]), ("a b", LIST)]
)
def test_a_bucket_that_does_not_or_cannot_exist_is_a_wrong_setting(
    s3_client: Any, name: str, reach: Callable[[BucketStore], object]
) -> None:
    refused = refusal(lambda: reach(BucketStore(s3_client, name, setting="CSQ_LAKE_URL")))
    assert isinstance(refused, SettingsError)
    assert refused.where == {"setting": "CSQ_LAKE_URL"}
    assert f'"{name}"' in refused.message


def test_rights_are_asked_of_the_real_operations(s3_client: Any, s3_objects: BucketStore) -> None:
    s3_objects.put("a", b"as it was")
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": ["s3:PutObject", "s3:DeleteObject"],
        "Resource": ["arn:aws:s3:::customer", "arn:aws:s3:::customer/*"],
    }
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    s3_client.put_bucket_policy(Bucket="customer", Policy=json.dumps(policy))
    for change in CHANGES:
        refused = refusal(lambda change=change: change(s3_objects))
        assert refused.message.startswith("no right to change s3://customer/my lake/é/a: ")
    assert s3_objects.read("a") == b"as it was"
