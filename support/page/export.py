"""The page that explores a run: a map of test images, morphs, drawing, and the numbers of a code.

The page runs the network itself. It carries the encoder and the decoder as lists of layers, all
arrays in one compressed block, and a small graph of training codes. Its geodesics are those of
support/morph/geodesic.py in that graph.
"""

import base64
import gzip
import json

import numpy as np

from support import page as pages
from support.console import InputError
from support.files import make_folder, replacing
from support.lazy_keras import keras

SCRIPTS = (
    "page",
    "network",
    "geodesic",
    "player",
    "map",
    "morph",
    "drawing",
    "code",
    "address",
    "gif",
    "save",
)
ACTIVATIONS = ("linear", "relu", "silu", "sigmoid")
KERNEL_LAYERS = ("Dense", "Conv2D", "Conv2DTranspose")
LAYERS = (*KERNEL_LAYERS, "BatchNormalization", "Flatten", "Reshape")
SUPPORTED_DEFAULTS = {  # settings of layers that the page knows with these values only
    "axis": -1,
    "center": True,
    "data_format": "channels_last",
    "dilation_rate": (1, 1),
    "groups": 1,
    "output_padding": None,
    "scale": True,
    "use_bias": True,
}
TRAINING_CODES = 10_000  # from which the graph is made
GEODESIC_SETTINGS = (  # constants of support/morph/geodesic.py that the page needs
    "CORNERS",
    "END_NEIGHBOURS",
    "FRAME_NEIGHBOURS",
    "LARGEST_PEN_MOVE",
    "NO_INK",
    "LONGEST_STEP",
    "MIN_LENGTH",
    "MIN_POINTS",
    "PEN_ROUNDS",
    "POINTS_PER_STEP",
)
COMPONENTS = 6  # principal components that have a slider
FIRST_PAIRS = ("WG", "64")  # pairs of characters, the first morph that the page shows


class Block:
    """Arrays as bytes, one after another. What `add` returns tells the page where an array lies."""

    def __init__(self):
        self.bytes = bytearray()

    def add(self, array):
        place = {
            "type": array.dtype.name.capitalize() + "Array",  # as JavaScript calls it
            "start": len(self.bytes),
            "size": array.nbytes,
        }
        self.bytes += array.tobytes()
        return place

    def add_scaled(self, array, scale):
        """scale: what the page multiplies with, one number for each entry of the last axis."""
        place = self.add(array)
        place["scale"] = self.add(np.float32(scale))
        return place

    def add_rounded(self, array, dtype):
        """Adds floats (..., D) as integers of 8 or 16 bits with D scales: much fewer bytes."""
        largest = np.abs(array).reshape(-1, array.shape[-1]).max(axis=0)
        scale = np.where(largest > 0, largest, 1) / np.iinfo(dtype).max
        return self.add_scaled(np.round(array / scale).astype(dtype), scale)


def export_layers(model, block):
    """A Keras model whose layers stand in a row, as a list of dicts, one a layer.

    The weights go into the block.

    Raises:
        InputError: the page does not know a layer or one of its settings.
    """
    exported = []
    for layer in model.layers:
        kind = type(layer).__name__
        if kind == "InputLayer":
            continue
        settings = layer.get_config()
        check_layer(layer.name, kind, settings)
        entry = {
            "kind": kind,
            "activation": settings.get("activation", "linear"),
            "input_shape": pixel_shape(layer.input),
            "shape": pixel_shape(layer.output),
        }
        if kind in KERNEL_LAYERS:
            entry |= export_kernel(layer, kind, block)
            entry["kernel_size"] = settings.get("kernel_size", (1, 1))
            entry["strides"] = settings.get("strides", (1, 1))
            entry["padding"] = settings.get("padding", "valid")
        if kind == "BatchNormalization":
            entry |= export_batch_norm(layer, block)
        exported.append(entry)
    return exported


def check_layer(name, kind, settings):
    """Refuses a layer that the page cannot run. settings: the layer's configuration."""
    activation = settings.get("activation", "linear")
    unknown = []
    if kind not in LAYERS:
        unknown.append(kind)
    if activation not in ACTIVATIONS:
        unknown.append(f"activation={activation}")
    for setting, default in SUPPORTED_DEFAULTS.items():
        if settings.get(setting, default) != default:
            unknown.append(f"{setting}={settings[setting]}")
    if unknown:
        raise InputError(
            f"the page cannot run the layer {name} ({', '.join(unknown)}); "
            f"it knows {', '.join(LAYERS)} with {', '.join(ACTIVATIONS)}"
        )


def pixel_shape(tensor):
    """(height, width, channels) of a layer's input or output; a vector is a single pixel."""
    return (1, 1, *tensor.shape[1:])[-3:]


