"""Geodesic paths between codes that stay close to real handwriting.

    index = open_index(path, note, make_codes)       # built once for a model
    path, unjoined = geodesic(index, start, end, steps=10)

The straight line between two codes crosses regions without any character, where the decoder paints
ghosts. The geodesic goes from character to character:

1. Odd characters are left out: codes that lie further from their neighbours than these do from
   theirs (Breunig et al. 2000, "LOF: identifying density-based local outliers", simplified).
2. Each other code is replaced by the mean of itself and its nearest neighbours. The details of one
   person's hand cancel, and the decoder draws clearer handwriting.
3. These nodes are joined to their neighbours. An edge costs its length to the power 1.5: many short
   hops are cheaper than one long hop through an empty region. The cheapest path's cost is the
   sample Fermat distance (Groisman, Jonckheere, Sapienza 2022, arXiv:1810.09398).
4. The path zigzags from node to node. Its quick turns are damped, which makes it shorter.
5. Frames are chosen from it at nearly even distances, but not in the middle of a long hop.
"""

from dataclasses import dataclass

import numpy as np
from scipy.fft import dst, idst
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import connected_components, dijkstra

from support.console import InputError, notice
from support.files import READ_ONLY, is_stale, read_npz, save_npz

NEIGHBOURS = 16  # to which a node is joined
AVERAGED = 5  # codes in the mean of a node
KEPT = 1 / 3  # the share of the codes that are not odd
POWER = 1.5  # the cost of an edge is its length to this power
SMOOTHING = 0.03  # width of the Gaussian that damps turns, as a share of the path
MAX_CODES = 120_000  # in the index; if there are more, a random sample
STEP_TOLERANCE = 0.14  # how much longer than the mean a step between frames may be
POINTS_PER_STEP = 14  # of a smoothed path; frames are chosen from these points
MAX_EXACT = 20_000  # codes; among more, the search for neighbours is approximate
MIN_LENGTH = 1e-9  # codes may be equal, and a sparse graph has no edges of length 0
BATCH_ROWS = 16  # at a time, to limit memory


@dataclass
class Index:
    """A graph of codes, each joined to its nearest neighbours.

    codes: (N, D) float32, means of neighbouring codes. graph: (N, N) sparse, symmetric, connected:
    lengths of edges. component: (N,) int32, equal for nodes that are connected without a bridge.
    """

    codes: np.ndarray
    graph: csr_matrix
    component: np.ndarray

    def save(self, path, note):
        """Writes an .npz that load_index reads, with a note of the files it was made from."""
        edges = {name: getattr(self.graph, name) for name in ("data", "indices", "indptr")}
        save_npz(path, {"codes": self.codes, "component": self.component, **edges}, note)


def open_index(path, now, make_codes):
    """The Index at `path`, or a new one that is saved there.

    now: a note of today's model and data files; an index made from others is rebuilt, and so is
    one with other settings. make_codes: returns the codes to build it from, as parts (N, D).
    """
    now = now | {"settings": [NEIGHBOURS, AVERAGED, KEPT, MAX_CODES]}
    try:
        return load_index(path, now)
    except FileNotFoundError:
        pass
    except InputError as error:
        notice(f"{error}; rebuilding it")
    notice("building the index of the training images' codes, once for a model")
    index = build_index(np.concatenate([*make_codes()]))
    try:
        index.save(path, now)
    except OSError as error:
        if error.errno not in READ_ONLY:
            raise
        notice(f"{path.parent} is read-only: the index is not saved")
    return index


def load_index(path, now):
    """The Index that Index.save wrote. now: a note of the same files today.

    Raises:
        FileNotFoundError: there is no file at `path`.
        InputError: it is damaged, or what it was built from has changed since.
    """
    arrays, note = read_npz(path)
    if is_stale(note, now):
        raise InputError(f"{path}: built from another model, other data or by another version")
    try:
        codes, component = arrays["codes"], arrays["component"]
        edges = arrays["data"], arrays["indices"], arrays["indptr"]
        graph = csr_matrix(edges, shape=(len(codes), len(codes)))
    except (KeyError, ValueError, TypeError) as error:
        raise InputError(f"{path}: damaged ({error})") from error
    return Index(codes, graph, component)


