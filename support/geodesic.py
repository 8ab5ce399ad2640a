"""Geodesic paths between codes that stay close to real handwriting.

The straight line between two codes crosses regions without any character, where the decoder paints
ghosts. The geodesic goes from character to character. First a graph is built, once for a model:

1. Isolated codes are dropped: those that lie further from their neighbours than these do from
   theirs (Breunig et al. 2000, "LOF: identifying density-based local outliers", simplified).
2. Each other code is replaced by the mean of itself and its nearest neighbours. Averaging removes
   one person's quirks, and the decoder draws clearer handwriting.
3. These nodes are joined to their nearest neighbours. The length of an edge is the distance between
   its two pictures (Chen et al. 2019, arXiv:1812.08284).

Then each path is found in it:

4. Length beyond 1.5 times the median is penalised. The cheapest path from code to code is short and
   rarely takes a long edge through an empty region (Dijkstra 1959).
5. Frames are chosen from it at nearly even distances that avoid the middle of long edges (dynamic
   programming).
"""

import errno
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

from support.console import InputError, notice
from support.files import read_npz, save_npz

MAX_CODES = 120_000  # of more codes, a random sample is taken
INLIER_SHARE = 1 / 3  # of the codes; the others are dropped
CODES_PER_NODE = 5  # whose mean is a node
NEIGHBOURS = 32  # to which a node is joined
END_NEIGHBOURS = 8  # to which an end of a path is joined
LONG_EDGE = 1.5  # times the median; length beyond that costs extra
EXTRA_COST = 30  # for each unit of length beyond, on top of the length itself
FRAME_NEIGHBOURS = 16  # nodes whose mean distance says how far a frame is from handwriting
POINTS_PER_STEP = 14  # of a path; frames are chosen from its points
LONGEST_STEP = 8 / 7  # times the mean step
MIN_POINTS = 9 * POINTS_PER_STEP  # of a path of few frames
MIN_LENGTH = 1e-9  # codes may be equal, and a sparse graph has no edges of length 0


@dataclass(frozen=True)
class CodeGraph:
    """A graph of codes, each joined to its nearest neighbours.

    codes: (N, D) float32, means of neighbouring codes.
    graph: (N, N) sparse and symmetric, the lengths of edges: between pictures, or between codes if
        it was built without decode.
    """

    codes: np.ndarray
    graph: csr_matrix

    def price(self):
        """(long, extra): from which length an edge is long; the extra cost of each unit beyond."""
        return LONG_EDGE * float(np.median(self.graph.data)), EXTRA_COST

    def cost(self, lengths):
        """What edges of these lengths cost, in any shape."""
        long, extra = self.price()
        return lengths + extra * np.maximum(lengths - long, 0)


# ---- the graph


def build_graph(codes, decode=None, max_codes=MAX_CODES):
    """Builds the CodeGraph in which geodesic_path searches.

    Args:
        codes: (N, D), N at least 1. Of more than max_codes, a sample is taken, always the same.
        decode: as in geodesic_path.

    Raises:
        InputError: the codes are not finite.
    """
    codes = np.asarray(codes, np.float32)
    if not np.isfinite(codes).all():
        raise InputError("the codes are not finite numbers: the model is damaged, train it again")
    if len(codes) > max_codes:
        codes = np.random.default_rng(0).choice(codes, max_codes, replace=False)

    # 1. Drop isolated codes.
    codes = _drop_isolated(codes)
    # 2. Replace each by the mean of itself and its nearest neighbours.
    _, neighbours = _nearest(codes, codes, NEIGHBOURS + 1)  # each is its own neighbour, too
    nodes = codes[neighbours[:, :CODES_PER_NODE]].mean(axis=1)
    # 3. Join these nodes.
    return CodeGraph(nodes, _join(nodes, neighbours, decode))


def _drop_isolated(codes):
    """The INLIER_SHARE of the codes that lie least isolated from their neighbours."""
    distances, neighbours = _nearest(codes, codes, NEIGHBOURS + 1)
    spread = distances.mean(axis=1) + MIN_LENGTH
    isolation = spread / spread[neighbours].mean(axis=1)
    return codes[isolation <= np.quantile(isolation, INLIER_SHARE)]