def export_kernel(layer, kind, block):
    kernel, bias = to_numpy(layer.kernel, layer.bias)
    if kind == "Conv2DTranspose":
        kernel = kernel.swapaxes(2, 3)  # Keras has (height, width, to, from)
    # Now it is (height, width, from, to), or (from, to) of a Dense.
    return {"kernel": block.add_rounded(kernel, "int8"), "bias": block.add(bias)}


def export_batch_norm(layer, block):
    """Batch normalization as the page needs it: factor * x + bias."""
    mean, variance = to_numpy(layer.moving_mean, layer.moving_variance)
    gamma, beta = to_numpy(layer.gamma, layer.beta)
    factor = gamma / np.sqrt(variance + layer.epsilon)
    bias = beta - mean * factor
    return {"factor": block.add(np.float32(factor)), "bias": block.add(np.float32(bias))}


def to_numpy(*weights):
    """A layer's weights as numpy arrays, whatever Keras's backend."""
    return [keras.ops.convert_to_numpy(weight) for weight in weights]


def first_pair(names, labels, codes):
    """Indices of two typical images: of one of FIRST_PAIRS, else of the first and last class."""
    present = np.unique(labels)
    label_of = {names[label]: label for label in present.tolist()}
    pair = [present[0], present[-1]]
    for a, b in reversed(FIRST_PAIRS):
        if a in label_of and b in label_of:
            pair = [label_of[a], label_of[b]]
    return [typical_image(codes, labels == label) for label in pair]


def typical_image(codes, is_in_class):
    """The index of the code nearest to the mean of its class."""
    distances = np.linalg.norm(codes - codes[is_in_class].mean(axis=0), axis=1)
    return int(np.where(is_in_class, distances, np.inf).argmin())


def principal_axes(codes):
    """(N, D) -> (COMPONENTS, D): the directions in which codes vary most."""
    _, _, axes = np.linalg.svd(codes - codes.mean(axis=0), full_matrices=False)
    return axes[:COMPONENTS]


def write_page(
    path,
    *,
    title,
    encoder,
    decoder,
    names,
    images,
    labels,
    codes,
    points,
    graph,
    settings,
    graph_codes,
    made_from,
):
    """Writes the page, which opens offline.

    Args:
        path: the file to write.
        title: the name of the run.
        encoder, decoder: Keras models whose layers stand in a row.
        names: dict of label to character.
        images: (N, height, width) in [0, 1], height and width equal: the test images of the map.
        labels: (N,), of the images.
        codes: (N, D), of the images.
        points: (N, 2), where the images lie on the map.
        graph: a CodeGraph of at most TRAINING_CODES training codes, built with the decoder.
        settings: dict of the constants in support/morph/geodesic.py, GEODESIC_SETTINGS.
        graph_codes: {"page": ..., "program": ...}, of how many training codes each makes its graph.
        made_from: dict of the fingerprints of what the page was made from, which it carries.

    Raises:
        InputError: the page does not know a layer or one of its settings.
    """
    block = Block()
    bytes_of_images = np.uint8(np.round(255 * images))
    class_numbers = {label: number for number, label in enumerate(names)}
    content = {
        "title": title,
        "made_from": made_from,
        "image_size": images.shape[1],
        "code_size": codes.shape[1],
        "encoder": export_layers(encoder, block),
        "decoder": export_layers(decoder, block),
        "names": list(names.values()),
        "labels": [class_numbers[label] for label in labels.tolist()],
        "images": block.add_scaled(bytes_of_images, [1 / 255]),
        "codes": block.add_rounded(codes, "int16"),
        "points": block.add_rounded(points, "int16"),
        "axes": principal_axes(codes).tolist(),
        "first": first_pair(names, labels, codes),
        "nodes": block.add_rounded(graph.codes, "int16"),
        "starts": block.add(np.uint32(graph.graph.indptr)),  # of each node's edges
        "neighbours": block.add(np.uint16(graph.graph.indices)),  # at the edges' other ends
        "lengths": block.add_rounded(graph.graph.data[:, None], "uint16"),
        "price": graph.price(),
        "pen": graph.pen.tolist(),
        "settings": {name: settings[name] for name in GEODESIC_SETTINGS},
        "graph_codes": graph_codes,
    }
    page = pages.fill(
        "explorer.html",
        {
            "code_size": str(codes.shape[1]),
            "style": pages.read("style.css"),
            "content": json.dumps(content).replace("<", "\\u003c"),
            "block": base64.b64encode(gzip.compress(block.bytes, mtime=0)).decode(),
            "scripts": "\n".join(pages.read(f"{name}.js") for name in SCRIPTS),
        },
    )
    make_folder(path.parent)
    with replacing(path) as partial:
        partial.write_text(page, "utf-8")
