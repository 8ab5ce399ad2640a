"""Do pictures of characters on paper get the codes of the characters themselves?

    python benchmarks/own_pictures.py [--run-dir runs/default] [--rounds 3]

Draws 100 test images large on paper of all shades, unevenly lit, turned by up to 4 degrees, with
noise, three of ten light on dark; reads them back with read_character; and counts whose code lies
nearer to that of the image it was drawn from than to those of 1,000 other test images.
"""

import sys
import tempfile
from pathlib import Path

import click
import numpy as np
from PIL import Image
from scipy import ndimage

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from autoencoder import encode, open_run
from dataset import SETTINGS
from support.pictures import read_character


def photograph(character, rng):
    """A colour picture of a character (28, 28): uint8, (height, width, 3)."""
    height = rng.integers(300, 1200)
    size = int(height * rng.uniform(0.4, 0.95))
    width = max(int(height * rng.uniform(0.8, 1.3)), size + 2)
    ink = np.zeros((height, width))
    top, left = rng.integers(0, [height - size + 1, width - size + 1])
    large = Image.fromarray(character).resize((size, size), Image.Resampling.BICUBIC)
    ink[top : top + size, left : left + size] = np.clip(large, 0, 1)
    ink = ndimage.rotate(ink, rng.uniform(-4, 4), reshape=False, order=1)

    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    slope_x, slope_y = rng.uniform(-0.2, 0.2, 2)
    light = 1 + slope_x * x + slope_y * y - rng.uniform(0, 0.15) * (x * x + y * y)
    if rng.random() < 0.3:
        paper, pen = 0.2 * rng.uniform(0.65, 0.95), rng.uniform(0.6, 0.9)
    else:
        paper, pen = rng.uniform(0.65, 0.95), rng.uniform(0.1, 0.3)
    grain = 0.05 * ndimage.gaussian_filter(rng.normal(size=ink.shape), 2)
    noise = rng.normal(0, rng.uniform(0.01, 0.05), ink.shape)
    seen = light * (paper + ink * (pen - paper)) + grain + noise
    return np.uint8(255 * seen.clip(0, 1)[..., None] * rng.uniform(0.85, 1, 3))


@click.command(context_settings=SETTINGS)
@click.option("--run-dir", default="runs/default", help="The run whose model is measured.")
@click.option("--data-root", help="The data's folder, if moved.")
@click.option("--rounds", type=click.IntRange(1), default=3, help="Each with a seed of its own.")
@click.option("--pictures", type=click.IntRange(1), default=100, help="Drawn in a round.")
def main(run_dir, data_root, rounds, pictures):
    """Print for each round how many pictures are found again."""
    autoencoder, (_, _, x, _, _) = open_run(Path(run_dir), data_root)
    for seed in range(rounds):
        rng = np.random.default_rng(seed)
        chosen = rng.permutation(len(x))[: pictures + 1000]
        codes = encode(autoencoder, x[chosen])
        read = []
        with tempfile.TemporaryDirectory() as folder:
            for i, character in enumerate(x[chosen[:pictures]]):
                path = Path(folder) / f"{i}.{('png', 'jpg')[i % 2]}"
                Image.fromarray(photograph(character, rng)).save(path)
                read.append(read_character(path))
        found = encode(autoencoder, np.stack(read))
        own = np.linalg.norm(found - codes[:pictures], axis=1)
        others = np.linalg.norm(found[:, None] - codes[pictures:], axis=2).min(axis=1)
        click.echo(f"seed {seed}: {(own < others).sum()} of {pictures} nearer to their own")


if __name__ == "__main__":
    main()
