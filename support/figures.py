"""How well images are reconstructed: cross-entropy, excess, mse and psnr, also for PCA."""

import math

import numpy as np


def cross_entropy(x, p):
    """Binary cross-entropy of each image, nats a pixel: x, p (N, 28, 28) in [0, 1] -> (N,).

    cross_entropy(x, x) is the entropy of the grey pixels, the floor: no p can go below it.
    """
    from scipy.special import xlog1py, xlogy

    pairs = zip(x, p.astype(np.float64), strict=True)
    return np.array([-np.mean(xlogy(a, b) + xlog1py(1 - a, -b)) for a, b in pairs])


def score(x, p):
    """Figures of the reconstructions p of the images x, all pixels: bce, excess, mse, psnr (dB)."""
    bce = cross_entropy(x, p).mean()
    mse = np.mean([np.mean((a - b) ** 2) for a, b in zip(x, p.astype(np.float64), strict=True)])
    excess = bce - cross_entropy(x, x).mean()
    psnr = 10 * math.log10(1 / max(mse, 1e-12))
    return {"bce": float(bce), "excess": float(excess), "mse": float(mse), "psnr": psnr}


def pca_reconstructions(x_train, x_test, components):
    """PCA's reconstructions of x_test from `components` numbers an image: (N, 28, 28).

    Clipped to [1/510, 1 - 1/510], half a grey value from paper and ink.
    """
    from sklearn.decomposition import PCA

    pca = PCA(min(components, len(x_train)), svd_solver="covariance_eigh")
    pca.fit(x_train.reshape(len(x_train), -1))
    p = pca.inverse_transform(pca.transform(x_test.reshape(len(x_test), -1)))
    return p.reshape(x_test.shape).clip(1 / 510, 1 - 1 / 510)


def report(x, p, present, p_of_pca):
    """The content of test.json for the images x and their reconstructions p and p_of_pca.

    present: dict of character to mask (N,) of its images.
    """
    floors = cross_entropy(x, x)
    excesses = cross_entropy(x, p) - floors
    return {
        "images": len(x),
        "bce_floor": float(floors.mean()),
        **score(x, p),
        "pca": score(x, p_of_pca),
        "classes": {name: float(excesses[where].mean()) for name, where in present.items()},
    }


def table(report):
    """A report as text for a terminal."""
    floor = f"no model can go below {report['bce_floor']:.4f} nats a pixel"
    lines = [f"{report['images']:,} test images; {floor}", f"{'':13}bce     excess  mse     psnr"]
    for name, row in {"autoencoder": report, "PCA": report["pca"]}.items():
        cells = "  ".join(f"{row[key]:.4f}" for key in ("bce", "excess", "mse"))
        lines.append(f"{name:<11}  {cells}  {row['psnr']:.1f} dB")
    lines.append("excess of each class, best first:")
    ordered = sorted(report["classes"].items(), key=lambda item: item[1])
    cells = [f"{name} {excess:.4f}" for name, excess in ordered]
    lines += ["  ".join(cells[start : start + 8]) for start in range(0, len(cells), 8)]
    return "\n".join(lines)
