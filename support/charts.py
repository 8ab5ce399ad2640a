"""The charts of a run: its learning curves, and a map of its codes.

Each function that draws writes one PNG, whole or not at all.
"""

import contextlib

import numpy as np

from support.files import replacing

DPI = 100
MAP_CODES = 3000  # on the map of codes, at most
PERPLEXITY = 30  # of t-SNE: how many neighbours count
TSNE_STEPS = 500
MAP_SETTINGS = [MAP_CODES, PERPLEXITY, TSNE_STEPS]
BRIGHTNESS = 0.75  # of the characters in codes.png; yellow at 1 cannot be read on white
GOLDEN_ANGLE = 0.381966  # of a turn: hues that far apart stay distinct, however many there are


@contextlib.contextmanager
def _figure(path, width, height):
    """Yields an empty figure, width x height screen pixels, and then writes it to `path`.

    It does not depend on the user's matplotlibrc.
    """
    import matplotlib.style
    from matplotlib.figure import Figure

    with matplotlib.style.context("default", after_reset=True):
        figure = Figure((width / DPI, height / DPI), dpi=DPI)
        yield figure
        with replacing(path) as partial:
            figure.savefig(partial, format="png")


def draw_curves(path, history, floor):
    """Draws both losses of each epoch, the floor below them, and the best epoch.

    history: a list of dicts with epoch, loss and val_loss.
    """
    from matplotlib.ticker import MaxNLocator

    epochs = [row["epoch"] for row in history]
    losses = [row["loss"] for row in history]
    validation_losses = [row["val_loss"] for row in history]
    best = min(history, key=lambda row: row["val_loss"])
    best_label = f"best: epoch {best['epoch']}, {best['val_loss']:.4f}"
    floor_label = f"floor of validation, {floor:.4f}"
    ring = {"marker": "o", "ms": 10, "mfc": "none", "color": "tab:red", "ls": "none"}

    with _figure(path, 700, 400) as figure:
        figure.set_layout_engine("constrained")
        ax = figure.subplots()
        ax.plot(epochs, losses, ".-", color="tab:gray", label="training")
        ax.plot(epochs, validation_losses, ".-", label="validation")
        ax.plot(best["epoch"], best["val_loss"], label=best_label, **ring)
        ax.axhline(floor, ls="--", color="black", lw=1, label=floor_label)
        ax.set_xlabel("epoch")
        ax.set_ylabel("binary cross-entropy (nats a pixel)")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.legend(frameon=False)


def place_codes(codes):
    """Places codes (N, D) in two dimensions by t-SNE (van der Maaten, Hinton 2008).

    If there are more than MAP_CODES, a random sample, always the same one.

    Returns:
        sample: (n,) indices of the codes.
        points: (n, 2) float32.
    """
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    sample = np.random.default_rng(0).permutation(len(codes))[:MAP_CODES]
    perplexity = min(PERPLEXITY, max(1, (len(sample) - 1) // 3))
    tsne = TSNE(perplexity=perplexity, init="pca", max_iter=TSNE_STEPS, random_state=0)
    with threadpool_limits(1):  # on a busy machine its threads mostly wait for each other
        points = tsne.fit_transform(codes[sample])
    return sample, points


def draw_codes(path, points, y, names):
    """Draws test codes where place_codes puts them, as the characters that they stand for.

    points: (N, 2). y: their labels (N,). names: dict of label to character.
    """
    from matplotlib.colors import hsv_to_rgb

    with _figure(path, 900, 900) as figure:
        ax = figure.add_axes((0.02, 0.02, 0.96, 0.92))
        for number, (label, name) in enumerate(names.items()):
            hue = number * GOLDEN_ANGLE % 1  # neighbours in the alphabet differ
            color = hsv_to_rgb((hue, 1, BRIGHTNESS))
            for point in points[y == label]:
                ax.text(*point, name, color=color, fontsize=7, ha="center", va="center")
        ax.update_datalim(points)
        ax.autoscale_view()
        ax.set_title(f"{len(points):,} test codes, placed by t-SNE")
        ax.set_axis_off()
