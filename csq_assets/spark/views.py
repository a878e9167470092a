"""Views of a session: statements of a job read one another by name."""

from typing import Any


class Views:
    """Views of the session, some of them held: computed once, until `close`."""

    def __init__(self, spark: Any) -> None:
        self.spark = spark
        self._held: list[Any] = []

    def make(self, name: str, statement: str) -> None:
        self.spark.sql(statement).createOrReplaceTempView(name)

    def compute(self, name: str, statement: str) -> None:
        """The same, held."""
        self.hold(self.spark.sql(statement)).createOrReplaceTempView(name)

    def hold(self, frame: Any) -> Any:
        """The frame, which is computed once, from now on."""
        self._held.append(frame.persist())
        return frame

    def value(self, statement: str) -> Any:
        """The first value of the first row."""
        return self.spark.sql(statement).first()[0]

    def close(self) -> None:
        for frame in self._held:
            frame.unpersist()
