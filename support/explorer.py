"""The page that explores a run: a map of test images, morphs, drawing, and the numbers of a code.

The page runs the network itself. It carries each model as a list of layers (`describe`), all arrays
in one compressed block (`Block`), and a small graph of training codes for geodesics. Its hops are
measured between codes, where `morph` measures them between pictures.
"""

import base64
import gzip
import json
from pathlib import Path

import numpy as np

from support.console import InputError
from support.files import replacing

ACTIVATIONS = ("linear", "relu", "silu", "sigmoid", "gelu")
KERNELS = ("Dense", "Conv2D", "Conv2DTranspose")
LAYERS = (*KERNELS, "BatchNormalization", "UpSampling2D", "Add", "Activation", "Flatten", "Reshape")
PLAIN = {"axis": -1, "groups": 1, "dilation_rate": (1, 1), "interpolation": "nearest"}
SETTINGS = ("kernel_size", "strides", "padding", "size")  # that the page needs
TRAINING_CODES = 10_000  # from which the graph is made
COMPONENTS = 6  # principal components that have a slider


class Block:
    """Arrays as bytes, one after another. What `add` returns tells the page where an array lies."""

    def __init__(self):
        self.bytes = bytearray()

    def add(self, array, scale=None):
        """scale: what the page multiplies with, one number for each entry of the last axis."""
        name = array.dtype.name.capitalize() + "Array"  # JavaScript's
        place = {"type": name, "start": len(self.bytes), "size": array.nbytes}
        self.bytes += array.tobytes()
        return place if scale is None else place | {"scale": self.add(np.float32(scale))}

    def add_rounded(self, array, dtype):
        """Adds floats as int8 or int16, with a scale for each entry of the last axis."""
        largest = np.abs(array).reshape(-1, array.shape[-1]).max(axis=0)
        scale = np.where(largest > 0, largest, 1) / np.iinfo(dtype).max
        return self.add(np.round(array / scale).astype(dtype), scale)


def describe(model, block):
    """A Keras model as a list of dicts, one a layer; its weights go into the block.

    Raises:
        InputError: the page does not know a layer or one of its settings.
    """
    layers, number = [], {}
    for layer in model.layers:
        kind, settings = type(layer).__name__, layer.get_config()
        activation = settings.get("activation", "linear")
        odd = [key for key in PLAIN if settings.get(key, PLAIN[key]) != PLAIN[key]]
        if kind not in (*LAYERS, "InputLayer") or activation not in ACTIVATIONS or odd:
            what = ", ".join([kind, str(activation), *(f"{key}={settings[key]}" for key in odd)])
            known = f"it knows {', '.join(LAYERS)} with {', '.join(ACTIVATIONS)}"
            raise InputError(f"the page cannot run the layer {layer.name} ({what}); {known}")
        shape = (1, 1, *layer.output.shape[1:])[-3:]  # height, width, channels; a vector is a pixel
        entry = {"kind": kind, "activation": activation, "shape": shape}
        entry |= {key: settings[key] for key in SETTINGS if key in settings}
        inputs = layer.input if isinstance(layer.input, list) else [layer.input]
        entry["from"] = [number.get(id(tensor)) for tensor in inputs]
        number[id(layer.output)] = len(layers)
        layers.append(entry | _weights(layer, kind, block))
    if number.get(id(model.output)) is None or any(None in layer["from"] for layer in layers):
        raise InputError(f"the page cannot run {model.name}: one of its layers is called twice")
    return layers


def _weights(layer, kind, block):
    """The weights in a layer's dict."""
    if kind == "BatchNormalization":
        mean, variance = layer.moving_mean.numpy(), layer.moving_variance.numpy()
        factor = (variance + layer.epsilon) ** -0.5 * (layer.gamma.numpy() if layer.scale else 1)
        bias = (layer.beta.numpy() if layer.center else 0) - mean * factor
        return {"factor": block.add(factor), "bias": block.add(bias)}
    if kind not in KERNELS:
        return {}
    kernel = layer.kernel.numpy()  # (height, width, from, to); (from, to) of a Dense
    kernel = kernel.swapaxes(2, 3) if kind == "Conv2DTranspose" else kernel
    bias = layer.bias.numpy() if layer.use_bias else np.zeros(kernel.shape[-1], np.float32)
    return {"kernel": block.add_rounded(kernel, "int8"), "bias": block.add(bias)}


def first_pair(codes, labels, index):
    """Typical images of two unlike classes whose geodesic is cheap beside the straight line."""
    from scipy.sparse.csgraph import dijkstra

    members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    off = [np.linalg.norm(codes[own] - codes[own].mean(axis=0), axis=1) for own in members]
    typical = np.array([own[apart.argmin()] for own, apart in zip(members, off, strict=True)])
    ends = np.linalg.norm(index.codes[:, None] - codes[typical], axis=2).argmin(axis=0)
    straight = np.linalg.norm(codes[typical][:, None] - codes[typical], axis=2)
    costs = index.graph.copy()
    costs.data = index.cost(costs.data)
    cost = dijkstra(costs, indices=ends)[:, ends] / np.maximum(straight, 1e-9)
    cost[straight < np.percentile(straight, 90)] = np.inf
    return typical[list(np.unravel_index(cost.argmin(), cost.shape))]


def write_page(path, title, network, block, names, tests, index):
    """Writes the page.

    network: {"encoder": ..., "decoder": ...}, what `describe` made of them with this block.
    names: dict of label to character. tests: images (N, 28, 28) in [0, 1], labels (N,), codes
    (N, D) and their places on the map (N, 2). index: geodesic.py's graph of training codes.
    """
    images, labels, codes, points = tests
    axes = np.linalg.svd(codes - codes.mean(axis=0), full_matrices=False)[2][:COMPONENTS]
    content = network | {"title": title, "names": list(names.values()), "price": index.price()}
    content |= {
        "labels": [list(names).index(label) for label in labels.tolist()],
        "images": block.add(np.uint8(np.round(255 * images)).reshape(-1, 1), [1 / 255]),
        "codes": block.add_rounded(codes, "int16"),
        "points": block.add_rounded(points, "int16"),
        "nodes": block.add_rounded(index.codes, "int16"),
        "starts": block.add(np.uint32(index.graph.indptr)),
        "neighbours": block.add(np.uint16(index.graph.indices)),
        "axes": axes.tolist(),
        "first": first_pair(codes, labels, index).tolist(),
    }
    here = Path(__file__).parent
    page = here.joinpath("explorer.html").read_text("utf-8")
    for mark, text in {
        "{{look}}": here.joinpath("look.css").read_text("utf-8"),
        "{{network}}": here.joinpath("network.js").read_text("utf-8"),
        "{{content}}": json.dumps(content).replace("<", "\\u003c"),
        "{{block}}": base64.b64encode(gzip.compress(block.bytes, mtime=0)).decode(),
    }.items():
        page = page.replace(mark, text)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as unfinished:
        unfinished.write_text(page, "utf-8")
