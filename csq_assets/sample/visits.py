"""What people do in one dump's window: sessions, pageviews and three custom events, as rows."""

from collections.abc import Iterator
from random import Random
from typing import Any, TypeAlias

from csq_assets.sample.people import Person
from csq_assets.sample.schedule import DAY, MINUTE, SECOND, Schedule, as_text

Row: TypeAlias = dict[str, Any]

_PAGES = {
    "/": "Acme: tools that last",
    "/pricing": "Pricing",
    "/products/anvil": "The anvil",
    "/products/rocket-skates": "Rocket skates",
    "/products/bird-seed": "Bird seed, 1 kg",
    "/blog/why-we-tunnel": "Why we paint tunnels",
    "/cart": "Your cart",
    "/signup": "Sign up",
    "/welcome": "Welcome 🎉",
}
_OFTEN_SEEN = ("/", "/", "/", "/pricing", *[path for path in _PAGES if "/products/" in path])
_SELDOM_SEEN = ("/blog/why-we-tunnel", "/products/anvil", "/cart", "/pricing")
_PRODUCTS = (
    ("anvil", "hardware", 129.0),
    ("rocket-skates", "mobility", 349.5),
    ("bird-seed", "food", 7.25),
)
_SOURCES = (
    (None, None, None, None),
    (None, None, None, None),
    ("https://www.example.com/search", None, None, None),
    ("https://news.example.org/", "newsletter", "spring", "email"),
    (None, "ads", "brand", "cpc"),
)
_MOST_REDELIVERED_VISITS = 3

_USE_SECOND_DEVICE = 0.4
_LOOK_AROUND = 0.7
_PAGES_SCALE, _MOST_MORE_PAGES = 0.4, 12
_SHOP = 0.2
_ORDER = 0.4
_GIFT = 0.1
_FROM_FOOTER = 0.05
_REPEATED = 0.004


class Visit:
    """The rows of one session by table, in the order in which they happened."""

    def __init__(
        self, person: Person, start: int, random: Random, *, on_second: bool = False
    ) -> None:
        self.rows: list[tuple[str, Row]] = []
        self.last_seen: dict[int, int] = {}  # by user_id
        self._person = person
        self._random = random
        self._on_second = on_second
        self._page: str | None = None
        referrer, source, campaign, medium = random.choice(_SOURCES)
        self._common: Row = {
            "session_id": random.getrandbits(62),
            "library": "web",
            "platform": person.platform,
            "device_type": person.device_type,
            "browser": person.browser,
            "country": person.country,
            "utm_source": source,
        }
        self.record(
            "sessions",
            start,
            city=person.city,
            ip=f"203.0.113.{person.number % 250 + 1}",
            referrer=referrer,
            landing_page="https://www.acme.example/",
            utm_campaign=campaign,
            utm_medium=medium,
        )

    def record(self, table: str, time: int, **columns: Any) -> None:
        user_id = self._person.id_at(time, on_second=self._on_second)
        self.last_seen[user_id] = time
        own = {"event_id": self._random.getrandbits(62), "user_id": user_id, "time": as_text(time)}
        self.rows.append((table, {**self._common, **columns, **own}))

    def see_page(self, time: int, path: str) -> None:
        self.record(
            "pageviews",
            time,
            domain="www.acme.example",
            path=path,
            query="?ref=footer" if self._random.random() < _FROM_FOOTER else "",
            title=_PAGES[path],
            previous_page=self._page,
        )
        self._page = path
        if self._random.random() < _REPEATED:  # the sender repeats a row now and then
            self.rows.append(self.rows[-1])

    def shop(self, time: int) -> None:
        product, category, price = self._random.choice(_PRODUCTS)
        quantity = self._random.choice((1, 1, 1, 2, 5))
        self.record(
            "add_to_cart",
            time,
            product=product,
            category=category,
            price=price,
            quantity=quantity,
            target_text=self._random.choice(("Add to cart", "Add to cart", "Buy again")),
        )
        if self._random.random() < _ORDER:
            self.record(
                "_key_events__order_",
                time + MINUTE,
                order_number=f"A-{self._random.randrange(10**6):06}",
                items=quantity,
                revenue=round(price * quantity, 2),
                currency="EUR" if self._person.country in ("Germany", "France") else "USD",
                coupon=self._random.choice((None, None, None, "SPRING")),
                is_gift=self._random.random() < _GIFT,
            )


