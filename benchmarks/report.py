"""The results as a picture and as a table for the documentation."""

from growth import COMPONENTS, DEGREE
from tables import list_table

KINDS = {"straightforward": "tab:red", "scikit-learn": "tab:orange", "sphericart": "tab:purple", "skgeo": "tab:blue"}


def draw(result, path):
    """One line a workload, with the times of all contenders beside skgeo; below, the curves of growth."""
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    threads = min((row["threads"] for row in result["rows"] if isinstance(row["threads"], int)), default=1)
    rows = [row for row in result["rows"] if row["threads"] == threads and row["ratio"] < float("inf")]
    titles = list(dict.fromkeys(row["workload"] for row in rows))[::-1]
    height = 0.35 * len(titles) + 1
    figure, (ratios, curves, areas) = plt.subplots(
        3, 1, figsize=(9, height + 7), height_ratios=[height, 3.5, 3.5], layout="constrained"
    )
    for kind, colour in (KINDS | {"limit": "0.5"}).items():
        chosen = [row for row in rows if row["contender"].startswith(kind)]
        places = [titles.index(row["workload"]) for row in chosen]
        values = [row["ratio"] for row in chosen]
        ratios.scatter(values, places, 60, colour, "|" if kind == "limit" else "o", label=kind)
        below = kind in ("limit", "scikit-learn")
        for row, value, place in zip(chosen, values, places, strict=True):
            if kind != "skgeo":
                part = " (part of the work)" if " of the " in row["contender"] else ""
                where = (-4, -11) if below else (3, 4)
                text = f"{value:,.0f}" if value >= 100 else f"{value:.2g}"
                ratios.annotate(text + part, (value, place), where, textcoords="offset points", fontsize=7)
    ratios.set(xscale="log", xlabel=f"time / time of skgeo, {threads} thread(s)", yticks=range(len(titles)))
    ratios.set_yticklabels(titles, fontsize=8)
    ratios.axvline(1, color="tab:blue", linewidth=0.8, zorder=0)
    ratios.grid(axis="y", linewidth=0.3)
    ratios.margins(x=0.12)
    ratios.legend(fontsize=8, ncols=5, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    for curve in result["growth"]:
        label = f"{curve['title']}: exponent {curve['exponent']:.2f}"
        curves.loglog(curve["sizes"], curve["seconds"], marker="o", label=label)
    curves.set(xlabel="points or pixels", ylabel=f"seconds, 1 thread, L={DEGREE}, k={COMPONENTS}")
    if result["growth"]:
        curves.legend(fontsize=8)
    draw_regions(result.get("regions", []), areas)
    figure.savefig(path, dpi=150)


def draw_regions(curves, axes):
    """Seconds of a fit against the degree, a curve for each share of the sphere."""
    for curve in curves:
        label = f"{curve['size']} x {curve['size']} degrees, {curve['share']:.2%} of the sphere"
        axes.loglog(curve["degrees"], curve["seconds"], marker="o", label=label)
    axes.set(xlabel="degree L", ylabel="seconds of fit, 1 thread, all components")
    if curves:
        axes.legend(fontsize=8)


def write_text(result, path):
    """All contenders of all workloads as a table, the machine and the exponents of growth."""
    table = [("workload", "threads", "who", "seconds", "x skgeo", "growth of memory, MB", "error")]
    title = None
    for row in result["rows"]:
        error = "" if row["error"] is None else f"{row['error']:.0e}"
        once = "" if len(row["turns"]) > 1 else " (one turn)"
        cells = [row["workload"] if row["workload"] != title else "", row["threads"], row["contender"] + once]
        cells += [f"{row['seconds']:.3g}", f"{row['ratio']:.3g}", f"{row['growth_mb']:.0f}", error]
        title = row["workload"]
        table.append(cells)
    machine = result["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    exponents = "; ".join(f"{curve['title']} {curve['exponent']:.2f}" for curve in result["growth"])
    lines = [
        list_table(table),
        f"Machine: {machine['cpu']}, {machine['cores']} cores; Python {machine['python']}, {versions}.",
    ]
    lines += ["", f"Exponents of growth from 1e5 to 1e7, L={DEGREE}, k={COMPONENTS}, one thread: {exponents}.", ""]
    path.write_text("\n".join(lines))
