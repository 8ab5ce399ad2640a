"""Geodesic paths between codes that stay close to real handwriting.

The straight line between two codes crosses regions without any character, where the decoder paints
ghosts. The geodesic goes from character to character. Most pairs of letters have nothing between
them that is handwriting, so a path passes through other letters: those that look alike, one after
the other. The graph is built once for a model, in steps 1 to 3; each path takes steps 4 to 7.

1. Isolated codes are dropped: those that lie further from their neighbours than these do from
   theirs (Breunig et al. 2000, "LOF: identifying density-based local outliers", simplified).
2. Each other code is replaced by the mean of itself and its nearest neighbours. Averaging removes
   one person's quirks, and the decoder draws clearer handwriting. The class of such a node is that
   of most of its codes.
3. Nodes are joined to their nearest neighbours. The length of an edge is the distance between its
   two pictures (Chen et al. 2019, arXiv:1812.08284). A long edge costs extra, as it may cross an
   empty region, and an edge between two classes costs twice as much.
4. The cheapest path from code to code is found (Dijkstra 1959). It enters and leaves the graph at
   nodes of its ends' own classes, or goes straight if that costs less. The nearest test images vote
   on the classes of photos.
5. A few codes at even distances stand for the path. Each is decoded and encoded again, three times:
   what the encoder does not know from handwriting is lost.
6. The pen is carried along. In one direction codes of the same shape differ by the width of their
   strokes: the slope of codes over widths, by least squares over all edges. Each code is moved in
   it until its width lies where it should between the widths at the two ends.
7. The frames lie at even distances on the line through these codes, measured between pictures.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import bmat, csr_matrix, diags
from scipy.sparse.csgraph import dijkstra

from support.console import notice
from support.files import made_once

MAX_CODES = 120_000  # of more training images, a random sample is taken
INLIER_SHARE = 1 / 3  # of the codes; the others are dropped
CODES_PER_NODE = 5  # whose mean is a node
NEIGHBOURS = 32  # to which a node is joined
END_NEIGHBOURS = 16  # to which an end of a path is joined
LONG_EDGE = 1.35  # times the median; length beyond that costs extra
EXTRA_COST = 30  # for each unit of length beyond, on top of the length itself
CLASS_CHANGE = 2  # times as much costs an edge between two classes
CORNERS = 13  # codes that stand for a path
ENCODE_ROUNDS = 3  # of decoding and encoding them again
PEN_ROUNDS = 2  # of moving codes in the pen's direction and measuring their strokes again
LARGEST_PEN_MOVE = 0.4  # in a round: of the logarithm of the width
VOTERS = 8  # known codes that vote on the class of an end
SAME_CLASS = 0.1  # share of the votes that both ends must give a class to be both of it
NO_INK = 1e-3  # pixels; an empty picture has a width, too
MIN_LENGTH = 1e-9  # codes may be equal, and a sparse graph has no edges of length 0


@dataclass(frozen=True)
class CodeGraph:
    """A graph of codes, each joined to its nearest neighbours.

    nodes: (N, D) float32, means of neighbouring codes.
    classes: (N,), their labels.
    costs, neighbours, starts: of the edges, as scipy's csr_matrix keeps them: those of node i have
        costs[starts[i] : starts[i + 1]] and lead to the neighbours at the same places.
    long_edge: from which length an edge is long.
    pen: (D,) float32, how a code changes when its strokes get e times as wide.
    """

    nodes: np.ndarray
    classes: np.ndarray
    costs: np.ndarray
    neighbours: np.ndarray
    starts: np.ndarray
    long_edge: float
    pen: np.ndarray


# ---- the graph


def open_graph(trained):
    """The CodeGraph of a TrainedRun's training images, kept in its index.npz."""

    def make():
        notice(
            "building the graph of the training images' codes, once for a model; a minute or two"
        )
        return vars(graph_of_training_images(trained, MAX_CODES))

    settings = [MAX_CODES, INLIER_SHARE, CODES_PER_NODE, NEIGHBOURS]
    settings += [LONG_EDGE, EXTRA_COST, CLASS_CHANGE, NO_INK]
    note = trained.made_from | {"settings": settings}
    return CodeGraph(**made_once(trained.run.folder / "index.npz", note, make))


def graph_of_training_images(trained, most):
    """The CodeGraph of a TrainedRun's training images; of more than `most`, a sample is taken."""
    sample = np.random.default_rng(0).permutation(len(trained.data.y_train))[:most]
    codes = trained.encode(trained.data.x_train[sample])
    return build_graph(codes, trained.data.y_train[sample], trained.decode)


