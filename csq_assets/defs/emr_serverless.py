"""Jobs on EMR Serverless, by the client that dagster-aws has for it.

The request and the answer are objects in the lake while a job runs: an answer may be longer than a line
of CloudWatch.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import boto3
import dagster as dg
from botocore.exceptions import BotoCoreError, ClientError
from dagster_aws.pipes import (
    PipesEMRServerlessClient,
    PipesS3ContextInjector,
    PipesS3MessageReader,
)
from dagster_pipes import PipesBlobStoreMessageWriter

from csq_assets.aws import s3_client
from csq_assets.errors import SettingsError, StorageError
from csq_assets.lake.locations import bucket_and_prefix, open_objects
from csq_assets.lake.s3_errors import explaining
from csq_assets.lake.s3_meanings import Place
from csq_assets.masking import masked

VARIABLE = "CSQ_SPARK_EMR_SERVERLESS"
_OPERATIONS = (
    "StartJobRun",
    "GetJobRun",
    "CancelJobRun",
    "GetApplication",
    "GetDashboardForJobRun",
)
_REFUSALS = ("AccessDeniedException", "ResourceNotFoundException", "ValidationException")


@dataclass(frozen=True, slots=True)
class EmrServerless:
    """What each job is started with: the parameters of StartJobRun. The lake is in a bucket."""

    parameters: dict[str, Any]
    lake_url: str
    poll_seconds: float = 5

    @classmethod
    def of(cls, file: Path, lake_url: str) -> "EmrServerless":
        """From the JSON file that `aws emr-serverless start-job-run --cli-input-json` takes too.

        Raises SettingsError where it does not say what is needed, or the lake is a directory.
        """
        try:
            parameters = json.loads(file.read_bytes())
            needed = parameters["applicationId"], parameters["executionRoleArn"]
            needed = *needed, parameters["jobDriver"]["sparkSubmit"]["entryPoint"]
            if not all(isinstance(one, str) for one in needed):
                raise TypeError("the values are no texts")  # noqa: TRY301  # told below
        except (OSError, ValueError, LookupError, TypeError) as error:
            problem = f"no {error}" if isinstance(error, LookupError) else str(error)
            raise SettingsError(
                f"{file} does not hold the parameters of StartJobRun: {problem}",
                where={"setting": VARIABLE},
                remedy="Write applicationId, executionRoleArn and jobDriver.sparkSubmit with its "
                "entryPoint, as aws emr-serverless start-job-run --generate-cli-skeleton shows.",
            ) from None
        if bucket_and_prefix(lake_url)[0] is None:
            raise SettingsError(
                f"{lake_url} is a directory, which EMR Serverless cannot read",
                where={"setting": "CSQ_LAKE_URL"},
                remedy="Set it to s3://bucket/prefix.",
            )
        return cls(parameters, lake_url)

    def __call__(
        self, context: dg.AssetExecutionContext | dg.OpExecutionContext, extras: dict[str, Any]
    ) -> list[Any]:
        """Run a job, and give the messages that it reports.

        Raises StorageError where it fails, and SettingsError where AWS refuses it.
        """
        with self._explaining(), self._folder() as (bucket, folder):
            s3 = s3_client()
            client = _Client(
                client=boto3.client("emr-serverless"),
                context_injector=PipesS3ContextInjector(
                    bucket=bucket, client=s3, key_prefix=folder
                ),
                message_reader=_Messages(bucket=bucket, client=s3, folder=folder),
                poll_interval=self.poll_seconds,
            )
            parameters = cast("Any", deepcopy(self.parameters))
            try:
                done = client.run(context=context, start_job_run_params=parameters, extras=extras)
            except RuntimeError as error:
                raise StorageError(
                    f"the job on Spark failed: {masked(str(error))}",
                    remedy="Its state is in the log of the step, and its output where the application "
                    "keeps logs. Nothing has changed: run csq sync again.",
                ) from None
            return list(done.get_custom_messages())

    def look(self) -> str:
        """Whether the application is there: its name and its state. Raises as a job does."""
        with self._explaining():
            client = boto3.client("emr-serverless")
            found = client.get_application(applicationId=self.parameters["applicationId"])
            return (
                f"the application {found['application']['name']} is {found['application']['state']}"
            )

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        what = f"the EMR Serverless application {self.parameters['applicationId']}"
        with explaining(Place(what, setting=VARIABLE)):
            try:
                yield
            except ClientError as error:
                if error.operation_name not in _OPERATIONS:
                    with explaining(Place(self.lake_url, setting="CSQ_LAKE_URL")):
                        raise
                said = error.response.get("Error", {})
                text = masked(f"{what}: {said.get('Code')}: {said.get('Message')}")
                if said.get("Code") not in _REFUSALS:
                    raise StorageError(text, remedy="Run csq sync again.") from None
                raise SettingsError(
                    text,
                    where={"setting": VARIABLE},
                    remedy="Correct that file, or allow this process "
                    f"emr-serverless:{error.operation_name}; then run csq sync again.",
                ) from None

    @contextmanager
    def _folder(self) -> Iterator[tuple[str, str]]:
        """The bucket and a prefix of what is passed; nothing is left there."""
        bucket, prefix = bucket_and_prefix(self.lake_url)
        name = f"pipes/{uuid4().hex}/"
        try:
            yield cast("str", bucket), f"{prefix}/{name}".removeprefix("/")
        finally:
            objects = open_objects(self.lake_url, s3_client, "CSQ_LAKE_URL")
            for entry in list(objects.list(name)):
                objects.delete(entry.key)


class _Client(PipesEMRServerlessClient):
    def _wait_for_completion(self, context: Any, start_response: Any) -> Any:
        """Nor does a job go on that nobody waits for any more: what went wrong, the next pass asks for
        the same again."""
        try:
            return super()._wait_for_completion(context, start_response)
        except (RuntimeError, dg.DagsterExecutionInterruptedError):  # it has ended, or it will be
            raise
        except BaseException:
            with suppress(BotoCoreError, ClientError):
                self._terminate(context, start_response)
            raise

    def _read_messages(self, context: Any, session: Any, response: Any) -> None:
        """Only for logs in CloudWatch; the answer is read elsewhere."""


class _Messages(PipesS3MessageReader):
    """The reader would have the job write at the root of the bucket."""

    def __init__(self, *, bucket: str, client: Any, folder: str) -> None:
        super().__init__(bucket=bucket, client=client)
        self._folder = folder.removesuffix("/")

    @contextmanager
    def get_params(self) -> Iterator[dict[str, Any]]:
        stdio = PipesBlobStoreMessageWriter.INCLUDE_STDIO_IN_MESSAGES_KEY
        yield {"bucket": self.bucket, "key_prefix": self._folder, stdio: False}
