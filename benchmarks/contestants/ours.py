"""Decodes one table of a dump into the lake: EXPORT LAKE DUMP_ID TABLE, the former two as URLs.

As `csq_assets.lake.decoding` does it, without the ledger and without the checks. As many threads
decode as there are cores to run on.
"""

import os
import sys

from benchmarks.timed import report
from csq_assets.aws import s3_client
from csq_assets.dataconnect.manifest import parse_manifest
from csq_assets.dataconnect.raw_table import RawPartition, write_partition
from csq_assets.lake.locations import open_export, open_lake
from csq_assets.lake.partition_facts import footer_of
from csq_assets.lake.store import Rows

export_url, lake_url, dump_id, table = sys.argv[1:]
cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


export = open_export(export_url, "manifests/", s3_client)
store = open_lake(lake_url, s3_client).store


def work() -> int:
    body = export.objects.read(f"manifests/sync_{dump_id}.json")
    dump = parse_manifest(body).table(table)
    assert dump is not None

    def write(partition: RawPartition) -> int:
        def footer() -> dict[str, str]:
            return footer_of(partition.raw_schema, partition.totals)

        store.write(table, dump.dump_id, Rows(partition.schema, partition.frames(), footer))
        return partition.totals.rows

    return write_partition(
        dump, export.open_file, write, workers=cores or 1, ahead=export.objects.at_once
    )


report(work)