def build_graph(codes, labels, decode):
    """The CodeGraph in which geodesic_path searches.

    codes: (N, D) float32, N at least 1. labels: (N,). decode: as in geodesic_path.
    """
    # 1. Drop isolated codes.
    distances, neighbours = _nearest(codes, codes, NEIGHBOURS + 1)  # itself, too
    spread = distances.mean(axis=1) + MIN_LENGTH
    isolation = spread / spread[neighbours].mean(axis=1)
    is_kept = isolation <= np.quantile(isolation, INLIER_SHARE)
    codes, labels = codes[is_kept], labels[is_kept]
    # 2. Replace each by the mean of itself and its nearest neighbours.
    _, neighbours = _nearest(codes, codes, NEIGHBOURS + 1)
    members = neighbours[:, :CODES_PER_NODE]
    nodes = codes[members].mean(axis=1)
    classes = _most_common(labels[members])
    # 3. Join these nodes.
    pictures = decode(nodes)
    edges = _join(_flat(pictures), neighbours)
    long_edge = LONG_EDGE * np.median(edges.data)
    edges.data = _cost(edges.data, long_edge)
    edges.data[classes[edges.row] != classes[edges.col]] *= CLASS_CHANGE
    edges = edges.tocsr()
    # For step 6: find the direction of the pen.
    pen = _pen_direction(nodes, pen_width(pictures), neighbours)
    return CodeGraph(nodes, classes, edges.data, edges.indices, edges.indptr, long_edge, pen)


def _most_common(labels):
    """(N, K) -> (N,): the label that is most common in each row; of several, the first."""
    counts = (labels[:, :, None] == labels[:, None, :]).sum(axis=2)
    return labels[np.arange(len(labels)), counts.argmax(axis=1)]


def _join(pictures, neighbours):
    """The lengths of the edges from each node to its neighbours (N, K): (N, N), sparse.

    pictures: (N, P), of the nodes.
    """
    lengths = np.empty(neighbours.shape, np.float32)
    for node, near in enumerate(neighbours):  # one by one, to save memory
        lengths[node] = _distances(pictures[near], pictures[node])
    edges = _sparse(lengths, neighbours, len(pictures))
    return edges.maximum(edges.T).tocoo()


def _pen_direction(nodes, widths, neighbours):
    """(D,): the slope of nodes (N, D) over their widths (N,), by least squares over all edges."""
    wider = widths[neighbours] - widths[:, None]  # (N, K)
    change = nodes[neighbours] - nodes[:, None]  # (N, K, D)
    return np.einsum("nk,nkd->d", wider, change) / ((wider**2).sum() + MIN_LENGTH)


# ---- the classes of ends


def vote_labels(codes, labels, start, end):
    """The labels of the ends of paths, by a vote of the nearest codes of known labels.

    If each end gives one class enough of its votes, both are taken to be of that class: then the
    path between them need not leave it.

    Args:
        codes, labels: (N, D) and (N,), of test images.
        start, end: (R, D), as in geodesic_path.

    Returns:
        Two arrays (R,).
    """
    classes = np.unique(labels)
    of_start = _vote(codes, labels, classes, start)
    of_end = _vote(codes, labels, classes, end)
    of_both = np.minimum(of_start, of_end)
    is_same = of_both.max(axis=1) >= SAME_CLASS
    common = of_both.argmax(axis=1)
    start_labels = classes[np.where(is_same, common, of_start.argmax(axis=1))]
    end_labels = classes[np.where(is_same, common, of_end.argmax(axis=1))]
    return start_labels, end_labels


def _vote(codes, labels, classes, queries):
    """The share of each class (C,) in the vote of the codes nearest to queries: (Q, C)."""
    distances, nearest = _nearest(codes, queries, VOTERS)
    weights = 1 / (distances + MIN_LENGTH) ** 2
    is_of_class = labels[nearest][:, :, None] == classes
    votes = (weights[:, :, None] * is_of_class).sum(axis=1)
    return votes / votes.sum(axis=1, keepdims=True)


# ---- the paths


