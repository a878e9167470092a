"""What a faulty store, or a proxy before one, may answer: each kind, at random, from a seed."""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from csq_assets_tests.faulty_s3 import Answer, Fault, Request, Twist, error

_SLOW_SECONDS = 1.5
_PAGE = b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"


def _instead(answer: Answer) -> Callable[[random.Random], Answer]:
    return lambda _: answer


def _after(change: Callable[[Answer], Answer]) -> Callable[[random.Random], Twist]:
    return lambda _: change


def _slow(answer: Answer) -> Answer:
    time.sleep(_SLOW_SECONDS)
    return answer


def _cut(answer: Answer) -> Answer:
    return replace(answer, body=answer.body[: len(answer.body) // 2], length=len(answer.body))


def _flipped(drawn: random.Random) -> Twist:
    def flip(answer: Answer) -> Answer:
        if not answer.body:
            return answer
        body = bytearray(answer.body)
        body[drawn.randrange(len(body))] ^= 1 << drawn.randrange(8)
        return replace(answer, body=bytes(body))

    return flip


def _without_etag(answer: Answer) -> Answer:
    headers = {name: text for name, text in answer.headers.items() if name.lower() != "etag"}
    return replace(answer, headers=headers)


# By name: an answer in the place of moto's, or what becomes of moto's after it has done the deed.
FAULTS: Mapping[str, Callable[[random.Random], Answer | Twist]] = {
    "reset": _instead(Answer(0, instead="reset")),
    "reset after the deed": _after(lambda _: Answer(0, instead="reset")),
    "dropped": _instead(Answer(0, instead="close")),
    "slow": _after(_slow),
    "cut": _after(_cut),
    "without a length": _after(lambda answer: replace(answer, length=-1)),
    "cut, and without a length": _after(
        lambda answer: replace(answer, body=answer.body[: len(answer.body) // 2], length=-1)
    ),
    "chunked, without a length": _after(lambda answer: replace(answer, chunked="whole")),
    "chunked, and cut": _after(
        lambda answer: replace(answer, body=answer.body[: len(answer.body) // 2], chunked="cut")
    ),
    "too short a length": _after(lambda answer: replace(answer, length=len(answer.body) // 2 or 1)),
    "too long a length": _after(lambda answer: replace(answer, length=len(answer.body) + 7)),
    "one bit flipped": _flipped,
    "301": _instead(error(301, "PermanentRedirect")),
    "403": _instead(error(403, "AccessDenied")),
    "404": _instead(error(404, "NoSuchKey")),
    "429": _instead(error(429, "TooManyRequests")),
    "500": _instead(error(500, "InternalError")),
    "500 after the deed": _after(lambda _: error(500, "InternalError")),
    "502 with a web page": _instead(Answer(502, _PAGE, {"Content-Type": "text/html"})),
    "503": _instead(error(503, "SlowDown")),
    "an error in a 200": _instead(error(200, "InternalError")),
    "an empty 200": _instead(Answer(200)),
    "no ETag": _after(_without_etag),
    "an expired token": _instead(error(400, "ExpiredToken")),
}
STALE = "a stale listing"
KINDS = (*FAULTS, STALE)


@dataclass(slots=True)
class Storm:
    """Hits some requests, each with one of `kinds`; `hit` counts them, and `stale` the listings among
    them. `share` is from 0 to 1."""

    kinds: tuple[str, ...]
    seed: int
    share: float
    hit: int = 0
    stale: int = 0
    _drawn: random.Random = field(init=False)
    _listings: dict[str, Answer] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._drawn = random.Random(self.seed)  # noqa: S311

    @property
    def fault(self) -> Fault:
        return self._hit

    def _hit(self, request: Request) -> Answer | Twist | None:
        if self._drawn.random() >= self.share:
            return None
        kind = self._drawn.choice(self.kinds)
        if kind != STALE:
            self.hit += 1
            return FAULTS[kind](random.Random(self._drawn.random()))  # noqa: S311
        if not request.is_listing:
            return None
        return self._stale(request)

    def _stale(self, request: Request) -> Twist:
        """As it was when it was first asked for: a sync cannot know what it lacks."""

        def show(answer: Answer) -> Answer:
            known = self._listings.setdefault(request.path, answer)
            is_stale = known.body != answer.body
            self.hit += is_stale
            self.stale += is_stale
            return known

        return show
