"""A lake's identity, by which it is told from another lake under the same setting."""

import uuid

from pydantic import BaseModel, ValidationError

from csq_assets.errors import StorageError
from csq_assets.lake.objects import ObjectStore

_KEY = "lake.json"


class _Document(BaseModel):
    identity: uuid.UUID


def read_identity(objects: ObjectStore) -> str | None:
    """The UUID in `lake.json`; None where nothing was written into the lake yet.

    Raises StorageError where the document is damaged.
    """
    try:
        body = objects.read(_KEY)
    except FileNotFoundError:
        return None
    try:
        return str(_Document.model_validate_json(body).identity)
    except ValidationError as error:
        raise StorageError(
            f"{objects.url}/{_KEY} is damaged: {error.errors()[0]['msg']}",
            remedy="Put that file back from a backup.",
        ) from None


def ensure_identity(objects: ObjectStore) -> str:
    """The lake's identity, given to it now if it has none."""
    identity = read_identity(objects)
    if identity is None:
        document = _Document(identity=uuid.uuid4())
        objects.put(_KEY, document.model_dump_json().encode())
        identity = read_identity(objects) or str(document.identity)  # another's, if it was later
    return identity
