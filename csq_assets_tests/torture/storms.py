"""Syncs of an export and a lake on S3, through a server that fails or that kills them."""

import itertools
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock

import boto3
import pytest
from moto.s3 import models as moto_s3
from moto.server import ThreadedMotoServer

from csq_assets_tests.faulty_s3 import Answer, FaultyS3, Request, Twist, serve_faulty_s3
from csq_assets_tests.spark.s3 import s3_server
from csq_assets_tests.targets import S3Target
from csq_assets_tests.torture.crashes import (
    BrokenTrialError,
    Kill,
    let_a_day_pass,
    not_in_a_sentence,
    stray,
)
from csq_assets_tests.torture.planted import SMALL_PARTS
from csq_assets_tests.torture.scenarios import FIRST_SYNC, Place
from csq_assets_tests.torture.shim import Hit, operations
from csq_assets_tests.torture.state import State, half_done, state_of, unreadable
from csq_assets_tests.torture.storage_faults import Storm
from csq_assets_tests.torture.warm import HUNG, Ended, Warm, start_warm

_PATIENCE_SECONDS = 60
_KILLED = -9
# Two attempts: what is tried is what csq makes of a failure, not the patience of the SDK.
_AWS = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_MAX_ATTEMPTS": "2"}
_KEYS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
}


@dataclass(frozen=True, slots=True)
class Stormy:
    """What became of syncs through storms: how many there were, how many of their requests were hit,
    and how many of them said that all is well."""

    syncs: int
    requests: int
    hit: int
    went_well: int
    differences: tuple[str, ...]

    def __add__(self, other: "Stormy") -> "Stormy":
        return Stormy(
            self.syncs + other.syncs,
            self.requests + other.requests,
            self.hit + other.hit,
            self.went_well + other.went_well,
            self.differences + other.differences,
        )


@dataclass(slots=True)
class Sea:
    """Export and lakes on an S3 server, behind a proxy. `wanted` is how a sync without faults ends."""

    warm: Warm
    faulty: FaultyS3
    client: object
    folder: Path
    environment: dict[str, str]
    planted: str
    wanted: State | None = None
    _number: int = 0
    _calm_seconds: float = 0  # that the first sync took, which had no faults

    def sail(self, kinds: tuple[str, ...], seed: int, share: float, syncs: int = 2) -> Stormy:
        """Sync through faults of these kinds, then without; compare after the latter, and after the
        former where it says that all is well."""
        place, storm = self._place(), Storm(kinds, seed, share)
        asked, went_well, differences = len(self.faulty.requests), 0, list[str]()
        for _ in range(syncs):
            stale = storm.stale
            self.faulty.fault, start = storm.fault, time.monotonic()
            ended = self._sync(place)
            self.faulty.fault, seconds = lambda _: None, time.monotonic() - start
            differences += _said(ended)
            self._calm_seconds = self._calm_seconds or seconds
            if seconds > _PATIENCE_SECONDS + 2 * self._calm_seconds:
                differences.append(f"the sync took {seconds:.0f} s")
            went_well += ended.code == 0
            if (
                ended.code == 0 and storm.stale == stale
            ):  # else it cannot know what it was not shown
                differences += self._compare(place, "though the sync said that all is well, ")
            else:
                differences += self._unreadable(place)
        requests = len(self.faulty.requests) - asked
        differences += self._finish(place)
        return Stormy(syncs, requests, storm.hit, went_well, tuple(differences))

    def sail_far(
        self, kinds: tuple[str, ...], seed: int, share: float, at_least: int
    ) -> Iterator[Stormy]:
        """Storms with one seed after the other, until so many requests were sent."""
        requests = 0
        for number in itertools.count(seed):
            stormy = self.sail(kinds, number, share)
            yield stormy
            requests += stormy.requests
            if requests >= at_least:
                return

    def kill_at(self, number: int, *, after: bool = False) -> Kill:
        """Kill a sync at its n-th request, before S3 has it or after it has done the deed; compare
        after a clean one."""
        place, lock, seen = self._place(), Lock(), list[str]()

        def end(_answer: Answer | None = None) -> Answer:
            self.warm.kill()
            return Answer(0, instead="close")

        def kill(request: Request) -> Answer | Twist | None:
            with lock:
                seen.append(f"{request.method} {request.path}")
                if len(seen) != number:
                    return None
            return end if after else end()

        self.faulty.fault = kill
        ended = self._sync(place)
        self.faulty.fault = lambda _: None
        what = seen[number - 1] if len(seen) >= number else ""
        differences = (*self._half_done(place), *self._finish(place))
        return Kill("a lake on S3", number, what, ended.code == _KILLED, differences)

    def fill_staging(self, number: int) -> Kill:
        """Let there be no room for temporary files, from the n-th operation on them; then sync again,
        and compare. What is written into a lake on S3 is staged there."""
        place = self._place()
        ended = self._sync(place, Hit((place.folder / "tmp",), at=number, action="full"))
        done = operations(self.folder / "warm")
        what = done[number - 1] if len(done) >= number else ""
        shown = self._unreadable(place) if ended.code else self._compare(place, "at once, ")
        differences = (*not_in_a_sentence(ended), *shown, *self._finish(place))
        return Kill("a lake on S3", number, what, bool(what and ended.code), differences)

    def _half_done(self, place: Place) -> Iterator[str]:
        assert self.wanted is not None
        return half_done(place, None, self.wanted)

    def _unreadable(self, place: Place) -> Iterator[str]:
        assert self.wanted is not None
        return unreadable(place, None, self.wanted)

    def requests_of_a_sync(self) -> int:
        """How many a sync of everything sends."""
        before = len(self.faulty.requests)
        self._sync(self._place())
        return len(self.faulty.requests) - before

    def _sync(self, place: Place, hit: Hit | None = None) -> Ended:
        return place.csq(self.warm, "sync", planted=self.planted, hit=hit)

    def _place(self) -> Place:
        self._number += 1
        target = S3Target(self.client, "customer")
        place = Place(
            self.folder / "now", f"s3://ours/lake{self._number}", target, self.environment
        )
        place.make()
        return place

    def _finish(self, place: Place) -> Iterator[str]:
        """A clean sync, which puts everything right, a day later."""
        let_a_day_pass(place)
        ended = self._sync(place)
        if ended.code:
            yield f"the clean sync ended with {ended.code}: {ended.stderr[-500:]}"
        yield from self._compare(place, "after a clean sync, ")
        yield from stray(place)
        uploads = self.client.list_multipart_uploads(Bucket="ours").get("Uploads", [])  # pyright: ignore[reportAttributeAccessIssue]
        yield from (f"an unfinished upload of {one['Key']}" for one in uploads)
        written = {
            f"{one.method} {one.path}"
            for one in self.faulty.requests
            if one.method not in ("GET", "HEAD") and one.path.startswith("/customer")
        }
        yield from (f"sent to the export: {request}" for request in sorted(written))

    def _compare(self, place: Place, when: str) -> Iterator[str]:
        try:
            found = state_of(place)
        except Exception as error:  # noqa: BLE001  # that is what there is to find
            yield f"{when}what is there cannot be read: {error!r}"
            return
        if self.wanted is None:
            self.wanted = found
        yield from (when + line for line in found.differences(self.wanted))


