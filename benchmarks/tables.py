"""Write results to files: tables in reStructuredText, and rows in JSON."""

import json


def write_table(rows, path):
    """Rows of cells, the header first; empty cells stay empty."""
    path.write_text(list_table(rows), encoding="utf-8")


def list_table(rows):
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in rows:
        lines += [f"   {' ' if i else '*'} - {cell}".rstrip() for i, cell in enumerate(row)]
    return "\n".join([*lines, ""])


def write_rows(rows, path):
    """One row a line."""
    replace_text("[\n" + ",\n".join(map(json.dumps, rows)) + "\n]\n", path)


def replace_text(text, path):
    """Write a file. If the run is stopped while it writes, the old file stays, and the next run continues from it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".part")
    beside.write_text(text)
    beside.replace(path)


def mean_and_deviation(mean, deviation, digits=1):
    """As text; without a deviation the mean alone."""
    return f"{mean:z.{digits}f}" + ("" if deviation is None else f" ± {deviation:.{digits}f}")