def build_index(codes):
    """Builds the Index in which geodesic searches, of codes (N, D).

    If there are more than MAX_CODES, a random sample is taken, always the same one.

    Raises:
        InputError: codes are not a finite (N, D) array with N at least 1.
    """
    codes = np.ascontiguousarray(codes, "float32")
    if codes.ndim != 2 or not codes.size or not np.isfinite(codes).all():
        raise InputError(f"codes must be a finite (N, D) array, not {codes.shape}")
    if len(codes) > MAX_CODES:
        chosen = np.random.default_rng(0).choice(len(codes), MAX_CODES, replace=False)
        codes = codes[np.sort(chosen)]
    _, first = np.unique(codes, axis=0, return_index=True)
    codes = codes[np.sort(first)]  # equal ones once: they would be neighbours of each other alone
    near, apart = _nearest(codes, codes, NEIGHBOURS + 1)  # each is its own neighbour, too
    spread = apart.mean(axis=1) + MIN_LENGTH
    outlier = spread / spread[near].mean(axis=1)
    codes = codes[outlier <= np.quantile(outlier, KEPT)]
    near, _ = _nearest(codes, codes, NEIGHBOURS + 1)
    nodes = codes[near[:, :AVERAGED]].mean(axis=1)
    graph = _join(nodes, np.repeat(np.arange(len(nodes)), near.shape[1]), near.ravel())
    count, component = connected_components(graph, directed=False)
    components = component
    while count > 1:
        graph = graph.maximum(_bridges(nodes, components))
        count, components = connected_components(graph, directed=False)
    return Index(nodes, graph, component)


def geodesic(index, start, end, steps=10, decode=None):
    """Geodesic paths between codes, as frames at nearly even distances.

    Args:
        index: an Index.
        start, end: (R, D) codes, the ends of R rows.
        steps: frames in a row, at least 2; the first is start, the last is end, both exactly.
        decode: a function, codes (..., D) -> pictures (..., height, width). With it, the distances
            are even between pictures, without it, between codes.

    Returns:
        path: (R, steps, D) float32.
        unjoined: (R,) bool, rows whose ends lie in different components: their path crosses a gap.

    Raises:
        InputError: steps is less than 2.
    """
    start, end = (np.ascontiguousarray(ends, "float32") for ends in (start, end))
    if steps < 2:
        raise InputError(f"steps must be at least 2, not {steps}")
    graph, near_start, near_end = _with_ends(index, start, end)
    unjoined = index.component[near_start] != index.component[near_end]
    rows, count = len(start), len(index.codes)
    everything = np.concatenate([index.codes, start, end])
    points = POINTS_PER_STEP * max(steps - 1, 9) + 1
    path = []
    for first in range(0, rows, BATCH_ROWS):
        batch = np.arange(first, min(first + BATCH_ROWS, rows))
        _, previous = dijkstra(graph, indices=count + batch, return_predecessors=True)
        walks = map(_walk, previous, count + batch, count + rows + batch)
        lines = np.stack([_resample(everything[walk], points) for walk in walks])
        path += _place_frames(_smooth(lines).astype("float32"), index, steps, decode)
    path = np.stack(path)
    path[:, 0], path[:, -1] = start, end
    return path, unjoined


