"""One session of Spark for many requests: a line of JSON each, and a line for the answer.

It is executed by the Python of the cluster, so that tests pay for a session once.
"""

import json
import sys
import traceback

from csq_assets.errors import CsqError
from csq_assets.spark.job import execute, open_session
from csq_assets.spark.messages import ANSWERS, REQUESTS


def main() -> None:
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if "sql" in request:
                request_place = REQUESTS.validate_python(request["request"]).place
                found = open_session(request_place).sql(request["sql"])
                told = {"columns": found.columns, "rows": [list(row) for row in found.collect()]}
            else:
                wanted = REQUESTS.validate_python(request["request"])
                answer = execute(open_session(wanted.place), wanted)
                told = {"answer": ANSWERS.dump_python(answer, mode="json")}
        except CsqError as error:
            told = {"csq_error": {"message": error.message, "where": error.where}}
        except Exception:  # noqa: BLE001  # the test is told, whatever it was
            told = {"error": traceback.format_exc()}
        answers.write(json.dumps(told, default=str) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
