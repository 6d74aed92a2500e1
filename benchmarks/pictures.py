"""The look of all pictures of results: colours that readers with any eyes can distinguish, and names beside lines."""

import functools

# The colours of Okabe and Ito. Pictures keep BLUE for skgeo.
BLUE, ORANGE, GREEN, PURPLE, YELLOW, GREY = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#808080"
STYLE = {
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.labelsize": 9,
    "font.size": 9,
    "grid.color": "0.88",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "lines.markersize": 5,
    "savefig.dpi": 150,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
}


def drawing(draw):
    """Decorate a function that draws and saves figures: they get this look, and need no screen."""

    @functools.wraps(draw)
    def drawn(*args, **options):
        import matplotlib as mpl

        mpl.use("agg")
        import matplotlib.pyplot as plt

        with mpl.rc_context(STYLE):
            draw(*args, **options)
        plt.close("all")

    return drawn


def name_lines(ax, lines, *, distance=1.0):
    """Write the label of each line beside its last point, in its colour; labels do not overlap.

    The limits and the scale of the y axis must be set before. ``distance`` is in heights of a line of text.
    """
    ax.figure.canvas.draw()  # the layout decides how far apart two values are on the paper
    step = distance * 1.3 * 8 * ax.figure.dpi / 72  # pixels a label of 8 points
    ends = [(ax.transData.transform((line.get_xdata()[-1], line.get_ydata()[-1])), line) for line in lines]
    lowest = -float("inf")
    for (x, y), line in sorted(ends, key=lambda end: end[0][1]):
        lowest = max(y, lowest + step)
        ax.annotate(
            line.get_label(),
            ax.transData.inverted().transform((x, y)),
            (6, (lowest - y) * 72 / ax.figure.dpi),
            textcoords="offset points",
            color=line.get_color(),
            fontsize=8,
            va="center",
            annotation_clip=False,
        )