def _place_frames(lines, index, steps, decode):
    """A list of (steps, D): the frames of each of the (R, M, D) lines."""
    _, apart = _nearest(index.codes, lines.reshape(-1, lines.shape[-1]), NEIGHBOURS // 2)
    doubts = apart.mean(1).reshape(lines.shape[:2])
    reached = map(_arc_length, decode(lines) if decode else lines)
    return [line[_choose(*some, steps)] for line, *some in zip(lines, reached, doubts, strict=True)]


def _with_ends(index, start, end):
    """The graph of costs, with R starts and then R ends as further nodes.

    Edges lead out of starts and into ends, and from a start to its end if that is nearer than one
    of the start's nodes. Beside the graph: the node nearest to each start, and to each end.
    """
    count, rows = len(index.codes), len(start)
    near_start, to_start = _nearest(index.codes, start, NEIGHBOURS)
    near_end, to_end = _nearest(index.codes, end, NEIGHBOURS)
    starts, ends = np.arange(2 * rows).reshape(2, rows) + count
    width, inner = near_start.shape[1], index.graph.tocoo()
    direct = np.linalg.norm(end - start, axis=1)
    close = direct < to_start[:, -1]
    tail = [inner.row, np.repeat(starts, width), near_end.ravel(), starts[close]]
    head = [inner.col, near_start.ravel(), np.repeat(ends, width), ends[close]]
    length = np.concatenate([inner.data, to_start.ravel(), to_end.ravel(), direct[close]])
    cost = np.maximum(length.astype("float64"), MIN_LENGTH) ** POWER
    edges = (cost, (np.concatenate(tail), np.concatenate(head)))
    graph = coo_matrix(edges, shape=(count + 2 * rows, count + 2 * rows)).tocsr()
    return graph, near_start[:, 0], near_end[:, 0]


def _nearest(codes, queries, count):
    """The `count` codes nearest to each query: indices and distances, (Q, count) each."""
    import faiss

    count = min(count, len(codes))
    search = faiss.IndexFlatL2(codes.shape[1])
    if len(codes) > MAX_EXACT:  # finds 99% of the neighbours in a fifth of the time
        search = faiss.IndexIVFFlat(search, codes.shape[1], 256)
        search.nprobe = 16
        search.train(codes[:: len(codes) // MAX_EXACT])
    search.add(codes)
    squares, near = search.search(queries, count)
    missing = near < 0  # fewer found than `count`: the nearest fills in
    near = np.where(missing, near[:, :1], near)
    return near, np.sqrt(np.maximum(np.where(missing, squares[:, :1], squares), 0))


def _join(nodes, tail, head):
    """The lengths of edges between nodes: (N, N), sparse and symmetric."""
    parts = zip(np.array_split(tail, 32), np.array_split(head, 32), strict=True)  # less memory
    length = np.concatenate([np.linalg.norm(nodes[t] - nodes[h], axis=1) for t, h in parts])
    graph = csr_matrix((np.maximum(length, MIN_LENGTH), (tail, head)), (len(nodes), len(nodes)))
    return graph.maximum(graph.T).tocsr()


def _bridges(nodes, component):
    """Edges from each component but the largest to the nearest node outside it."""
    from sklearn.metrics import pairwise_distances_argmin_min

    tail, head = [], []
    for number in np.bincount(component).argsort()[:-1]:
        members = component == number
        inside, outside = np.flatnonzero(members), np.flatnonzero(~members)
        near, distance = pairwise_distances_argmin_min(nodes[inside], nodes[outside])
        tail.append(inside[distance.argmin()])
        head.append(outside[near[distance.argmin()]])
    return _join(nodes, np.array(tail), np.array(head))


def _walk(previous, start, end):
    """The nodes from start to end, in order, from each node's predecessor."""
    walk = [end]
    while walk[-1] != start:
        walk.append(previous[walk[-1]])
    return walk[::-1]


def _arc_length(line):
    """(M, ...) points of a line -> (M,), how far along it each lies."""
    steps = np.linalg.norm(np.diff(line.reshape(len(line), -1), axis=0), axis=1)
    return np.concatenate([[0], np.cumsum(steps)])


def _choose(reached, doubt, steps):
    """Which points of a line to show: (steps,) indices, both ends among them.

    reached: (M,), how far along the line each point lies. doubt: (M,), how far from nodes.
    Dynamic programming minimises the sum of doubt**4 over the chosen points; no step may be longer
    than 1 + STEP_TOLERANCE times the mean. If that is impossible, their indices are even.
    """
    doubt = (doubt / max(doubt.mean(), MIN_LENGTH)) ** 4
    points = np.arange(len(doubt))
    first = np.searchsorted(reached, reached - (1 + STEP_TOLERANCE) * reached[-1] / (steps - 1))
    before = points[:, None] - np.arange(1, max((points - first).max(), 1) + 1)
    barrier = np.where((before >= first[:, None]) & (reached[before] < reached[:, None]), 0, np.inf)
    cost = np.where(points == 0, 0, np.inf)
    sources = []
    for _ in range(steps - 1):
        through = cost[before] + barrier
        sources.append(before[points, through.argmin(1)])
        cost = through.min(1) + doubt
    if not np.isfinite(cost[-1]):
        return np.linspace(0, points[-1], steps).round().astype(int)
    chosen = [points[-1]]
    for source in reversed(sources):
        chosen.append(source[chosen[-1]])
    return chosen[::-1]


def _resample(line, count):
    """(M, D) points of a line -> (count, D) points on it, at even distances, with both ends."""
    reached = _arc_length(line)
    where = np.linspace(0, reached[-1], count)
    return np.stack([np.interp(where, reached, values) for values in line.T], axis=1)


def _smooth(lines):
    """(R, M, D) lines -> the same with quick turns damped; the ends stay.

    A line's difference from the straight line between its ends is written as a sine series. Its
    terms are damped like those of a convolution with a Gaussian of the width SMOOTHING.
    """
    t = np.linspace(0, 1, lines.shape[1])[:, None]
    straight = (1 - t) * lines[:, :1] + t * lines[:, -1:]
    waves = dst((lines - straight)[:, 1:-1], type=1, axis=1)
    number = np.arange(1, waves.shape[1] + 1)[:, None]
    waves *= np.exp(-((np.pi * number * SMOOTHING) ** 2) / 2)
    straight[:, 1:-1] += idst(waves, type=1, axis=1)
    return straight
