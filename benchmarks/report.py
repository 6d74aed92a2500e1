"""The results as a picture and as a table for the documentation."""

from growth import COMPONENTS, DEGREE
from pictures import BLUE, GREEN, GREY, ORANGE, PURPLE, YELLOW, drawing, name_lines
from tables import list_table

# Colour, marker and name of each kind of contender.
KINDS = {
    "straightforward": (ORANGE, "o", "straightforward: harmonics of SciPy at all pixels"),
    "scikit-learn": (YELLOW, "s", "scikit-learn: the same, then its PCA"),
    "sphericart": (PURPLE, "^", "sphericart: compiled harmonics, then NumPy"),
    "limit": (GREY, "|", "one step alone (LAPACK, BLAS or NumPy), as named"),
    "skgeo": (BLUE, "D", "skgeo with another setting, as named"),
}


@drawing
def draw(result, path):
    """One row a workload, with the times of all contenders beside skgeo; below, the curves of growth."""
    import matplotlib.pyplot as plt

    threads = min((row["threads"] for row in result["rows"] if isinstance(row["threads"], int)), default=1)
    rows = [row for row in result["rows"] if row["threads"] == threads and 0 < row["ratio"] < float("inf")]
    # A workload that only skgeo does has nothing to compare.
    titles = [row["workload"] for row in rows if row["contender"] != "skgeo"]
    titles = list(dict.fromkeys(titles))[::-1]
    height = 0.4 * len(titles) + 1
    regions = result.get("regions", [])
    panels = [height, 3.2] + [3.2] * bool(regions)
    figure, axes = plt.subplots(len(panels), 1, figsize=(9, sum(panels)), height_ratios=panels, layout="constrained")
    draw_ratios([row for row in rows if row["workload"] in titles], titles, axes[0])
    axes[0].set_xlabel(f"time / time of skgeo ({'one thread' if threads == 1 else f'{threads} threads'})")
    draw_growth(result["growth"], axes[1])
    if regions:
        draw_regions(regions, axes[2])
    figure.savefig(path)


def draw_ratios(rows, titles, ax):
    """The times of all contenders of each workload, as multiples of the time of skgeo."""
    ax.axvline(1, color=BLUE, linewidth=1.5)
    for kind, (colour, marker, name) in KINDS.items():
        chosen = [row for row in rows if row["contender"].startswith(kind) and row["contender"] != "skgeo"]
        for row in chosen:
            # "limit: product" and "skgeo, float32" are named beside their marks, and "a tenth of the points" too.
            what = row["contender"].removeprefix(kind).lstrip(":, ")
            ratio = f"{row['ratio']:,.0f}" if row["ratio"] >= 100 else f"{row['ratio']:.2g}"
            left = row["ratio"] < 1
            above = kind in ("limit", "scikit-learn") or (kind == "sphericart" and not left)
            place = titles.index(row["workload"])
            ax.annotate(
                f"{ratio}, {what}" if what else ratio,
                (row["ratio"], place),
                (-5 if left else 5, 5 if above else -5),
                textcoords="offset points",
                ha="right" if left else "left",
                va="center",
                fontsize=6.5,
                color="0.25",
            )
        values, places = [row["ratio"] for row in chosen], [titles.index(row["workload"]) for row in chosen]
        ax.plot(values, places, marker, color=colour, markersize=9 if marker == "|" else 5, label=name)
    ax.set(xscale="log", yticks=range(len(titles)), ylim=(-0.6, len(titles) - 0.4))
    ax.set_yticklabels([title.replace(", L=", "\nL=") for title in titles])
    # Text stands beside the outermost marks.
    low, high = ax.get_xlim()
    ax.set_xlim(low / 80, high * 40)
    ax.set_xticks([tick for tick in ax.get_xticks() if low <= tick <= high])
    ax.minorticks_off()
    ax.text(1, len(titles) - 0.45, "skgeo", color=BLUE, ha="center", va="bottom", fontweight="bold")
    ax.legend(fontsize=8, ncols=2, loc="lower center", bbox_to_anchor=(0.35, 1.02))


def draw_growth(curves, ax):
    """Seconds against the number of points or pixels, a curve for each kind of work."""
    lines = []
    for curve, colour in zip(curves, (BLUE, ORANGE, GREEN, PURPLE, YELLOW), strict=False):
        label = f"{curve['title']}: n$^{{{curve['exponent']:.2f}}}$"
        lines += ax.loglog(curve["sizes"], curve["seconds"], "o-", color=colour, label=label)
    ax.set(xlabel="n, points or pixels", ylabel=f"seconds (one thread,\nL = {DEGREE}, k = {COMPONENTS})")
    ax.set_title("Time against the amount of data")
    if lines:
        last = max(curve["sizes"][-1] for curve in curves)
        ax.set_xlim(curves[0]["sizes"][0] / 2, last * 1000)  # room for the names
        ax.set_xticks([tick for tick in ax.get_xticks() if tick <= last])
        ax.minorticks_off()
        name_lines(ax, lines)


def draw_regions(curves, ax):
    """Seconds of a fit against the degree, a curve for each share of the sphere."""
    for curve, colour in reversed(list(zip(curves, (BLUE, ORANGE, GREEN, PURPLE, YELLOW), strict=False))):
        label = f"{curve['size']}° x {curve['size']}°, {curve['share']:.2%} of the sphere"
        ax.loglog(curve["degrees"], curve["seconds"], "o-", color=colour, label=label)
    degrees = sorted({degree for curve in curves for degree in curve["degrees"]})
    # Curves end at different degrees: a legend beside all of them covers none.
    ax.set_xlim(right=degrees[-1] * 3)
    ax.legend(fontsize=8, loc="lower right")
    ax.set_xticks(degrees, [str(degree) for degree in degrees])
    ax.minorticks_off()
    ax.set(xlabel="degree L", ylabel="seconds of fit\n(one thread, all components)")
    ax.set_title("Time of a region against the degree")


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
