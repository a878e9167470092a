"""What `csq sync` costs beside Dagster itself: nothing to do, then a dump of ten small tables.

    python benchmarks/sync.py [--rounds 5]

Each round runs, one after the other and in processes of their own: importing Dagster and opening
its instance; `csq sync` with nothing pending; `csq sync` with ten tables pending. Quoted are medians
of CPU seconds, user and system, as other work on the machine changes them least.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import fastavro
from rich.console import Console
from rich.table import Table

REPOSITORY = Path(__file__).parent.parent
TABLES, ROWS = 10, 200
BASELINE = """
import dagster
with dagster.DagsterInstance.get() as instance:
    instance.get_dynamic_partitions("csq_dumps")
"""


def deliver(export: Path, dump_id: int) -> None:
    """A dump of ten event tables with one small file each, and a report."""
    entries = []
    names = ["event_id", "user_id", "session_id", "time", "path"]
    schema = {
        "type": "record",
        "name": "event",
        "fields": [
            {"name": name, "type": "long" if name.endswith("_id") else ["null", "string"]}
            for name in names
        ],
    }
    for number in range(TABLES):
        key = f"sync_{dump_id}/event_{number}/part-00000.avro"
        file = export / key
        file.parent.mkdir(parents=True)
        rows = [
            {"event_id": dump_id * ROWS + row, "user_id": row % 50, "session_id": row, "time": "0"}
            for row in range(ROWS)
        ]
        with file.open("wb") as opened:
            fastavro.writer(opened, schema, rows, codec="snappy")
        entries.append(
            {
                "name": f"event_{number}",
                "incremental": True,
                "columns": names,
                "files": [f"s3://customer/{key}"],
            }
        )
    manifest = export / "manifests" / f"sync_{dump_id}.json"
    manifest.parent.mkdir(exist_ok=True)
    manifest.write_text(json.dumps({"dump_id": dump_id, "tables": entries}))
    report = export / "sync_reports" / "newest.json"
    report.parent.mkdir(exist_ok=True)
    now = int(datetime.now(UTC).timestamp() * 1000)
    report.write_text(json.dumps({"finish_time": now, "status": "succeeded"}))


def cpu_seconds(command: list[str], home: Path) -> tuple[float, float]:
    """CPU and wall seconds of one run, which must succeed."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("CSQ_")},
        "DAGSTER_HOME": str(home),
    }
    started, before = time.perf_counter(), os.times()
    subprocess.run(command, cwd=home, env=environment, check=True, capture_output=True)
    after = os.times()
    cpu = after.children_user + after.children_system
    cpu -= before.children_user + before.children_system
    return cpu, time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    csq = [str(Path(sys.executable).with_name("csq")), "sync"]
    baseline, nothing, ten = [], [], []
    with tempfile.TemporaryDirectory(prefix="csq-bench-") as folder:
        home = Path(folder)
        shutil.copy(REPOSITORY / "dagster.yaml", home)
        export = home / "data" / "export"
        export.mkdir(parents=True)
        deliver(export, 1)
        cpu_seconds(csq, home)
        for number in range(rounds):
            baseline.append(cpu_seconds([sys.executable, "-c", BASELINE], home))
            nothing.append(cpu_seconds(csq, home))
            deliver(export, number + 2)
            ten.append(cpu_seconds(csq, home))
    base, idle, busy = (
        statistics.median(cpu for cpu, _ in runs) for runs in (baseline, nothing, ten)
    )
    table = Table(title=f"csq sync, medians of {rounds} rounds, CPU seconds")
    for column in ("work", "CPU s", "wall s", "figure", "goal"):
        table.add_column(column, justify="left" if column == "work" else "right")
    walls = [statistics.median(wall for _, wall in runs) for runs in (baseline, nothing, ten)]
    table.add_row("import dagster, open its instance", f"{base:.2f}", f"{walls[0]:.2f}", "1", "")
    table.add_row(
        "nothing to do", f"{idle:.2f}", f"{walls[1]:.2f}", f"{idle / base:.2f} x", "≤ 2.5 x"
    )
    table.add_row(
        f"{TABLES} small tables, decoded, checked and current",
        f"{busy:.2f}",
        f"{walls[2]:.2f}",
        f"{(busy - idle) / TABLES:.3f} s a table",
        "≤ 0.25 s",
    )
    Console().print(table)


if __name__ == "__main__":
    main()
