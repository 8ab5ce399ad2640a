"""Muon for convolutions too: Keras's own knows matrices alone, and leaves kernels to AdamW.

Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon) makes each update of a matrix
orthogonal, so that it changes the layer's output by as much in every direction. A convolution's
kernel (height, width, from, to) is such a matrix, too: it multiplies patches of the image, and has
height * width * from rows and `to` columns. That of a transposed convolution (height, width, to,
from) multiplies pixels, and makes patches of them.

Importing this file imports Keras.
"""

from support.lazy_keras import keras


@keras.saving.register_keras_serializable(package="support")
class Muon(keras.optimizers.Muon):
    """keras.optimizers.Muon, for the kernels of Dense, Conv2D and Conv2DTranspose.

    AdamW takes the other weights, which are vectors. The arguments are those of Keras's Muon, but
    no layer is excluded.
    """

    def _should_use_adamw(self, variable):
        return len(variable.shape) < 2

    def zeropower_via_newtonschulz5(self, x, steps):
        """The orthogonal matrix nearest to x, roughly: all its singular values are near 1.

        Each Newton-Schulz step multiplies the matrix by a polynomial of its Gram matrix. All steps
        are taken on the Gram matrix, which is small, and their product meets the large one once.
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
