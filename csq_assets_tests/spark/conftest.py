"""What needs Spark is collected where `make test-spark` names the Python that has it."""

import os

collect_ignore = [] if os.environ.get("CSQ_TEST_SPARK") else ["test_histories.py"]
