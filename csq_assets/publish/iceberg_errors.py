"""What pyiceberg and the libraries below it raise, as errors that say what to do."""

from collections.abc import Iterator
from contextlib import contextmanager

from csq_assets.errors import CsqError, SettingsError, StorageError
from csq_assets.interruption import Interrupted
from csq_assets.masking import masked

_CONFIGURED = (
    "as pyiceberg's configuration names it (PYICEBERG_CATALOG__DEFAULT__URI, .pyiceberg.yaml)"
)
_LIBRARIES = (
    "boto3 botocore google hive_metastore pyarrow pyiceberg requests sqlalchemy thrift urllib3"
)


@contextmanager
def explained(table: str) -> Iterator[None]:
    """Raises StorageError for what a catalog, its driver or the files of a table raise; they have no
    class in common. No cause is kept: its text may hold a secret.
    """
    try:
        yield
    except Exception as error:
        if not isinstance(error, OSError) and _library(error) not in _LIBRARIES.split():
            raise
        raise StorageError(
            f"it cannot be published: {_said(error)}",
            where={"table": table},
            remedy=f"Check the catalog, {_CONFIGURED}, and CSQ_PUBLISH_URL, and run csq sync again. "
            "The current tables in DuckDB are up to date all the same.",
        ) from None


@contextmanager
def opening() -> Iterator[None]:
    """Raises SettingsError where no catalog can be made of the configuration, and StorageError where
    there is one that does not answer."""
    try:
        yield
    except (CsqError, Interrupted, MemoryError):
        raise
    except ImportError as error:
        raise SettingsError(
            f"publishing as Iceberg takes a package that is not installed: {error.name}",
            where={"setting": "CSQ_PUBLISH_FORMAT"},
            remedy="pip install 'csq-assets[iceberg]', or set CSQ_PUBLISH_FORMAT=parquet.",
        ) from None
    except Exception as error:  # noqa: BLE001 - ValueError, for instance
        is_outside = isinstance(error, OSError) or _library(error) in _LIBRARIES.split()
        raise (StorageError if is_outside else SettingsError)(
            f"the catalog cannot be opened: {_said(error)}",
            where={"setting": "CSQ_PUBLISH_URL"},
            remedy=f"Check it, {_CONFIGURED}.",
        ) from None


def _library(error: Exception) -> str:
    return type(error).__module__.partition(".")[0]


def _said(error: Exception) -> str:
    return masked(f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}")