def _join(nodes, neighbours, decode):
    """The lengths of the edges from each node (N, D) to its neighbours (N, K): (N, N), sparse."""
    pictures = _to_pictures(nodes, decode)
    lengths = np.empty(neighbours.shape, np.float32)
    for node, near in enumerate(neighbours):  # one by one, to save memory
        lengths[node] = _distances(pictures[near], pictures[node])
    tails = np.repeat(np.arange(len(nodes)), neighbours.shape[1])
    edges = (lengths.ravel(), (tails, neighbours.ravel()))
    graph = csr_matrix(edges, shape=(len(nodes), len(nodes)))
    return graph.maximum(graph.T).tocsr()


def open_graph(path, made_from, make_codes, decode=None):
    """The CodeGraph that is saved at `path`, or a new one, which is saved there.

    Args:
        made_from: fingerprints {"model": ..., "data": ...}. A graph that was made from others, or
            with other settings, is rebuilt.
        make_codes: a function that returns the codes (N, D) for a new graph.
        decode: as in geodesic_path.
    """
    settings = [MAX_CODES, INLIER_SHARE, CODES_PER_NODE, NEIGHBOURS, decode is not None]
    note = made_from | {"settings": settings}
    graph = _load_graph(path, note)
    if graph is None:
        notice("building the graph of the training images' codes, once for a model")
        graph = build_graph(make_codes(), decode)
        _save_graph(path, graph, note)
    return graph


def _load_graph(path, note):
    """The saved CodeGraph; None if there is none with this note."""
    try:
        arrays, saved_note = read_npz(path)
    except FileNotFoundError:
        return None
    except InputError as error:
        notice(f"{error}; rebuilding it")
        return None
    if saved_note != note:
        notice(f"{path}: made from another model, other data or by another version; rebuilding it")
        return None
    edges = csr_matrix((arrays["lengths"], arrays["neighbours"], arrays["starts"]))
    return CodeGraph(arrays["codes"], edges)


def _save_graph(path, graph, note):
    arrays = {
        "codes": graph.codes,
        "lengths": graph.graph.data,
        "neighbours": graph.graph.indices,
        "starts": graph.graph.indptr,
    }
    try:
        save_npz(path, arrays, note)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        notice(f"{path.parent} is read-only: the graph is not saved")


# ---- the paths


def geodesic_path(graph, start, end, steps=10, decode=None):
    """Geodesic paths between codes, as frames at nearly even distances.

    Args:
        graph: a CodeGraph, built with the same decode.
        start, end: (R, D) codes, the ends of R rows.
        steps: frames in a row, at least 2; the first is start, the last is end, both exactly.
        decode: a function, codes (..., D) -> pictures (..., height, width). With it, lengths are
            measured between pictures, without it, between codes.

    Returns:
        (R, steps, D) float32.
    """
    nodes = np.concatenate([graph.codes, start, end])
    costs = _costs_with_ends(graph, start, end, decode)
    first = len(graph.codes) + np.arange(len(start))
    last = first + len(start)

    path = np.empty((len(start), steps, nodes.shape[1]), np.float32)
    for row in range(len(start)):
        # 4. Find the cheapest path.
        walk = _cheapest_walk(costs, first[row], last[row])
        # 5. Choose frames from it.
        path[row] = _choose_frames(nodes[walk], steps, graph, decode)
    path[:, 0] = start
    path[:, -1] = end
    return path


