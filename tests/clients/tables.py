"""pandas and pyarrow read a table: `tables.py ADDRESS csv|parquet`; prints what each of them found."""

import io
import json
import sys
import urllib.request

import pandas as pd
import pyarrow.csv
import pyarrow.parquet


def main():
    address, form = sys.argv[1:]
    with urllib.request.urlopen(address, timeout=60) as answer:
        data = answer.read()
    readers = {
        "csv": (pd.read_csv, lambda file: pyarrow.csv.read_csv(file).to_pandas()),
        "parquet": (pd.read_parquet, lambda file: pyarrow.parquet.read_table(file).to_pandas()),
    }[form]
    told = {
        name: found(read(io.BytesIO(data))) for name, read in zip(("pandas", "pyarrow"), readers, strict=True)
    }
    json.dump(told, sys.stdout)


def found(table):
    told = {"rows": len(table), "columns": list(table.columns)}
    if "value" in table.columns:
        times = pd.to_datetime(
            table["time"], utc=True, format=None if table["time"].dtype.kind == "M" else "ISO8601"
        )
        told |= {
            "values": [None if pd.isna(each) else float(each) for each in table["value"]],
            "times_us": [each.value // 1000 for each in times],
            "stations": sorted(set(table["station"])),
        }
    return told


main()
