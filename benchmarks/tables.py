"""Tables in reStructuredText."""


def write_table(rows, path):
    """Rows of cells, the header first; empty cells stay empty."""
    path.write_text(list_table(rows), encoding="utf-8")


def list_table(rows):
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in rows:
        lines += [f"   {' ' if i else '*'} - {cell}".rstrip() for i, cell in enumerate(row)]
    return "\n".join([*lines, ""])


def mean_and_deviation(mean, deviation, digits=1):
    """As text; without a deviation the mean alone."""
    return f"{mean:.{digits}f}" + ("" if deviation is None else f" ± {deviation:.{digits}f}")
