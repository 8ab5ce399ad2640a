"""The way from one code to another that keeps to handwriting.

    index = build_index(codes, fingerprint)          # once for a model; index.save, load_index
    path, unjoined = geodesic(index, start, end, steps=10)

The straight line between two codes crosses regions without a single character, where the decoder
paints ghosts. The geodesic goes from character to character:

1. Each code of the training set is replaced by the mean of itself and its nearest neighbours. What
   is particular to one hand cancels, and what remains is decoded to clearer handwriting.
2. These nodes are joined to their neighbours. An edge costs its length to the power of 2.5, so that
   many short hops among characters are cheaper than a leap across nothing: the shortest path
   under such costs is the sample Fermat distance (Groisman, Jonckheere, Sapienza 2022,
   "Nonhomogeneous Euclidean first-passage percolation and distance learning"), Isomap's geodesic
   (Tenenbaum, de Silva, Langford 2000) for power 1.
3. The path zigzags from node to node; its quick turns are damped, which makes it shorter.
4. The frames are chosen from it, at nearly even distances: a little to and fro avoids the middle of
   long hops, where no node is near and the picture is doubtful.
"""

from dataclasses import dataclass

import faiss
import numpy as np
from scipy.fft import dst, idst
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import connected_components, dijkstra

from dataset import BAD_NPZ, replacing

NEIGHBOURS = 16  # that a code is averaged with, and joined to
POWER = 2.5  # of the length, in the cost of an edge
SMOOTHING = 0.05  # width of the Gaussian that damps turns, as a share of the path
MOST = 120_000  # codes in the index; of more, a random sample is taken
UNEVEN = 0.14  # how much longer than the mean a step between frames may be
FINE = 14  # points of a smoothed path for each step, from which the frames are chosen
EXACT = 20_000  # codes; among more, the neighbours are searched approximately
TINY = 1e-9  # the least length: codes may be equal, an edge of length 0 would be none
BATCH = 16  # rows searched at a time: bounds the memory


@dataclass
class Index:
    """A graph of codes, each joined to its nearest neighbours.

    codes: (N, D) float32, the nodes, each the mean of a few neighbouring codes. graph: (N, N)
    sparse, symmetric, connected, the lengths of the edges. island: (N,) int32, equal for nodes that
    are joined without a bridge. fingerprint: the caller's name for the model and the data.
    """

    codes: np.ndarray
    graph: csr_matrix
    island: np.ndarray
    fingerprint: str

    def save(self, path):
        """Writes an .npz that load_index reads; whole or not at all."""
        graph = self.graph
        arrays = {"codes": self.codes, "island": self.island, "fingerprint": self.fingerprint}
        arrays |= {"lengths": graph.data, "indices": graph.indices, "indptr": graph.indptr}
        with replacing(path) as unfinished, open(unfinished, "wb") as file:
            np.savez(file, **arrays)


