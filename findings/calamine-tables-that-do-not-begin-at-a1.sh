#!/usr/bin/env bash
# Expected: the ways in which python-calamine gives a sheet's rows number them alike, and a cell with an error is told from an empty one.
# Seen with python-calamine 0.9.1: for a table that begins at B3, to_python() drops the rows above and the column before it, iter_rows()
# drops the column only, to_python(skip_empty_area=False) drops neither; #N/A comes as an empty text. Whoever names cells in messages
# must use the last way, and a failed lookup in a spreadsheet looks like a cell that was left empty.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check python-calamine==0.9.1 openpyxl==3.1.5
"$folder/env/bin/python" - "$folder" <<'PY'
import sys
from importlib.metadata import version
from pathlib import Path

from openpyxl import Workbook
from python_calamine import CalamineWorkbook

path = Path(sys.argv[1], "table.xlsx")
book = Workbook()
sheet = book.active
sheet["B3"], sheet["C3"] = "sku", "image_file"
sheet["B4"], sheet["C4"] = "A-12", "#N/A"
sheet["C4"].data_type = "e"
book.save(path)

read = CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0)
ways = {
    "to_python()": read.to_python(),
    "iter_rows()": list(read.iter_rows()),
    "to_python(skip_empty_area=False)": read.to_python(skip_empty_area=False),
}
print(f"python-calamine {version('python-calamine')}")
for name, rows in ways.items():
    at = next((r + 1, c + 1) for r, row in enumerate(rows) for c, cell in enumerate(row) if cell == "sku")
    print(f"{name}: the header cell B3 is row {at[0]}, column {at[1]}")
    ways[name] = at
error = read.to_python(skip_empty_area=False)[3][2]
print(f"the cell with #N/A is {error!r}")
assert list(ways.values()) == [(1, 1), (3, 1), (3, 2)], "the three ways number the cells otherwise now"
assert error == "", "a cell with an error is told from an empty one now"
PY
