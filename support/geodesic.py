"""Geodesic paths between codes that stay close to real handwriting.

The straight line between two codes crosses regions without any character, where the decoder paints
ghosts. The geodesic goes from character to character:

1. Odd characters are left out: codes that lie further from their neighbours than these do from
   theirs (Breunig et al. 2000, "LOF: identifying density-based local outliers", simplified).
2. Each other code is replaced by the mean of itself and its nearest neighbours. The details of one
   person's hand cancel, and the decoder draws clearer handwriting.
3. These nodes are joined to their neighbours. A hop's length is the distance between its two
   pictures (Chen et al. 2019, arXiv:1812.08284). Length beyond 1.5 times the median costs 31 times
   as much: the cheapest path is short and rarely takes a long hop through an empty region.
4. The path zigzags from node to node. Its quick turns are damped, which makes it shorter.
5. Frames are chosen from it at nearly even distances, but not in the middle of a long hop.
"""

from dataclasses import dataclass

import numpy as np
from scipy.signal import fftconvolve
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import connected_components, dijkstra

from support.console import InputError, notice
from support.files import is_stale, read_npz, save_npz, unless_read_only

NEIGHBOURS = 32  # to which a node is joined
END_NEIGHBOURS = 8  # to which an end of a path is joined
AVERAGED = 5  # codes in the mean of a node
KEPT = 1 / 3  # the share of the codes that are not odd
LONG_HOP = 1.5  # times the median; length beyond that costs extra
EXTRA_COST = 30  # for each unit of length beyond, on top of the length itself
SMOOTHING = 0.035  # width of the Gaussian that damps turns, as a share of the path
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
    lengths of edges, between pictures, or between codes if it was built without decode.
    component: (N,) int32, equal for nodes that are connected without a bridge.
    """

    codes: np.ndarray
    graph: csr_matrix
    component: np.ndarray

    def price(self):
        """(long, extra): the length at which a hop is long, the extra cost of each unit beyond."""
        return LONG_HOP * float(np.median(self.graph.data)), EXTRA_COST

    def cost(self, length):
        """Lengths of hops, in any shape -> what they cost."""
        long, extra = self.price()
        return length + extra * np.maximum(length - long, 0)

    def save(self, path, note):
        """Writes an .npz that load_index reads, with a note of the files it was made from."""
        edges = {name: getattr(self.graph, name) for name in ("data", "indices", "indptr")}
        save_npz(path, {"codes": self.codes, "component": self.component, **edges}, note)


def open_index(path, now, make_codes, decode=None):
    """The Index at `path`, or a new one that is saved there.

    now: a note of today's model and data files; an index made from others or with other settings is
    rebuilt. make_codes: returns the codes for it, in parts (N, D). decode: as in geodesic.
    """
    now = now | {"settings": [NEIGHBOURS, AVERAGED, KEPT, MAX_CODES, decode is not None]}
    try:
        return load_index(path, now)
    except FileNotFoundError:
        pass
    except InputError as error:
        notice(f"{error}; rebuilding it")
    notice("building the index of the training images' codes, once for a model")
    index = build_index(np.concatenate([*make_codes()]), decode)
    with unless_read_only(path.parent, "the index is not saved"):
        index.save(path, now)
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


def build_index(codes, decode=None):
    """Builds the Index in which geodesic searches, of codes (N, D).

    If N is over MAX_CODES, a random sample is taken, always the same. decode: as in geodesic.

    Raises:
        InputError: codes are not a finite (N, D) array with N at least 1.
    """
    codes = np.ascontiguousarray(codes, "float32")
    if codes.ndim != 2 or not codes.size or not np.isfinite(codes).all():
        raise InputError(f"codes must be a finite (N, D) array, not {codes.shape}")
    sample = np.random.default_rng(0).permutation(len(codes))[:MAX_CODES]
    codes = codes[np.sort(sample)]
    _, first = np.unique(codes, axis=0, return_index=True)
    codes = codes[np.sort(first)]  # equal ones once: they would be neighbours of each other alone
    near, apart = _nearest(codes, codes, NEIGHBOURS + 1)  # each is its own neighbour, too
    spread = apart.mean(axis=1) + MIN_LENGTH
    outlier = spread / spread[near].mean(axis=1)
    codes = codes[outlier <= np.quantile(outlier, KEPT)]
    near, _ = _nearest(codes, codes, NEIGHBOURS + 1)
    nodes = codes[near[:, :AVERAGED]].mean(axis=1)
    pictures = _pictures(nodes, decode)
    graph = _join(pictures, np.repeat(np.arange(len(nodes)), near.shape[1]), near.ravel())
    component = parts = connected_components(graph, directed=False)[1]
    while parts.any():
        graph = graph.maximum(_join(pictures, *_bridges(nodes, parts)))
        parts = connected_components(graph, directed=False)[1]
    return Index(nodes, graph, component)


def geodesic(index, start, end, steps=10, decode=None):
    """Geodesic paths between codes, as frames at nearly even distances.

    Args:
        index: an Index, built with the same decode.
        start, end: (R, D) codes, the ends of R rows.
        steps: frames in a row, at least 2; the first is start, the last is end, both exactly.
        decode: a function, codes (..., D) -> pictures (..., height, width). With it, lengths are
            measured between pictures, without it, between codes.

    Returns:
        path: (R, steps, D) float32.
        unjoined: (R,) bool, rows whose ends lie in different components: their path crosses a gap.

    Raises:
        InputError: steps is less than 2.
    """
    if steps < 2:
        raise InputError(f"steps must be at least 2, not {steps}")
    ends = np.concatenate([start, end]).astype("float32")
    graph, near = _with_ends(index, ends, decode)
    unjoined = np.not_equal(*index.component[near])
    rows, count = len(start), len(index.codes)
    everything = np.concatenate([index.codes, ends])
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


def _with_ends(index, ends, decode):
    """The graph of costs, with R starts and R ends as further nodes; the node nearest to each.

    ends: (2 R, D). Edges lead out of starts, into ends, and from a start to its end if one of the
    start's nodes is further away.
    """
    rows, inner = len(ends) // 2, index.graph.tocoo()
    number = np.arange(2 * rows) + len(index.codes)
    near, _ = _nearest(index.codes, ends, END_NEIGHBOURS)
    pictures = _pictures(ends, decode)
    apart = np.linalg.norm(_pictures(index.codes[near], decode) - pictures[:, None], axis=2)
    direct = np.linalg.norm(pictures[rows:] - pictures[:rows], axis=1)
    close = direct < apart[:rows].max(axis=1)
    out_of, into = np.repeat(number, near.shape[1]).reshape(2, -1)
    tail = np.concatenate([inner.row, out_of, near[rows:].ravel(), number[:rows][close]])
    head = np.concatenate([inner.col, near[:rows].ravel(), into, number[rows:][close]])
    length = np.concatenate([inner.data, apart.ravel(), direct[close]])
    cost = index.cost(np.maximum(length.astype("float64"), MIN_LENGTH))
    graph = coo_matrix((cost, (tail, head)), shape=(number[-1] + 1,) * 2).tocsr()
    return graph, near[:, 0].reshape(2, rows)


def _pictures(codes, decode):
    """(..., D) -> (..., P): what lengths are measured between, pictures or else codes."""
    return decode(codes).reshape(*codes.shape[:-1], -1) if decode else codes


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


def _join(pictures, tail, head):
    """The lengths of edges between nodes: (N, N), sparse and symmetric."""
    parts = zip(np.array_split(tail, 256), np.array_split(head, 256), strict=True)  # less memory
    length = np.concatenate([np.linalg.norm(pictures[t] - pictures[h], axis=1) for t, h in parts])
    graph = csr_matrix((np.maximum(length, MIN_LENGTH), (tail, head)), (len(pictures),) * 2)
    return graph.maximum(graph.T).tocsr()


def _bridges(nodes, component):
    """Edges from each component but the largest to the nearest node outside it: tails, heads."""
    from sklearn.metrics import pairwise_distances_argmin_min

    bridges = []
    for number in np.bincount(component).argsort()[:-1]:
        inside, outside = (np.flatnonzero((component == number) == side) for side in (True, False))
        near, distance = pairwise_distances_argmin_min(nodes[inside], nodes[outside])
        bridges.append((inside[distance.argmin()], outside[near[distance.argmin()]]))
    return np.transpose(bridges)


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
    """(R, M, D) lines -> the same with quick turns damped; mirrored beyond the ends, which stay."""
    margin = lines.shape[1] - 1
    more = np.pad(lines, ((0, 0), (margin, margin), (0, 0)), "reflect", reflect_type="odd")
    gaussian = np.exp(-((np.linspace(-1, 1, 2 * margin + 1) / SMOOTHING) ** 2) / 2)
    return fftconvolve(more, (gaussian / gaussian.sum())[None, :, None], "valid", axes=1)
