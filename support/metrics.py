"""How well images are reconstructed: cross-entropy, excess, mse and psnr, also for PCA."""

import math

import numpy as np

HALF_A_GREY = 1 / 510  # the files know 256 greys; PCA's probabilities keep off 0 and 1 by this
CLASSES_A_LINE = 8  # of the table


def cross_entropy(x, p):
    """Binary cross-entropy of each image, nats a pixel: x, p (N, H, W) in [0, 1] -> (N,).

    cross_entropy(x, x) is the entropy of the grey pixels, the floor: no p can go below it.
    """
    from scipy.special import xlog1py, xlogy

    p = p.astype(np.float64)
    entropies = np.empty(len(x))
    for i in range(len(x)):  # one by one, as the logarithms of all images take much memory
        log_likelihood = xlogy(x[i], p[i]) + xlog1py(1 - x[i], -p[i])
        entropies[i] = -log_likelihood.mean()
    return entropies


def score(x, p):
    """Figures of the reconstructions p of the images x, all pixels: bce, excess, mse, psnr (dB)."""
    bce = cross_entropy(x, p).mean()
    floor = cross_entropy(x, x).mean()
    mse = np.mean([np.mean((x[i] - p[i].astype(np.float64)) ** 2) for i in range(len(x))])
    return {
        "bce": float(bce),
        "excess": float(bce - floor),
        "mse": float(mse),
        "psnr": 10 * math.log10(1 / max(mse, 1e-12)),
    }


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


def report(x, p, members, of_pca, made_from):
    """The content of test.json for the images x and their reconstructions p.

    Args:
        x, p: (N, H, W) in [0, 1].
        members: dict of character to mask (N,), true for its images. Classes without are left out.
        of_pca: the figures of PCA's reconstructions, as from score.
        made_from: {"model": fingerprint, "data": fingerprint}.
    """
    floors = cross_entropy(x, x)
    excesses = cross_entropy(x, p) - floors
    classes = {}
    for name, is_member in members.items():
        if is_member.any():
            classes[name] = float(excesses[is_member].mean())
    return {
        **made_from,
        "images": len(x),
        "bce_floor": float(floors.mean()),
        **score(x, p),
        "pca": of_pca,
        "classes": classes,
    }


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
