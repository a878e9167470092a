"""Contentsquare Data Connect exports as Dagster assets."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from csq_assets.component import DataConnectComponent

__version__ = "0.1.0"
__all__ = ["DataConnectComponent"]


def __getattr__(name: str) -> Any:
    """The component, imported when somebody asks for it: with Dagster it takes seconds."""
    if name == "DataConnectComponent":
        from csq_assets.component import DataConnectComponent  # noqa: PLC0415

        return DataConnectComponent
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]  # where dg finds components