def load_index(path, fingerprint):
    """The Index that Index.save wrote.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is not whole, or was built under another fingerprint; build it anew.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        if str(arrays["fingerprint"]) != fingerprint:
            raise ValueError("built from another model or other data")
        codes, count = arrays["codes"], len(arrays["codes"])
        edges = arrays["lengths"], arrays["indices"], arrays["indptr"]
        graph = csr_matrix(edges, shape=(count, count))
        graph.check_format()
        if codes.ndim != 2 or arrays["island"].shape != (count,):
            raise ValueError("its arrays do not fit each other")
    except FileNotFoundError:
        raise
    except (*BAD_NPZ, TypeError) as error:
        raise ValueError(f"{path}: no index to use ({error})") from error
    return Index(codes, graph, arrays["island"], fingerprint)


def build_index(codes, fingerprint, most=MOST):
    """Builds the graph in which geodesic searches.

    Args:
        codes: (N, D), N at least 1, finite.
        fingerprint: a text that names model and data, for load_index to compare.
        most: more codes than that are sampled, always the same ones.

    Returns:
        An Index of min(N, most) nodes.

    Raises:
        ValueError: codes are no finite (N, D) array.
    """
    codes = np.ascontiguousarray(codes, "float32")
    if codes.ndim != 2 or not codes.size or not np.isfinite(codes).all():
        raise ValueError(f"codes must be a finite (N, D) array, not {codes.shape}")
    if len(codes) > most:
        chosen = np.random.default_rng(0).choice(len(codes), most, replace=False)
        codes = codes[np.sort(chosen)]
    near, _ = _nearest(codes, codes, NEIGHBOURS + 1)  # each among its own neighbours
    nodes = np.zeros_like(codes)
    for column in near.T:
        nodes += codes[column] / near.shape[1]
    graph = _join(nodes, np.repeat(np.arange(len(nodes)), near.shape[1]), near.ravel())
    count, island = connected_components(graph, directed=False)
    islands = island
    while count > 1:
        graph = graph.maximum(_bridges(nodes, islands, count))
        count, islands = connected_components(graph, directed=False)
    return Index(nodes, graph, island, fingerprint)


def geodesic(index, start, end, steps=10, draw=None):
    """The paths between codes, as frames at nearly even distances.

    Args:
        index: an Index.
        start, end: (R, D) codes, the ends of R rows.
        steps: frames in a row, at least 2; the first is start, the last is end, both exactly.
        draw: a function of codes (..., D) that gives their pictures (..., height, width); with it
            the distances are even in what is seen, without it in the codes.

    Returns:
        path: (R, steps, D) float32.
        unjoined: (R,) bool, rows whose ends lie on different islands: their path has to leap
            across a gap where it is narrowest.
    """
    start, end = (np.ascontiguousarray(ends, "float32") for ends in (start, end))
    if steps < 2:
        raise ValueError(f"steps must be at least 2, not {steps}")
    nodes, rows = index.codes, len(start)
    (near_start, to_start), (near_end, to_end) = (
        _nearest(nodes, ends, NEIGHBOURS) for ends in (start, end)
    )
    unjoined = index.island[near_start[:, 0]] != index.island[near_end[:, 0]]

    # Further nodes of the graph: the starts, which edges only leave, and the ends, which they only
    # reach. Each start has an edge to its end too: neighbours need no detour.
    inner, count = index.graph.tocoo(), len(nodes)
    ends_of = np.arange(count + rows, count + 2 * rows)
    starts_of = np.arange(count, count + rows)
    width = near_start.shape[1]
    tail = [inner.row, np.repeat(starts_of, width), near_end.ravel(), starts_of]
    head = [inner.col, near_start.ravel(), np.repeat(ends_of, width), ends_of]
    direct = np.linalg.norm(end - start, axis=1)
    length = [inner.data, to_start.ravel(), to_end.ravel(), direct]
    cost = np.maximum(np.concatenate(length).astype("float64"), TINY) ** POWER
    total = count + 2 * rows
    graph = coo_matrix((cost, (np.concatenate(tail), np.concatenate(head))), (total, total)).tocsr()

    everything = np.concatenate([nodes, start, end])
    path = np.empty((rows, steps, nodes.shape[1]), "float32")
    fine = FINE * max(steps - 1, 9) + 1
    for first in range(0, rows, BATCH):
        batch = np.arange(first, min(first + BATCH, rows))
        _, previous = dijkstra(graph, indices=starts_of[batch], return_predecessors=True)
        lines = np.stack(
            [
                _place(everything[_walk(before, starts_of[row], ends_of[row])], fine)
                for row, before in zip(batch, previous)
            ]
        )
        lines = _smooth(lines).astype("float32")
        _, apart = _nearest(nodes, lines.reshape(-1, lines.shape[-1]), NEIGHBOURS // 2)
        doubts = apart.mean(1).reshape(lines.shape[:2])
        for row, line, seen, doubt in zip(batch, lines, draw(lines) if draw else lines, doubts):
            path[row] = line[_choose(_reached(seen), doubt, steps)]
    path[:, 0], path[:, -1] = start, end
    return path, unjoined


def length_and_smoothness(frames):
    """How far a morph goes, and how evenly, in pixels: frames (R, T, 28, 28) -> (R,) and (R,).

    The length is the sum of the L2 distances of neighbouring frames, divided by the distance of the
    two ends; the smoothness is the largest step's share of that sum, less 1/(T - 1), its share
    where all are even. Rows whose two ends are the same give nan.
    """
    flat = frames.reshape(*frames.shape[:2], -1)
    steps = np.linalg.norm(np.diff(flat, axis=1), axis=2)
    apart = np.linalg.norm(flat[:, -1] - flat[:, 0], axis=1)
    apart[apart < TINY] = np.nan
    total = np.where(np.isnan(apart), np.nan, steps.sum(1))
    return total / apart, steps.max(1) / total - 1 / steps.shape[1]


def _nearest(codes, queries, count):
    """The `count` codes nearest to each query: indices and distances, (Q, count) each."""
    count = min(count, len(codes))
    search = faiss.IndexFlatL2(codes.shape[1])
    if len(codes) > EXACT:  # 99% of the neighbours in a fifth of the time
        search = faiss.IndexIVFFlat(search, codes.shape[1], 256)
        search.nprobe = 16
        search.train(codes[:: len(codes) // EXACT])
    search.add(codes)
    squares, near = search.search(queries, count)
    missing = near < 0  # fewer than `count` where it looked: the nearest stands in
    near = np.where(missing, near[:, :1], near)
    return near, np.sqrt(np.maximum(np.where(missing, squares[:, :1], squares), 0))


def _join(nodes, tail, head):
    """The (N, N) sparse, symmetric matrix of the lengths of edges between nodes."""
    length = np.concatenate(
        [
            np.linalg.norm(nodes[t] - nodes[h], axis=1)
            for t, h in zip(np.array_split(tail, 32), np.array_split(head, 32))
        ]
    )
    graph = csr_matrix((np.maximum(length, TINY), (tail, head)), (len(nodes), len(nodes)))
    return graph.maximum(graph.T).tocsr()


def _bridges(nodes, island, count):
    """Edges from each island but the largest to the nearest node that is not on it."""
    tail, head = [], []
    for number in np.bincount(island).argsort()[:-1]:
        inside, outside = np.flatnonzero(island == number), np.flatnonzero(island != number)
        near, distance = _nearest(nodes[outside], nodes[inside], 1)
        narrowest = distance[:, 0].argmin()
        tail.append(inside[narrowest])
        head.append(outside[near[narrowest, 0]])
    return _join(nodes, np.array(tail), np.array(head))


def _walk(previous, start, end):
    """The nodes from start to end, in order, out of each node's predecessor."""
    walk = [end]
    while walk[-1] != start:
        walk.append(previous[walk[-1]])
    return walk[::-1]


