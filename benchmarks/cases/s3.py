"""Many small objects on S3, near and far."""

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks.generate import BUCKET
from benchmarks.latency import delayed
from benchmarks.measure import Contestant, alternate, ratio
from benchmarks.readers import DUMP_ID, OURS, REPOSITORY, Decoded, ours
from benchmarks.results import Goal, Result, Sizes
from benchmarks.s3_server import S3Server, environment, s3_server

_ROWS_OF_FILE = 500
_ROUND_TRIP_SECONDS = 0.03
_MEGABYTES = 600
_DIRECTORY, _NEAR, _FAR = (
    f"{OURS}, {where}" for where in ("from a directory", "from S3", "from S3, 30 ms away")
)
_SERVER = "the objects alone, without decoding"


@dataclass(frozen=True, slots=True)
class S3:
    """Files of 500 page views each, in a bucket."""

    name: str = "s3"
    title: str = "Many small objects on S3"

    def measure(self, sizes: Sizes, folder: Path) -> Result:
        """Raises FailedError, also where rows are missing."""
        files = sizes.small_files
        dump = Decoded.deliver(folder, "pageviews", files * _ROWS_OF_FILE, files)
        with (
            s3_server(folder / "server", install=sizes.peers) as server,
            delayed(server.port, 0) as near,
            delayed(server.port, _ROUND_TRIP_SECONDS) as far,
        ):
            _upload(folder / "export", server)
            contestants = [
                ours(dump, _DIRECTORY).contestant,
                _ours(folder, _NEAR, near),
                _ours(folder, _FAR, far),
                _objects(near),
            ]
            runs = alternate(contestants, rounds=sizes.rounds)
        sequential = files * _ROUND_TRIP_SECONDS
        return Result(
            case=self.name,
            title=self.title,
            setting=(
                f"{files:,} objects of {_ROWS_OF_FILE} page views from {server.name} on this "
                "machine into one Parquet file; seconds without imports. Both ways to the server "
                "lead through a proxy, and one takes 30 ms more for each round trip."
            ),
            goals=(
                Goal(
                    "30 ms away, times no way",
                    ratio(runs[_FAR].wall, runs[_NEAR].wall),
                    "×",
                    "≤ 1.5",
                ),
                Goal(
                    f"{files:,} round trips one after another, times as long",
                    sequential / runs[_FAR].wall.median,
                    "×",
                ),
                Goal(
                    "memory: 30 ms away", runs[_FAR].over_imports_mb or 0, "MB", f"≤ {_MEGABYTES}"
                ),
                Goal(
                    "what the objects alone take, as a part",
                    ratio(runs[_SERVER].wall, runs[_NEAR].wall),
                    "×",
                ),
            ),
            runs=tuple(runs.values()),
        )


def _ours(folder: Path, name: str, port: int) -> Contestant:
    return Contestant(
        name,
        (
            *(sys.executable, "-m", "benchmarks.contestants.ours"),
            *(f"s3://{BUCKET}", folder / "lake", str(DUMP_ID), "pageviews"),
        ),
        environment={"PYTHONPATH": str(REPOSITORY), **environment(port)},
    )


def _objects(port: int) -> Contestant:
    return Contestant(
        _SERVER,
        (sys.executable, "-m", "benchmarks.contestants.objects", BUCKET, f"sync_{DUMP_ID}/"),
        environment={"PYTHONPATH": str(REPOSITORY), **environment(port)},
    )


def _upload(export: Path, server: S3Server) -> None:
    client = server.client()

    def put(path: Path) -> None:
        key = path.relative_to(export).as_posix()
        client.put_object(Bucket=BUCKET, Key=key, Body=path.read_bytes())

    with ThreadPoolExecutor() as threads:
        list(threads.map(put, (path for path in export.rglob("*") if path.is_file())))


CASE = S3()
