"""The peers of the ETL benchmark: peers.py facts FILE | peers.py PEER FILE OUTPUT_FOLDER."""

import json
import os
import sys

import duckdb
import pyarrow as pa


def relation(db, path):
    return db.read_parquet(path) if path.endswith(".parquet") else db.read_csv(path, header=True)


def batches(path):
    return relation(duckdb.connect(), path).fetch_arrow_reader(131072)


def facts(path):
    rows = size = 0
    for batch in batches(path):
        rows += batch.num_rows
        size += batch.nbytes
    print(json.dumps({"rows": rows, "arrowBytes": size}))


def pyiceberg(path, out):
    from pyiceberg.catalog.sql import SqlCatalog

    os.makedirs(out)
    catalog = SqlCatalog("bench", uri=f"sqlite:///{out}/catalog.db", warehouse=f"file://{out}")
    catalog.create_namespace("bench")
    rows = pa.Table.from_batches(batches(path))
    catalog.create_table("bench.lineitem", rows.schema).append(rows)


def duckdb_parquet(path, out):
    os.makedirs(out)
    relation(duckdb.connect(), path).write_parquet(f"{out}/lineitem.parquet", compression="zstd")


what, *rest = sys.argv[1:]
{"facts": facts, "pyiceberg": pyiceberg, "duckdb parquet only": duckdb_parquet}[what](*rest)