def make_visits(person: Person, dump: int, schedule: Schedule) -> list[Visit]:
    """The visits in the window of the dump with that place in the order, earliest first."""
    window = schedule.windows[dump]
    if person.joined >= window.stop:
        return []
    random = schedule.random(dump, person.number)
    start = max(window.start, person.joined)
    expected = person.visits_per_day * (window.stop - start) / DAY
    count = int(expected) + (random.random() < expected % 1)
    times = [random.randrange(start, window.stop) for _ in range(count)]
    if person.joined in window:
        times.append(person.joined)
    visits = [(time, _make_visit(person, time, random)) for time in times]
    if person.signed_up is not None and person.signed_up in window:
        visits.append((person.signed_up, _make_sign_up(person, person.signed_up, random)))
    return [visit for _, visit in sorted(visits, key=lambda timed: timed[0])]


def redelivered(person: Person, dump: int, schedule: Schedule) -> Iterator[Row]:
    """Pageviews of the dump before that come once more: the same events, under the newest id."""
    if dump == 0 or (person.number and (person.number + dump) % 20):
        return
    user_id = person.id_at(schedule.windows[dump].stop)
    for visit in make_visits(person, dump - 1, schedule)[-_MOST_REDELIVERED_VISITS:]:
        for table, row in visit.rows:
            if table == "pageviews":
                yield {**row, "user_id": user_id}


def user_row(person: Person, user_id: int, last_seen: int) -> Row:
    """The row of `users` for one of a person's ids. An anonymous one has little to tell."""
    row: Row = {
        "user_id": user_id,
        "joindate": person.joined_as(user_id) * 1000,  # microseconds
        "last_modified": last_seen * 1000,
    }
    if user_id in (person.signed_up_id, person.renamed_id):
        handle = f"{person.first_name}.{person.last_name}{person.number}".lower()
        row |= {
            "identity": f"sso|{handle}" if user_id == person.renamed_id else handle,
            "handle": handle,
            "email": f"{handle}@example.com",
            "company": person.company,
            "role": person.role,
            "plan": person.plan,
        }
    return row


def _make_visit(person: Person, start: int, random: Random) -> Visit:
    has_second = person.second_joined is not None and start >= person.second_joined
    on_second = has_second and random.random() < _USE_SECOND_DEVICE
    visit = Visit(person, start, random, on_second=on_second)
    seen = _OFTEN_SEEN if random.random() < _LOOK_AROUND else _SELDOM_SEEN
    time = start
    for _ in range(1 + min(int(random.expovariate(_PAGES_SCALE)), _MOST_MORE_PAGES)):
        visit.see_page(time, random.choice(seen))
        time += random.randrange(2 * SECOND, MINUTE)
    if random.random() < _SHOP:
        visit.shop(time)
    return visit


def _make_sign_up(person: Person, signed_up: int, random: Random) -> Visit:
    """A session that begins under the old id and ends under the new one."""
    visit = Visit(person, signed_up - MINUTE, random)
    visit.see_page(signed_up - MINUTE, "/pricing")
    visit.see_page(signed_up - 20 * SECOND, "/signup")
    link = {"href": "/signup/confirm", "target_text": "Create my account", "path": "/signup"}
    visit.record("sign_up_click_link", signed_up - 1, **link)
    visit.see_page(signed_up + SECOND, "/welcome")
    return visit
