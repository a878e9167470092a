"""What the server can do: gets objects by addresses that are signed beforehand. BUCKET PREFIX.

Several at once, over connections that stay open; nothing is made of their bytes.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from threading import local

import boto3
from urllib3 import HTTPConnectionPool
from urllib3.util import parse_url

from benchmarks.timed import report

_AT_ONCE = 8

bucket, prefix = sys.argv[1:]
client = boto3.client("s3")
pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
keys = [found["Key"] for page in pages for found in page["Contents"]]
addresses = [
    client.generate_presigned_url("get_object", {"Bucket": bucket, "Key": key}) for key in keys
]
place = parse_url(addresses[0])
own = local()


def get(address: str) -> int:
    if not hasattr(own, "pool"):
        own.pool = HTTPConnectionPool(place.host or "", place.port)
    answer = own.pool.request("GET", parse_url(address).request_uri)
    assert answer.status == 200, answer.data
    return len(answer.data)


def work() -> int:
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        return len(list(threads.map(get, addresses)))


report(work)