def geodesic_path(graph, start, end, start_labels, end_labels, steps, encode, decode):
    """Geodesic paths between codes, as frames at even distances.

    Args:
        graph: a CodeGraph, built with the same decode.
        start, end: (R, D) codes, the ends of R rows.
        start_labels, end_labels: (R,), their classes.
        steps: frames in a row, at least 2; the first is start, the last is end, both exactly.
        encode: a function, pictures (N, height, width) -> codes (N, D).
        decode: a function, codes (..., D) -> pictures (..., height, width) in [0, 1].

    Returns:
        (R, steps, D) float32.
    """
    # 4. Find the cheapest paths.
    corners = []
    for walk in _cheapest_walks(graph, start, end, start_labels, end_labels, decode):
        # 5. Let a few codes stand for each.
        corners.append(_evenly(walk, walk, CORNERS))
    corners = np.array(corners, np.float32)
    for _ in range(ENCODE_ROUNDS):
        corners[:, 1:-1] = _encode_again(corners[:, 1:-1], encode, decode)
    # 6. Carry the pen along.
    corners = _carry_pen(corners, graph.pen, decode)
    # 7. Put frames at even distances.
    pictures = _flat(decode(corners))
    rows = zip(corners, pictures, strict=True)
    return np.array([_evenly(line, seen, steps) for line, seen in rows], np.float32)


def _cheapest_walks(graph, start, end, start_labels, end_labels, decode):
    """Yields for each row the codes on the cheapest way, from its start to its end."""
    count = len(graph.nodes)
    between = csr_matrix((graph.costs, graph.neighbours, graph.starts), shape=(count, count))
    from_start = _end_costs(graph, start, start_labels, decode)
    to_end = _end_costs(graph, end, end_labels, decode)
    straight = _cost(_distances(_flat(decode(start)), _flat(decode(end))), graph.long_edge)
    straight[np.not_equal(start_labels, end_labels)] *= CLASS_CHANGE
    past_all = diags(straight)  # so that there is always a path
    costs = bmat(  # from nodes, starts and ends to nodes, starts and ends
        [
            [between, None, to_end.T],
            [from_start, 0 * past_all, past_all],
            [None, None, 0 * past_all],
        ],
        format="csr",
    )
    codes = np.concatenate([graph.nodes, start, end])
    for first in range(count, count + len(start)):
        _, predecessors = dijkstra(costs, indices=first, return_predecessors=True)
        walk = [first + len(start)]
        while walk[-1] != first:
            walk.append(predecessors[walk[-1]])
        yield codes[walk[::-1]]


def _end_costs(graph, ends, labels, decode):
    """What the edges from ends (R, D) to the nearest nodes of their classes cost: (R, N), sparse.

    If a class has too few nodes, others are taken.
    """
    near = []
    for end, label in zip(ends, labels, strict=True):
        order = np.lexsort([_distances(graph.nodes, end), graph.classes != label])
        near.append(order[:END_NEIGHBOURS])
    near = np.array(near)
    lengths = _distances(_flat(decode(graph.nodes[near])), _flat(decode(ends))[:, None])
    return _sparse(_cost(lengths, graph.long_edge), near, len(graph.nodes))


def _evenly(line, seen, count):
    """(M, D) -> (count, D): codes on a line at even distances, both its ends among them.

    seen: (M, P), between which distances are measured: the line's codes, or their pictures.
    """
    steps = _distances(seen[1:], seen[:-1])
    reached = np.concatenate([[0], np.cumsum(steps)])
    where = np.linspace(0, reached[-1], count)
    return np.stack([np.interp(where, reached, numbers) for numbers in line.T], axis=1)


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


# ---- distances


def _cost(lengths, long_edge):
    """What edges of these lengths cost, in any shape."""
    return lengths + EXTRA_COST * np.maximum(lengths - long_edge, 0)


def _sparse(values, columns, width):
    """Values (R, K) at these columns of a sparse matrix (R, width)."""
    rows = np.arange(len(values)).repeat(values.shape[1])
    return csr_matrix((values.ravel(), (rows, columns.ravel())), shape=(len(values), width))


def _flat(pictures):
    """(..., height, width) -> (..., P)."""
    return pictures.reshape(*pictures.shape[:-2], -1)


def _distances(a, b):
    """(..., P), (..., P) -> (...), over 0, since a sparse graph has no edges of length 0."""
    return np.linalg.norm(a - b, axis=-1) + MIN_LENGTH


def _nearest(codes, queries, count):
    """The `count` codes nearest to each query: distances and indices, (Q, count), in order."""
    from sklearn.neighbors import NearestNeighbors

    search = NearestNeighbors(n_neighbors=min(count, len(codes)), algorithm="brute").fit(codes)
    return search.kneighbors(queries)
