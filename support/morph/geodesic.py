"""Geodesic paths between codes that stay close to real handwriting.

The straight line between two codes crosses regions without any character, where the decoder paints
ghosts. The geodesic goes from character to character. First a graph is built, once for a model:

1. Isolated codes are dropped: those that lie further from their neighbours than these do from
   theirs (Breunig et al. 2000, "LOF: identifying density-based local outliers", simplified).
2. Each other code is replaced by the mean of itself and its nearest neighbours. Averaging removes
   one person's quirks, and the decoder draws clearer handwriting.
3. These nodes are joined to their nearest neighbours. The length of an edge is the distance between
   its two pictures (Chen et al. 2019, arXiv:1812.08284).
4. The direction of the pen is found, in which codes of the same shape differ by the width of their
   strokes: the slope of codes over widths, by least squares over all edges.

Then each path is found in it:

5. Length beyond 1.5 times the median is penalised. The cheapest path from code to code is short and
   rarely takes a long edge through an empty region (Dijkstra 1959).
6. A few codes at even distances stand for the path. Each is decoded and encoded again: what the
   encoder does not know from handwriting is lost.
7. The pen is carried along. Each of these codes is moved in the pen's direction until the width of
   its strokes lies where it should between the widths at the two ends.
8. Frames are chosen from the line through these codes, at nearly even distances that avoid regions
   without nodes (dynamic programming).
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra, laplacian

from support.console import InputError, notice, progress_bar
from support.files import made_once

MAX_CODES = 120_000  # of more codes, a random sample is taken
INLIER_SHARE = 1 / 3  # of the codes; the others are dropped
CODES_PER_NODE = 5  # whose mean is a node
NEIGHBOURS = 32  # to which a node is joined
END_NEIGHBOURS = 8  # to which an end of a path is joined
LONG_EDGE = 1.5  # times the median; length beyond that costs extra
EXTRA_COST = 30  # for each unit of length beyond, on top of the length itself
CORNERS = 13  # codes that stand for a path
PEN_ROUNDS = 2  # of moving codes in the pen's direction and measuring their strokes again
LARGEST_PEN_MOVE = 0.4  # in a round: of the logarithm of the width
NO_INK = 1e-3  # pixels; an empty picture has a width, too
FRAME_NEIGHBOURS = 16  # nodes whose mean distance says how far a frame is from handwriting
POINTS_PER_STEP = 20  # of a path; frames are chosen from its points
LONGEST_STEP = 1.1  # times the mean step
MIN_POINTS = 9 * POINTS_PER_STEP  # of a path of few frames
QUERIES_AT_ONCE = 4000  # to save memory; the progress bar moves after each such block
MIN_LENGTH = 1e-9  # codes may be equal, and a sparse graph has no edges of length 0


@dataclass(frozen=True)
class CodeGraph:
    """A graph of codes, each joined to its nearest neighbours.

    codes: (N, D) float32, means of neighbouring codes.
    graph: (N, N) sparse and symmetric, the lengths of edges: between pictures, or between codes if
        it was built without decode.
    pen: (D,) float32, how a code changes when its strokes get e times as wide; 0 without decode.
    """

    codes: np.ndarray
    graph: csr_matrix
    pen: np.ndarray

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
    _, neighbours = _nearest(codes, codes, NEIGHBOURS + 1, "joining codes")  # itself, too
    nodes = codes[neighbours[:, :CODES_PER_NODE]].mean(axis=1)
    # 3. Join these nodes.
    pictures = decode(nodes) if decode else nodes
    graph = _join(pictures.reshape(len(nodes), -1), neighbours)
    # 4. Find the direction of the pen.
    pen = _pen_direction(nodes, graph, pen_width(pictures)) if decode else np.zeros_like(nodes[0])
    return CodeGraph(nodes, graph, pen)


def _drop_isolated(codes):
    """The INLIER_SHARE of the codes that lie least isolated from their neighbours."""
    distances, neighbours = _nearest(codes, codes, NEIGHBOURS + 1, "comparing codes")
    spread = distances.mean(axis=1) + MIN_LENGTH
    isolation = spread / spread[neighbours].mean(axis=1)
    return codes[isolation <= np.quantile(isolation, INLIER_SHARE)]


def _join(pictures, neighbours):
    """The lengths of the edges from each node to its neighbours (N, K): (N, N), sparse.

    pictures: (N, P), of the nodes.
    """
    lengths = np.empty(neighbours.shape, np.float32)
    for node, near in enumerate(neighbours):  # one by one, to save memory
        lengths[node] = _distances(pictures[near], pictures[node])
    count = len(pictures)
    tails = np.repeat(np.arange(count), neighbours.shape[1])
    edges = (lengths.ravel(), (tails, neighbours.ravel()))
    graph = csr_matrix(edges, shape=(count, count))
    return graph.maximum(graph.T).tocsr()


def _pen_direction(codes, graph, widths):
    """(D,): the slope of codes (N, D) over their widths (N,), by least squares over all edges.

    Over an edge (i, j), codes and widths differ by c_i - c_j and w_i - w_j. With the Laplacian L of
    the graph, the sum of (w_i - w_j) (c_i - c_j) over all edges is w L c.
    """
    differences = laplacian(graph.astype(bool).astype(np.float32)) @ widths
    return differences @ codes / (differences @ widths + MIN_LENGTH)


def open_graph(path, made_from, make_codes, decode=None):
    """The CodeGraph that is saved at `path`, or a new one, which is saved there.

    Args:
        made_from: fingerprints {"model": ..., "data": ...}. A graph that was made from others, or
            with other settings, is rebuilt.
        make_codes: a function that returns the codes (N, D) for a new graph.
        decode: as in geodesic_path.
    """

    def make_arrays():
        notice("building the graph of the training images' codes, once for a model")
        built = build_graph(make_codes(), decode)
        return {
            "codes": built.codes,
            "lengths": built.graph.data,
            "neighbours": built.graph.indices,
            "starts": built.graph.indptr,
            "pen": built.pen,
        }

    settings = [MAX_CODES, INLIER_SHARE, CODES_PER_NODE, NEIGHBOURS, NO_INK, decode is not None]
    arrays = made_once(path, made_from | {"settings": settings}, make_arrays)
    edges = csr_matrix((arrays["lengths"], arrays["neighbours"], arrays["starts"]))
    return CodeGraph(arrays["codes"], edges, arrays["pen"])


# ---- the paths


def geodesic_path(graph, start, end, steps=10, encode=None, decode=None):
    """Geodesic paths between codes, as frames at nearly even distances.

    Args:
        graph: a CodeGraph, built with the same decode.
        start, end: (R, D) codes, the ends of R rows.
        steps: frames in a row, at least 2; the first is start, the last is end, both exactly.
        encode: a function, pictures (N, height, width) -> codes (N, D).
        decode: a function, codes (..., D) -> pictures (..., height, width) in [0, 1]. Without both,
            lengths are measured between codes, and there is no pen.

    Returns:
        (R, steps, D) float32.
    """
    nodes = np.concatenate([graph.codes, start, end])
    costs = _costs_with_ends(graph, start, end, decode)
    first = len(graph.codes) + np.arange(len(start))
    last = first + len(start)

    corners = np.empty((len(start), CORNERS, nodes.shape[1]), np.float32)
    for row in range(len(start)):
        # 5. Find the cheapest path.
        line = nodes[_cheapest_walk(costs, first[row], last[row])]
        # 6. Let a few codes stand for it.
        corners[row] = _interpolate(line, _arc_length(line), CORNERS)
    if decode:
        corners[:, 1:-1] = _encode_again(corners[:, 1:-1], encode, decode)
        # 7. Carry the pen along.
        corners = _carry_pen(corners, graph.pen, decode)

    pictures = _to_pictures(corners, decode)
    path = np.empty((len(start), steps, nodes.shape[1]), np.float32)
    for row in range(len(start)):
        # 8. Choose frames.
        path[row] = _choose_frames(corners[row], _arc_length(pictures[row]), steps, graph)
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


def _encode_again(codes, encode, decode):
    """(R, M, D) -> (R, M, D), the codes of their pictures."""
    pictures = decode(codes)
    return encode(pictures.reshape(-1, *pictures.shape[2:])).reshape(codes.shape)


def _carry_pen(corners, pen, decode):
    """Moves codes (R, M, D) in the pen's direction, to strokes between those at the ends of a row.

    pen: (D,), for a width e times as large. The ends, the first and last of a row, stay.
    """
    for _ in range(PEN_ROUNDS):
        widths = pen_width(decode(corners))
        wanted = np.linspace(widths[:, 0], widths[:, -1], widths.shape[1], axis=1)
        move = np.clip(wanted - widths, -LARGEST_PEN_MOVE, LARGEST_PEN_MOVE)
        corners = corners + move[..., None] * pen
    return corners


def pen_width(pictures):
    """(..., height, width) in [0, 1] -> (...): the logarithm of the strokes' mean width in pixels.

    A stroke of length l and width w has the ink l w and the total variation 2 l, of both its sides.
    """
    down = pictures[..., 1:, :-1] - pictures[..., :-1, :-1]
    right = pictures[..., :-1, 1:] - pictures[..., :-1, :-1]
    variation = np.hypot(down, right).sum(axis=(-2, -1))
    ink = pictures.sum(axis=(-2, -1))
    return np.log((2 * ink + NO_INK) / (variation + NO_INK))


def _choose_frames(corners, arc_length, steps, graph):
    """(M, D) corners of a line -> (steps, D) frames on it, its ends among them."""
    points_per_step = max(POINTS_PER_STEP, MIN_POINTS // (steps - 1))
    points = _interpolate(corners, arc_length, points_per_step * (steps - 1) + 1)
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


def _nearest(codes, queries, count, label=None):
    """The `count` codes nearest to each query: distances and indices, (Q, count), in order.

    label: of a progress bar; None: no bar.
    """
    from sklearn.neighbors import NearestNeighbors

    search = NearestNeighbors(n_neighbors=min(count, len(codes)), algorithm="brute").fit(codes)
    distances = []
    indices = []
    with progress_bar(label, len(queries)) as bar:
        for start in range(0, len(queries), QUERIES_AT_ONCE):
            block = queries[start : start + QUERIES_AT_ONCE]
            block_distances, block_indices = search.kneighbors(block)
            distances.append(block_distances)
            indices.append(block_indices)
            bar.update(len(block))
    return np.concatenate(distances), np.concatenate(indices)