def _reached(line):
    """(M, ...) points of a line -> (M,), how far along it each lies."""
    steps = np.linalg.norm(np.diff(line.reshape(len(line), -1), axis=0), axis=1)
    return np.concatenate([[0], np.cumsum(steps)])


def _choose(reached, doubt, steps):
    """Which points of a line to show: (steps,) indices, both ends among them.

    reached: (M,), how far along the line each point lies. doubt: (M,). The sum of the fourth powers
    of the doubts is the least that steps of at most 1 + UNEVEN times the mean allow, found by
    dynamic programming; where there are none (a line of equal points), the points are even.
    """
    doubt = (doubt / max(doubt.mean(), TINY)) ** 4
    step = reached - reached[:, None]  # from the row's point to the column's
    allowed = (step > 0) & (step <= (1 + UNEVEN) * reached[-1] / (steps - 1))
    barrier = np.where(allowed, 0, np.inf)
    cost = np.where(np.arange(len(doubt)) == 0, 0, np.inf)
    sources = []
    for _ in range(steps - 1):
        through = cost[:, None] + barrier
        sources.append(through.argmin(0))
        cost = through.min(0) + doubt
    if not np.isfinite(cost[-1]):
        return np.linspace(0, len(doubt) - 1, steps).round().astype(int)
    chosen = [len(doubt) - 1]
    for source in reversed(sources):
        chosen.append(source[chosen[-1]])
    return chosen[::-1]


def _place(line, count):
    """(M, D) points of a line -> (count, D) on it, at even distances, both ends among them."""
    reached = _reached(line)
    where = np.linspace(0, reached[-1], count)
    before = np.clip(np.searchsorted(reached, where, side="right") - 1, 0, len(line) - 2)
    gap = np.maximum(reached[before + 1] - reached[before], TINY)
    share = np.clip((where - reached[before]) / gap, 0, 1)[:, None]
    return (1 - share) * line[before] + share * line[before + 1]


def _smooth(lines):
    """(R, M, D) lines, their quick turns damped, with the same ends.

    What separates a line from the straight one between its ends is written as a sine series, and
    its terms are damped as a Gaussian of the width SMOOTHING does it.
    """
    t = np.linspace(0, 1, lines.shape[1])[:, None]
    straight = (1 - t) * lines[:, :1] + t * lines[:, -1:]
    waves = dst((lines - straight)[:, 1:-1], type=1, axis=1)
    number = np.arange(1, waves.shape[1] + 1)[:, None]
    waves *= np.exp(-((np.pi * number * SMOOTHING) ** 2) / 2)
    straight[:, 1:-1] += idst(waves, type=1, axis=1)
    return straight
