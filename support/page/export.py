"""The page that explores a run: a map of test images, morphs, drawing, and the numbers of a code.

The page runs the network itself. It carries the encoder and the decoder as lists of layers, all
arrays in one compressed block, and a small graph of training codes. Its geodesics are those of
support/morph/geodesic.py in that graph.
"""

import base64
import gzip
import html
import json

import numpy as np

from support import metrics
from support.console import InputError, notice
from support.files import replacing
from support.morph import geodesic
from support.morph.endpoints import typical_image
from support.page import fill
from support.page.directions import named_directions

ACTIVATIONS = ("linear", "relu", "silu", "sigmoid")
KERNEL_LAYERS = ("Dense", "Conv2D", "Conv2DTranspose")
LAYERS = (*KERNEL_LAYERS, "BatchNormalization", "Flatten", "Reshape")
SUPPORTED_DEFAULTS = {  # settings of layers that the page knows with these values only
    "center": True,
    "dilation_rate": (1, 1),
    "groups": 1,
    "output_padding": None,
    "scale": True,
    "use_bias": True,
}
TRAINING_CODES = 10_000  # from which the graph is made
MEASURED_CODES = 1000  # of test images, on which directions are measured
FEWEST_DIRECTIONS = 3  # that are worth their place on the page


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

    def add_rounded(self, array, dtype):
        """Adds floats (..., D) as integers of 8 or 16 bits: much fewer bytes.

        The page multiplies them with D scales, one for each entry of the last axis.
        """
        largest = np.abs(array).reshape(-1, array.shape[-1]).max(axis=0)
        scale = np.where(largest > 0, largest, 1) / np.iinfo(dtype).max
        place = self.add(np.round(array / scale).astype(dtype))
        place["scale"] = self.add(np.float32(scale))
        return place


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
    kernel, bias = layer.get_weights()
    if kind == "Conv2DTranspose":
        kernel = kernel.swapaxes(2, 3)  # Keras has (height, width, to, from)
    # Now it is (height, width, from, to), or (from, to) of a Dense.
    return {"kernel": block.add_rounded(kernel, "int8"), "bias": block.add(bias)}


def export_batch_norm(layer, block):
    """Batch normalization as the page needs it: factor * x + bias."""
    gamma, beta, mean, variance = layer.get_weights()
    factor = gamma / np.sqrt(variance + layer.epsilon)
    bias = beta - mean * factor
    return {"factor": block.add(np.float32(factor)), "bias": block.add(np.float32(bias))}


def first_pair(names, labels, codes):
    """Indices of the first morph's ends, typical images: W and G, else the first and last class."""
    present = np.unique(labels).tolist()
    label_of = {names[label]: label for label in present}
    start = label_of.get("W", present[0])
    end = label_of.get("G", present[-1])
    return [typical_image(codes, labels, label) for label in (start, end)]


def write_page(path, trained, graph, sample, points):
    """Writes the page, which opens offline.

    Args:
        path: the file to write.
        trained: the TrainedRun.
        graph: a CodeGraph of at most TRAINING_CODES training codes, built with trained.decode.
        sample: (n,) indices of the test images on the map.
        points: (n, 2), their places.

    Raises:
        InputError: the page does not know a layer or one of its settings.
    """
    images = trained.data.x_test[sample]
    copies = trained.decode(trained.test_codes[sample])
    count, side, _ = images.shape
    code_size = graph.nodes.shape[1]
    block = Block()
    content = {
        "made_from": trained.made_from,
        "encoder": export_layers(trained.autoencoder.get_layer("encoder"), block),
        "decoder": export_layers(trained.autoencoder.get_layer("decoder"), block),
        "directions": export_directions(trained, graph, sample),
    }
    content |= export_images(trained, sample, points, block)
    content |= export_graph(graph, trained.data.names, block)
    page = fill(
        "explorer.html",
        {
            "title": f"Handwriting in {code_size} numbers",
            "run": html.escape(trained.run.folder.resolve().name),
            "count": f"{count:,}",
            "training": f"{min(len(trained.data.y_train), TRAINING_CODES):,}",
            "side": str(side),
            "pixels": str(side**2),
            "code_size": str(code_size),
            "excess": f"{metrics.excess(images, copies).mean():.4f}",
            "content": json.dumps(content).replace("<", "\\u003c"),
            "block": base64.b64encode(gzip.compress(block.bytes, mtime=0)).decode(),
        },
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial:
        partial.write_text(page, "utf-8")


def export_images(trained, sample, points, block):
    """The test images of the map, their codes and their places, as part of the page's content."""
    images = trained.data.x_test[sample]
    labels = trained.data.y_test[sample]
    codes = trained.test_codes[sample]
    names = trained.data.names
    return {
        "names": list(names.values()),
        "image_size": images.shape[1],
        "images": block.add_rounded(images[..., None], "uint8"),
        "labels": class_numbers(labels, names),
        "code_size": codes.shape[1],
        "codes": block.add_rounded(codes, "int16"),
        "points": block.add_rounded(points, "int16"),
        "first": first_pair(names, labels, codes),
    }


def export_graph(graph, names, block):
    """What the page needs to find geodesics, as part of its content."""
    return {
        "nodes": block.add_rounded(graph.nodes, "int16"),
        "classes": class_numbers(graph.classes, names),
        "starts": block.add(np.uint32(graph.starts)),  # of each node's edges
        "neighbours": block.add(np.uint16(graph.neighbours)),  # at the edges' other ends
        "costs": block.add_rounded(graph.costs[:, None], "uint16"),
        "long_edge": float(graph.long_edge),
        "pen": graph.pen.tolist(),
        "settings": {name: value for name, value in vars(geodesic).items() if name.isupper()},
    }


def class_numbers(labels, names):
    """The places of labels (N,) in the list of names: the page counts classes from 0."""
    place = {label: number for number, label in enumerate(names)}
    return [place[label] for label in labels.tolist()]


def export_directions(trained, graph, sample):
    """The directions with names, as a list of dicts; empty if too few are clean."""
    codes = trained.test_codes[sample[:MEASURED_CODES]]
    directions = named_directions(graph, codes, trained.decode)
    if len(directions) < FEWEST_DIRECTIONS:
        notice("the page has no sliders like Pen and Slant: they would change other things, too")
        return []
    return [
        {"name": name, "low": low, "high": high, "step": step.tolist()}
        for (name, low, high), step in directions.items()
    ]