@contextmanager
def _moto() -> Iterator[Mapping[str, str]]:
    """What points the AWS SDK at moto's server, which takes parts of any size: S3's have 5 MB."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(moto_s3, "S3_UPLOAD_PART_MIN_SIZE", 1)
            host, port = server.get_host_and_port()
            yield {**_KEYS, "AWS_ENDPOINT_URL_S3": f"http://{host}:{port}"}
    finally:
        server.stop()


@contextmanager
def _seaweedfs(weed: Path, folder: Path) -> Iterator[Mapping[str, str]]:
    """What points the AWS SDK at SeaweedFS, which takes no smaller parts than S3."""
    with (
        TemporaryDirectory(prefix="seaweedfs-", dir=folder) as files,
        s3_server(weed, Path(files) / "s3") as server,
    ):
        yield server.environment


@contextmanager
def sea(folder: Path, weed: Path | None = None) -> Iterator[Sea]:
    """With an export, and a sync without faults; on moto's server, or on SeaweedFS, whose program is
    `weed`.

    Raises NoCompilerError, NotStartedError, and BrokenTrialError where that sync fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        server = stack.enter_context(_seaweedfs(weed, folder) if weed else _moto())
        variables, endpoint = {**server, **_AWS}, server["AWS_ENDPOINT_URL_S3"]
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for name, value in variables.items():
            patch.setenv(name, value)  # for what compares, in this process
        client = boto3.Session().client("s3")
        stack.callback(client.close)
        for bucket in ("customer", "ours"):
            client.create_bucket(Bucket=bucket)
        faulty = stack.enter_context(serve_faulty_s3(endpoint))
        warm = stack.enter_context(start_warm(folder / "warm"))
        environment = {**variables, "AWS_ENDPOINT_URL_S3": faulty.endpoint}
        planted = "" if weed else SMALL_PARTS
        found = Sea(warm, faulty, client, folder, environment, planted)
        FIRST_SYNC.deliver_news(Place(folder, "", S3Target(client, "customer")).export)
        if differences := found.sail((), 0, 0, syncs=1).differences:
            raise BrokenTrialError("; ".join(differences))
        yield found


def _said(ended: Ended) -> Iterator[str]:
    """What a sync may not say. One that fails says why."""
    if ended.code == HUNG:
        yield "the sync did not end"
    elif ended.code < 0:
        yield f"the sync was ended by signal {-ended.code}"
    if ended.has_traceback:
        yield f"the sync showed a traceback: {ended.stderr[-1500:]}"
    if ended.code and not ended.stderr.strip():
        yield "the sync failed without a sentence"
