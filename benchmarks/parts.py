"""The CPU time of a process by parts, which follow one another or lie in one another: what the process
takes while a part lasts, in all threads, is that part's alone."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any


class Parts:
    """Counts from here on, or from the start of the process; what no other part has is of the one named
    `rest`."""

    def __init__(self, rest: str, *, from_start: bool = False) -> None:
        self._seconds: dict[str, float] = {}
        self._open = [rest]
        self._since = 0.0 if from_start else time.process_time()

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """What happens inside is of that part."""
        self._settle()
        self._open.append(name)
        try:
            yield
        finally:
            self._settle()
            self._open.pop()

    def rest_is(self, name: str) -> None:
        """From here on, what no other part has is of this one."""
        self._settle()
        self._open[0] = name

    def count(self, owner: Any, function: str, name: str) -> None:
        """Replace a function of a module, or a method of a class, by one that is of that part."""
        plain: Callable[..., Any] = getattr(owner, function)

        @wraps(plain)
        def counted(*arguments: Any, **named: Any) -> Any:
            with self.part(name):
                return plain(*arguments, **named)

        setattr(owner, function, counted)

    def write(self, file: Path) -> None:
        """The seconds of each part so far, as JSON."""
        self._settle()
        file.write_text(json.dumps(self._seconds))

    def _settle(self) -> None:
        now, name = time.process_time(), self._open[-1]
        self._seconds[name] = self._seconds.get(name, 0) + now - self._since
        self._since = now
