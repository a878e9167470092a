"""The engine `spark`: each step launches a job by Dagster Pipes, and this process knows no Spark."""

import shlex
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import dagster as dg
from dagster._core.errors import DagsterPipesExecutionError

from csq_assets.defs.current_checks import columns_in_use
from csq_assets.defs.failures import errors_as_failures
from csq_assets.defs.keys import Keys
from csq_assets.defs.resources import Resources
from csq_assets.errors import StorageError, UsageError
from csq_assets.pipeline.spark_refresh import SparkRefresh
from csq_assets.settings import Settings
from csq_assets.spark import messages
from csq_assets.spark.messages import Answer, Place, Request, Work, answer_of, dumped

JOB = Path(messages.__file__).with_name("job.py")
StepContext = dg.AssetExecutionContext | dg.OpExecutionContext


class Launcher(Protocol):
    """Has a cluster execute `csq_assets/spark/job.py`, and gives the messages that it reports.

    `submitted` is the one by `spark-submit`, and `EmrServerless` another. One of your own may use other
    clients of Pipes, such as that of dagster-aws for EMR on EKS: they give the same messages.
    """

    def __call__(self, context: StepContext, extras: dict[str, Any]) -> list[Any]: ...


def submitted(command: str, context: StepContext, extras: dict[str, Any]) -> list[Any]:
    """Execute the job by a command such as `spark-submit --master …`, as a process of its own.

    Raises StorageError where it ends otherwise than by itself.
    """
    words = shlex.split(command)
    package = JOB.parents[2]
    # A clone is no installed package; what is installed beside csq_assets is for this Python alone.
    environment = {} if package.name == "site-packages" else {"PYTHONPATH": str(package)}
    try:
        done = dg.PipesSubprocessClient(env=environment).run(
            context=context, command=[*words, str(JOB)], extras=extras
        )
        return list(done.get_custom_messages())
    except FileNotFoundError:
        raise StorageError(
            f"there is no command {words[0]}",
            where={"setting": "CSQ_SPARK_SUBMIT"},
            remedy="Install Spark 3.5, or write the path of its spark-submit.",
        ) from None
    except DagsterPipesExecutionError as error:
        raise StorageError(
            f"the job on Spark failed: {error}",
            remedy="Its output is in the logs of the step. Nothing has changed: run csq sync again.",
        ) from None


def _launcher(settings: Settings) -> Launcher:
    if settings.spark_emr_serverless is None:
        return partial(submitted, settings.spark_submit)
    from csq_assets.defs.emr_serverless import (  # noqa: PLC0415 - the AWS SDK takes a second
        EmrServerless,
    )

    return EmrServerless.of(settings.spark_emr_serverless, settings.lake_url)


@dataclass(frozen=True, slots=True)
class SparkEngine:
    """Where the tables are, and how a job is launched."""

    place: Place
    buckets: int
    launcher: Launcher

    @classmethod
    def of(cls, settings: Settings, keys: Keys, launcher: Launcher | None = None) -> "SparkEngine":
        """The engine of the settings; `launcher` in the place of what they say of jobs."""
        folder = f"{settings.lake_url.rstrip('/')}/iceberg"
        place = Place(settings.spark_catalog, folder, keys.identifier.lower())
        return cls(place, settings.spark_buckets, launcher or _launcher(settings))

    @contextmanager
    def refreshing(
        self, context: StepContext, keys: Keys, skips: Callable[[str], bool]
    ) -> Iterator[SparkRefresh]:
        """The steps of a refresh, which launch their jobs for this one."""
        resources = Resources(context.resources, keys)
        with errors_as_failures():
            lake, effective = resources.lake.open(), resources.lake.effective_dumps(skips)
            uses = partial(columns_in_use, context.instance, keys)
            launch = partial(self._launch, context)
            yield SparkRefresh(lake, effective, launch, self.buckets, uses)

    def maintain(self, context: StepContext, work: Work) -> Answer:
        """Launch a job that no table's step waits for."""
        with errors_as_failures():
            return self._launch(context, work)

    def _launch(self, context: StepContext, work: Work) -> Answer:
        extras = {"request": dumped(Request(self.place, work))}
        with warnings.catch_warnings():  # Dagster calls messages of one's own a preview
            warnings.simplefilter("ignore", dg.PreviewWarning)
            reported = self.launcher(context, extras)
        for message in reported:
            if isinstance(message, dict) and (told := message.get(messages.ERROR)):
                raise StorageError(told["message"], where=told["where"], remedy=told["remedy"])
        return answer_of(work, reported)


class IcebergTables(dg.IOManager):
    """Current tables in Iceberg are read by what reads Iceberg."""

    def load_input(self, context: dg.InputContext) -> Any:
        raise UsageError(
            f"{context.asset_key.to_user_string()} is an Iceberg table",
            remedy="Read it in its catalog: with Spark, Athena, Trino or pyiceberg.",
        )

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        del obj
        raise UsageError(
            f"{context.asset_key.to_user_string()} cannot be written: CSQ_ENGINE is spark",
            remedy="Give the asset an IO manager of its own.",
        )
