"""What training needs beside Keras: Muon for convolutions, and how an epoch is saved.

Importing this file imports Keras.
"""

import math

from support.console import notice
from support.files import replacing
from support.lazy_keras import keras


@keras.saving.register_keras_serializable(package="support")
class Muon(keras.optimizers.Muon):
    """keras.optimizers.Muon, for the kernels of Dense, Conv2D and Conv2DTranspose.

    Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon) makes each update of a
    matrix orthogonal, so that it changes the layer's output equally in every direction. Keras's
    own takes matrices alone. A convolution's kernel (height, width, from, to) is a matrix, too: it
    multiplies patches of the image, and has height * width * from rows and `to` columns. That of a
    transposed convolution (height, width, to, from) multiplies pixels, and makes patches of them.

    AdamW takes the other weights, which are vectors. The arguments are those of Keras's Muon, but
    no layer is excluded. The three methods replace Keras's own.
    """

    def _should_use_adamw(self, variable):
        return len(variable.shape) < 2

    def zeropower_via_newtonschulz5(self, x, steps):
        """The orthogonal matrix nearest to x, roughly: all its singular values are near 1.

        Each Newton-Schulz step multiplies the matrix by a polynomial of its Gram matrix. All steps
        are taken on the Gram matrix, which is small; the large one is multiplied once, by their
        product. (A step is a polynomial of the Gram matrix, so the order does not matter.)
        """
        matrix = as_matrix(x)
        is_tall = matrix.shape[0] > matrix.shape[1]
        transposed = keras.ops.transpose(matrix)
        gram = transposed @ matrix if is_tall else matrix @ transposed
        norm = keras.ops.sqrt(keras.ops.trace(gram)) + 1e-7  # Frobenius
        gram = gram / norm**2
        identity = keras.ops.eye(gram.shape[0], dtype=gram.dtype)
        product = identity
        for _ in range(steps):
            step = self.muon_a * identity + self.muon_b * gram + self.muon_c * gram @ gram
            product = step @ product
            gram = step @ gram @ step
        product = product / norm
        orthogonal = matrix @ product if is_tall else product @ matrix
        return keras.ops.reshape(orthogonal, x.shape)

    def lr_adjust(self, x):
        """An update whose mean square does not depend on the size of the matrix."""
        return keras.ops.reshape(super().lr_adjust(as_matrix(x)), x.shape)


def as_matrix(kernel):
    """(..., last) -> (product of the other axes, last)."""
    return keras.ops.reshape(kernel, (-1, kernel.shape[-1]))


def save_epoch(run, autoencoder, row):
    """Keeps the best model, adds a row to the history, saves the last model, and reports.

    last.keras, with the optimizer's state, is written last: if training is killed before that, the
    epoch is repeated.
    """
    if not math.isfinite(row["val_loss"]):
        raise run.cannot_go_on(
            f"epoch {row['epoch']}: the loss is NaN or infinite; a lower --learning-rate helps"
        )
    best_before = min((past["val_loss"] for past in run.history), default=math.inf)
    if row["val_loss"] < best_before:
        # Without the optimizer, whose state would double the size of the file.
        best = keras.Model(autoencoder.input, autoencoder.output, name="autoencoder")
        save_model(best, run.model)
    run.add_epoch(row)
    save_model(autoencoder, run.last)
    notice(
        f"epoch {row['epoch']}/{run.config['epochs']}: {row['seconds']:.0f} s, "
        f"loss {row['loss']:.4f}, validation {row['val_loss']:.4f}"
    )


def save_model(model, path):
    with replacing(path) as partial:
        model.save(partial)