def _costs_with_ends(graph, start, end, decode):
    """The costs of all edges, with R starts and R ends as further nodes: sparse, directed."""
    start_nodes = len(graph.codes) + np.arange(len(start))
    end_nodes = start_nodes + len(start)
    _, near_start = _nearest(graph.codes, start, END_NEIGHBOURS)
    _, near_end = _nearest(graph.codes, end, END_NEIGHBOURS)
    start_pictures = _to_pictures(start, decode)
    end_pictures = _to_pictures(end, decode)
    from_start = _distances(_to_pictures(graph.codes[near_start], decode), start_pictures[:, None])
    to_end = _distances(_to_pictures(graph.codes[near_end], decode), end_pictures[:, None])
    straight = _distances(start_pictures, end_pictures)

    count = near_start.shape[1]
    inner = graph.graph.tocoo()
    groups = [
        (inner.row, inner.col, inner.data),  # between nodes
        (start_nodes.repeat(count), near_start.ravel(), from_start.ravel()),  # to the nearest
        (near_end.ravel(), end_nodes.repeat(count), to_end.ravel()),  # from the nearest
        (start_nodes, end_nodes, straight),  # past all nodes, so that there is always a path
    ]
    tails = np.concatenate([tail for tail, _, _ in groups])
    heads = np.concatenate([head for _, head, _ in groups])
    lengths = np.concatenate([length for _, _, length in groups])
    size = len(graph.codes) + len(start) + len(end)
    return csr_matrix((graph.cost(lengths), (tails, heads)), shape=(size, size))


def _cheapest_walk(costs, first, last):
    """The nodes on the cheapest way from the first to the last, both among them."""
    _, predecessors = dijkstra(costs, indices=first, return_predecessors=True)
    walk = [last]
    while walk[-1] != first:
        walk.append(predecessors[walk[-1]])
    return walk[::-1]


def _choose_frames(line, steps, graph, decode):
    """(M, D) corners of a line -> (steps, D) frames on it, its ends among them."""
    points_per_step = max(POINTS_PER_STEP, MIN_POINTS // (steps - 1))
    points = _even_points(line, points_per_step * (steps - 1) + 1, decode)
    distances, _ = _nearest(graph.codes, points, FRAME_NEIGHBOURS)
    penalties = distances.mean(axis=1) ** 4
    longest_step = round(LONGEST_STEP * points_per_step)
    return points[_cheapest_choice(penalties, steps, longest_step)]


def _cheapest_choice(penalties, steps, longest_step):
    """The choice of points with the least sum of penalties: (steps,) indices, in order.

    penalties: (M,), for each point. The first and the last point are chosen. longest_step: how many
    points it may be from one chosen point to the next.
    """
    points = np.arange(len(penalties))
    before = points[:, None] - np.arange(1, longest_step + 1)  # where a step may begin
    is_point = before >= 0
    before = before.clip(0)
    cost = np.where(points == 0, 0, np.inf)  # of the cheapest choice that ends at each point
    step_starts = []
    for _ in range(steps - 1):
        costs = np.where(is_point, cost[before], np.inf)
        step_starts.append(before[points, costs.argmin(axis=1)])
        cost = costs.min(axis=1) + penalties

    chosen = [points[-1]]
    for start in reversed(step_starts):
        chosen.append(start[chosen[-1]])
    return chosen[::-1]


def _even_points(line, count, decode):
    """(M, D) corners of a line -> (count, D) points on it, at even distances between pictures."""
    points = _interpolate(line, _arc_length(line), count)
    return _interpolate(points, _arc_length(_to_pictures(points, decode)), count)


def _interpolate(line, arc_length, count):
    """(M, D) -> (count, D), at even arc lengths, both ends among them. arc_length: (M,)."""
    where = np.linspace(0, arc_length[-1], count)
    return np.stack([np.interp(where, arc_length, values) for values in line.T], axis=1)


def _arc_length(line):
    """(M, P) points of a line -> (M,), how far along it each lies."""
    return np.concatenate([[0], np.cumsum(_distances(line[1:], line[:-1]))])


# ---- distances


def _to_pictures(codes, decode):
    """(..., D) -> (..., P): what lengths are measured between, pictures or else codes."""
    return decode(codes).reshape(*codes.shape[:-1], -1) if decode else codes


def _distances(a, b):
    """(..., P), (..., P) -> (...), over 0, since a sparse graph has no edges of length 0."""
    return np.linalg.norm(a - b, axis=-1) + MIN_LENGTH


def _nearest(codes, queries, count):
    """The `count` codes nearest to each query: distances and indices, (Q, count), in order."""
    from sklearn.neighbors import NearestNeighbors

    search = NearestNeighbors(n_neighbors=min(count, len(codes)), algorithm="brute")
    return search.fit(codes).kneighbors(queries)
