"""How well images are reconstructed: cross-entropy, excess, mse and psnr, also for PCA."""

import math

import numpy as np

HALF_A_GREY = 1 / 510  # of 256 greys; PCA's probabilities are clipped this far from 0 and 1
CLASSES_A_LINE = 8  # of the table


def cross_entropy(x, p):
    """Binary cross-entropy of each image, nats a pixel: x, p (N, H, W) in [0, 1] -> (N,).

    cross_entropy(x, x) is the entropy of the grey pixels, the floor: no p can go below it.
    """
    from scipy.special import xlog1py, xlogy

    entropies = np.empty(len(x))
    for i in range(len(x)):  # one by one, as the logarithms of all images take much memory
        q = p[i].astype(np.float64)
        log_likelihood = xlogy(x[i], q) + xlog1py(1 - x[i], -q)
        entropies[i] = -log_likelihood.mean()
    return entropies


def excess(x, p):
    """How far the cross-entropy of each image lies above its floor: (N, H, W), the same -> (N,)."""
    return cross_entropy(x, p) - cross_entropy(x, x)


def mean_squared_error(x, p):
    return float(np.square(x - p).mean(dtype=np.float64))


def pca_reconstructions(x_train, x_test, components):
    """PCA's reconstructions of x_test (N, H, W) from `components` numbers an image: (N, H, W).

    Clipped to [1/510, 1 - 1/510], half a grey value from paper and ink.
    """
    from sklearn.decomposition import PCA

    pca = PCA(min(components, len(x_train)), svd_solver="covariance_eigh")
    pca.fit(x_train.reshape(len(x_train), -1))
    codes = pca.transform(x_test.reshape(len(x_test), -1))
    p = pca.inverse_transform(codes).reshape(x_test.shape)
    return p.clip(HALF_A_GREY, 1 - HALF_A_GREY)


def measure(x, p, p_pca, y, names):
    """Figures of the test images x and their reconstructions, for test.json.

    Args:
        x, p, p_pca: (N, H, W) in [0, 1]; p is the autoencoder's, p_pca is PCA's.
        y: (N,) labels. names: {label: character}; classes without images are left out.
    """
    floors = cross_entropy(x, x)
    excesses = cross_entropy(x, p) - floors
    pca_excesses = cross_entropy(x, p_pca) - floors
    floor = float(floors.mean())
    return {
        "images": len(x),
        "bce_floor": floor,
        **_scores(floor, excesses, mean_squared_error(x, p)),
        "pca": _scores(floor, pca_excesses, mean_squared_error(x, p_pca)),
        "classes": {
            name: float(excesses[y == label].mean())
            for label, name in names.items()
            if (y == label).any()
        },
    }


def _scores(floor, excesses, mse):
    excess = float(excesses.mean())
    psnr = 10 * math.log10(1 / max(mse, 1e-12))
    return {"bce": floor + excess, "excess": excess, "mse": mse, "psnr": psnr}


def table(report):
    """A report as text for a terminal."""
    floor = report["bce_floor"]
    lines = [
        f"{report['images']:,} test images; no model can go below {floor:.4f} nats a pixel",
        "             bce     excess  mse     psnr",
        _table_row("autoencoder", report),
        _table_row("PCA", report["pca"]),
        "excess of each class, best first:",
    ]
    best_first = sorted(report["classes"].items(), key=lambda item: item[1])
    cells = [f"{name} {excess:.4f}" for name, excess in best_first]
    starts = range(0, len(cells), CLASSES_A_LINE)
    lines += ["  ".join(cells[start : start + CLASSES_A_LINE]) for start in starts]
    return "\n".join(lines)


def _table_row(name, scores):
    numbers = [f"{scores[key]:.4f}" for key in ("bce", "excess", "mse")]
    return f"{name:<11}  {'  '.join(numbers)}  {scores['psnr']:.1f} dB"
