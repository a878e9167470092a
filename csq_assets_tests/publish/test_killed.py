"""A publication that is killed at any access to the place: readers see one version, whole, and the next
publication ends what it began."""

from typing import Any

import pytest

from csq_assets.publish.publication import Publication
from csq_assets_tests.publish.published import Publisher
from csq_assets_tests.warehouse.deliveries import delivered

EVENTS = "user_id event_id page"


class Killed(BaseException):
    """The process ends here."""


class Mortal:
    """A store of objects that lives for some accesses; then its process is killed."""

    def __init__(self, objects: Any, accesses: int) -> None:
        self._objects = objects
        self._left = accesses

    def __getattr__(self, name: str) -> Any:
        if name in ("publish", "put", "list", "delete", "read"):
            if self._left == 0:
                raise Killed
            self._left -= 1
        return getattr(self._objects, name)


def publish_and_die(publisher: Publisher, accesses: int, *, purges: bool) -> bool:
    """Whether the publication was killed."""
    with publisher.opened() as publication:
        target: Any = publication.target
        target._objects = Mortal(target._objects, accesses)
        mortal = Publication(target, publication.namespace, publication.place)
        act = mortal.purge if purges else mortal.publish
        try:
            act(publisher.platform.connection, "pageviews")
        except Killed:
            return True
        return False


@pytest.mark.parametrize("purges", [False, True])
def test_readers_see_one_version_and_the_next_pass_ends_it(
    publisher: Publisher, *, purges: bool
) -> None:
    publisher.platform.deliver(1, pageviews=delivered(EVENTS, (1, 0, "/"), (3, 0, "/")))
    publisher.sync("pageviews")
    accesses, killed = -1, True
    while killed:
        accesses += 1
        before = publisher.expected("pageviews")
        new = [(user, accesses + 1, "/") for user in (1, 3)]
        publisher.platform.deliver(accesses + 2, pageviews=delivered(EVENTS, *new)).sync()
        after = publisher.expected("pageviews")
        killed = publish_and_die(publisher, accesses, purges=purges)
        assert publisher.published("pageviews") in (before, after)
        again = publisher.purge if purges else publisher.publish
        again("pageviews")
        assert publisher.published("pageviews") == after
    assert accesses >= 3
    publisher.purge("pageviews")
    assert len(publisher.files("pageviews/data/")) == 2
