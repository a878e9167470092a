"""What the files of a Hadoop catalog on S3 say of an Iceberg table, without Spark."""

import json
from dataclasses import dataclass
from typing import Any

from csq_assets.spark.iceberg import STATE
from csq_assets_tests.spark.s3 import BUCKET


@dataclass(frozen=True, slots=True)
class TableFiles:
    """The table in this folder of the bucket."""

    client: Any  # boto3's
    folder: str

    def heads(self) -> dict[str, int]:
        """The snapshot of each branch; none where there is no table."""
        found = self._metadata()
        return {name: ref["snapshot-id"] for name, ref in found.get("refs", {}).items()}

    def applied(self) -> list[int]:
        """The dumps that the snapshot of `main` names."""
        found, head = self._metadata(), self.heads()["main"]
        (summary,) = (one["summary"] for one in found["snapshots"] if one["snapshot-id"] == head)
        return [dump[0] for dump in json.loads(summary[STATE])["dumps"]]

    def _metadata(self) -> Any:
        """The newest, as Iceberg finds it: the hint may be behind, or on its way."""
        found = self.client.list_objects_v2(Bucket=BUCKET, Prefix=f"{self.folder}/metadata/v")
        keys = [one["Key"] for one in found.get("Contents", []) if one["Key"].endswith(".json")]
        if not keys:
            return {}
        newest = max(keys, key=lambda key: int(key.rpartition("/v")[2].partition(".")[0]))
        return json.loads(self.client.get_object(Bucket=BUCKET, Key=newest)["Body"].read())
