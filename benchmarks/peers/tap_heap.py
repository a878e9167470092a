"""tap-heap reads the export from a bucket, target-jsonl writes lines: TAP TARGET CONFIG CATALOG OUT.

TAP and TARGET are the commands, of two environments.
"""

import json
import subprocess
import sys
from pathlib import Path

tap, target, config, catalog, out = sys.argv[1:]
settings = Path(out) / "target.json"
settings.write_text(json.dumps({"destination_path": out, "do_timestamp_file": False}))
with subprocess.Popen(
    (tap, "--config", config, "--properties", catalog), stdout=subprocess.PIPE
) as reading:
    writing = subprocess.run((target, "--config", str(settings)), stdin=reading.stdout, check=False)
    if reading.stdout:
        reading.stdout.close()
sys.exit(reading.returncode or writing.returncode)
