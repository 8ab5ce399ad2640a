"""A made-up stand-in for EMNIST Balanced: handwriting that needs no data and no network.

    from demo import draw_demo_set
    (x_train, y_train), (x_test, y_test) = draw_demo_set()

Each of the 47 characters is a few pen strokes, in the ways people write it (STROKES). An image
is one of them drawn by a made-up hand of its own: points shift, strokes run too far or stop too
soon, the whole leans, stretches and bends, and the pen is thin or thick. It is then centred and
softened as EMNIST's images are.
"""

import numpy as np

IMAGE_SIZE = 28  # pixels a side
MARGIN = 2  # empty pixels on each side of the longer side of the ink
SAMPLES = 4  # pieces of line that draw the curve from one point to the next
PEN_RADIUS = 1.4  # pixels, of the typical hand
BLUR = (0.7, 1.3)  # pixels over which the edge of the ink fades, in sharp and in soft images
HASTE = (0.2, 0.7)
BATCH = 128  # images drawn at once; their pixels then stay in the processor's cache

# How to read it: a point is two digits, column and row on a grid of 10 x 10 (00 is top left, 99
# bottom right). "-" leads to the next point straight, "~" in a curve; a space lifts the pen.
# Ways of writing a character stand in a list; *3 makes one three times as frequent. As in EMNIST,
# upper and lower case of 15 letters (C, I, J, K, L, M, O, P, S, U, V, W, X, Y, Z) share a class.
# fmt: off
STROKES = {
    "0": ["50~21~14~27~49~78~85~72~50 *2", "60~30~14~27~59~86~83~60~41", "40~21~15~28~49~78~86~72~40~10"],
    "1": ["50-59 *5", "42-50-59"],
    "2": ["12~30~60~82~64~19-99 *2", "22~40~71~74~38~09~07~28~68~98 *2", "21~50~82~64~28-19~59~98", "22~40~71~64-19-89"],
    "3": ["11~40~71~63~34 34~75~87~59~18 *3", "10-80-44~75~87~59~18", "11~50~72~54~34~64~87~69~29~17"],
    "4": ["20-15-95 70-69 *2", "20~24~45~85 80-79 *2", "70-06-96 70-79", "10~15~75~80-69"],
    "5": ["80-20-24~53~75~87~59~18 *2", "30-24~54~76~87~49~18 30-80 *3", "81-31~34~65~77~49~18"],
    "6": ["60~33~16~28~59~78~76~55~27 *2", "50~24~17~39~68~66~45~27", "71~42~15~17~49~88~75~46~17"],
    "7": ["10-80-49 *3", "10-80~55~39 *2", "12-10-80-49", "10-80-49 25-75", "11~40~70~80~54~49"],
    "8": ["71~50~31~33~54~77~68~49~28~27~54~73~71 *2", "80~40~22~44~76~58~29~27~54~82~70",
          "50~31~33~54~73~71~50 54~26~28~59~88~86~54"],
    "9": ["72~50~31~33~45~64~72-59 *2", "82~50~22~24~45~74~82~76~49", "71~50~23~45~71-59 *2"],
    "A": ["09-50-99 26-76 *2", "19-50-89 16-86", "19~23~50~73~89 25-75", "50-09 50-89 27~56~85", "19~30~60~79 26-86"],
    "B": ["20-29 20~70~82~54~24 24~75~87~69~29 *2", "20-29 10~70~82~54~34 34~85~87~59~19 *2",
          "29-20~60~72~54 54~76~78~59~19"],
    "C": ["82~50~22~15~28~59~88 *3", "71~50~33~26~38~59~78", "81~60~30~14~28~69", "73~81~60~32~16~28~59~88"],
    "D": ["20-29 10~60~93~86~59~19 *2", "20-29 20~60~84~77~49~29 *2", "31-29 11~50~83~87~59~19"],
    "E": ["80-20-29-89 24-74 *2", "10-19 10-80 14-74 19-89", "81~40~22~54 54~26~28~59~88 *2", "90~40~14~17~39~99 15-75"],
    "F": ["20-29 20-80 24-74 *3", "80-20-29 24-74", "10-90 30-29 34-74", "80~40~29 24-74"],
    "G": ["82~50~22~15~28~59~87-85-55 *2", "81~40~13~17~49~77-75-45", "81~50~22~16~39~69~76~55~86~79", "82~50~22~15~28~59~86 55-95-99"],
    "H": ["20-29 80-89 24-84 *3", "10-19 70-79 15-94", "10-19 80-89 16~35~84"],
    "I": ["50-59 20-80 29-89 *4", "50-59 30-70 39-79", "50-59", "53-59 50-51 *2"],
    "J": ["70~76~68~49~27", "70~76~68~49~27 40-90 *3", "63~67~49~28 60-61 *2", "70~67~49~28~16"],
    "K": ["20-29 80-25-89 *2", "20-29 80-24 45-89", "20-29 73-26-79", "20-29 80~43~24~45~89"],
    "L": ["20-29-89 *3", "30-39-79 *3", "30~29~58~89", "50-59"],
    "M": ["18-12-56-92-98 *2", "03-08 05~23~44-48 45~63~94-98 *3", "08~21~46~71~98", "02~13~18-14~32~53~58-54~72~93~98"],
    "N": ["19-10-89-80 *2", "19-10-79-90", "09~30~32~67~69~90"],
    "O": ["50~21~04~17~49~88~95~82~50", "51~22~04~17~48~88~95~82~51", "60~31~13~05~18~58~97~94~71~51~20"],
    "P": ["20-29 20~60~73~65~25 *2", "20-29 10~50~72~64~45~25", "30-29 12~40~71~64~45"],
    "Q": ["50~21~04~17~49~88~95~82~50 66-99 *2", "50~21~04~17~49~88~95~82~50 56~67~99", "60~30~14~27~59~86~83~60~41 55-98"],
    "R": ["20-29 20~70~82~64~24 44-99 *2", "20-29 20~70~82~64~24-99", "29-30~71~73~45~34~67~99", "10-19 10~50~81~74~15~67~99"],
    "S": ["82~60~31~33~55~77~68~49~18 *2", "80~40~23~45~76~59~19", "81~50~22~34~64~87~59~28"],
    "T": ["01-91 51-59 *3", "01-81 51-49", "11~40~90 50~49"],
    "U": ["10~16~28~59~78~86~80 *2", "12~17~39~67-82-89", "10~15~39~68~80 80~86~99", "00~10~17~49~87~90"],
    "V": ["10-49-80 *3", "10~14~49~73~80~91", "10~48~49~90"],
    "W": ["02-28-53-78-92 *2", "03~16~28~47~54~57~78~96~93 *2", "02~18~38~56-52-58~78~96~91", "01~28~44~78~91"],
    "X": ["10-89 80-19 *3", "10~34~66~89 80~54~36~19", "12~31~57~89 81-09"],
    "Y": ["20-45-80 45-49", "20-54 80-39 *3", "20~24~45~74-80 80~77~59~38 *2", "20~45~80 45-39"],
    "Z": ["01-91-08-98 *2", "10-80-19-89", "10-80-19-89 34-75", "02-92-18-98", "11-81~18-88"],
    "a": ["83~52~23~17~38~67~83-88 *2", "72~41~13~07~28~57~72~76~98 *2", "22~51~73~78 75~44~26~28~58~77"],
    "b": ["20-29 27~44~75~78~59~28 *2", "20-29~58~76~55~27", "20-29 25~65~77~59~29"],
    "d": ["70-79 75~54~36~38~59~77 *2", "74~44~27~39~58~76-70~77~89", "70-69 65~34~27~39~67"],
    "e": ["26-85~62~32~16~28~59~88 *2", "16~46~84~62~32~15~28~59~97", "15-75~61~31~14~38~88"],
    "f": ["72~50~42~47~29 15-75", "80~61~43~59 25-75", "81~60~51~48~59 34-84"],
    "g": ["72~50~32~34~45~64~72 72~76~69~49~27 *2", "71~50~23~35~63~71 71~78~59~27~46~85", "71~50~23~35~62~71-78~49~28"],
    "h": ["20-29 25~54~75~79 *2", "20-29~44~65~79", "20-29 26~55~77~79~99"],
    "n": ["13-19 15~43~74~89 *2", "12-19 15~33~63~78~89", "02~13~19-14~43~73~78~99"],
    "q": ["72~50~32~34~45~64~72-79-97", "71~50~23~45~71-69~88~85 *2", "71~50~23~35~62~71-69~89~96~75", "71~40~12~34~62~71-69~99~85", "71~40~12~34~62~71-59~79~94"],
    "r": ["23-29 26~44~63~83 *2", "12~23-29-25~43~73", "13-29 26~52~83~84"],
    "t": ["40-49 13-83 *2", "40~46~58~78 13-83 *2", "50~37~49~78 24-84", "50-49 04-95"],
}
# fmt: on


def draw_demo_set(train_per_class=240, test_per_class=40, seed=2017):
    """Draws the demo set, the same bytes for the same arguments.

    Returns:
        (x_train, y_train), (x_test, y_test). x: (N, 28, 28) uint8, upright, 0 is paper and 255
        ink. y: (N,) uint8, labels 0..46, EMNIST Balanced's own. Classes are mixed; the end of the
        training part, as long as the test part, holds each class equally often, for validation.
    """
    rng = np.random.default_rng(seed)
    per_class = train_per_class + test_per_class
    images = np.stack([draw_character(c, per_class, rng) for c in STROKES])
    labels = np.repeat(np.arange(len(STROKES), dtype=np.uint8)[:, None], per_class, axis=1)
    cuts = [0, max(train_per_class - test_per_class, 0), train_per_class, per_class]
    parts = []
    for start, stop in zip(cuts, cuts[1:]):
        x, y = images[:, start:stop].reshape(-1, *images.shape[2:]), labels[:, start:stop].ravel()
        order = rng.permutation(len(y))
        parts.append((x[order], y[order]))
    (x_front, y_front), (x_tail, y_tail), test = parts
    return (np.concatenate([x_front, x_tail]), np.concatenate([y_front, y_tail])), test


def draw_character(character, count, rng):
    """Draws `count` images of a character, each by another hand: (count, 28, 28) uint8."""
    ways = [way.partition(" *")[::2] for way in STROKES[character]]
    weights = np.array([int(times or 1) for _, times in ways], float)
    choice = rng.choice(len(ways), size=count, p=weights / weights.sum())
    images = np.empty((count, IMAGE_SIZE, IMAGE_SIZE), np.uint8)
    for i, (way, _) in enumerate(ways):
        mine = np.flatnonzero(choice == i)
        for batch in np.split(mine, range(BATCH, len(mine), BATCH)):
            images[batch] = draw_way(way, len(batch), rng)
    return images


def draw_way(way, count, rng):
    """Draws `count` images of one way of writing: (count, 28, 28) uint8."""
    lines = write_by_hand(way, count, rng)
    radius = PEN_RADIUS * np.exp(rng.normal(0, 0.22, (count, 1, 1)))
    blur = rng.uniform(*BLUR, (count, 1, 1))
    return draw_lines(fit_to_image(lines, radius + blur / 2, rng), radius, blur)


def read_strokes(way):
    """Reads a way of writing: its points, and how lines and loose ends are made of them.

    Returns:
        points: (P, 2), column and row in [0, 1]. A point that is written twice is there once, so
            that strokes which meet in it stay together.
        exact: (L, 2, P), the weights of the points in the start and the stop of each short line,
            in a neat hand: through all points, corners sharp (Catmull-Rom spline).
        round: (L, 2, P), the same in a hasty hand: past the points, corners round (B-spline).
        ends: (E, 2) indices, a loose end of a stroke and the point before it.
    """
    names = sorted(set(way.replace("-", " ").replace("~", " ").split()))
    points = np.array([[int(digit) for digit in name] for name in names]) / 9
    unit = np.eye(len(names))
    exact, hasty, ends = [], [], []
    t = np.linspace(0, 1, SAMPLES + 1)[:, None]
    for stroke in way.split():
        at = [names.index(stroke[i : i + 2]) for i in range(0, len(stroke), 3)]
        pts = unit[at]
        joints = "-" + stroke[2::3] + "-"
        ext = np.concatenate([2 * pts[:1] - pts[1:2], pts, 2 * pts[-1:] - pts[-2:-1]])
        for i in range(len(at) - 1):
            p, q, r, s = ext[i : i + 4]
            nodes = (
                (p + 4 * q + r) / 6
                + (r - p) / 2 * t
                + (p - 2 * q + r) / 2 * t**2
                + (s - 3 * r + 3 * q - p) / 6 * t**3
            )
            hasty.extend(zip(nodes, nodes[1:]))
            if not joints[i] == joints[i + 1] == "~":
                p = 2 * q - r
            if not joints[i + 1] == joints[i + 2] == "~":
                s = 2 * r - q
            nodes = q + (r - p) * t / 2
            nodes = (
                nodes + (2 * p - 5 * q + 4 * r - s) * t**2 / 2 + (3 * q - p - 3 * r + s) * t**3 / 2
            )
            exact.extend(zip(nodes, nodes[1:]))
        for end, inner in ((at[0], at[1]), (at[-1], at[-2])):
            if way.count(names[end]) == 1:
                ends.append((end, inner))
    return points, np.array(exact), np.array(hasty), np.array(ends, int).reshape(-1, 2)


def write_by_hand(way, count, rng):
    """Writes in `count` hands: (count, L, 2, 2), the two ends of each short line, about 0."""
    points, neat, hasty, ends = read_strokes(way)
    # Some hands are neat, some are not.
    slip = np.exp(rng.normal(0, 0.35, (count, 1, 1)))
    points = points - 0.5 + slip * rng.normal(0, 0.025, (count, *points.shape))
    end, inner = ends.T
    overshoot = slip * rng.normal(0, 0.1, (count, len(ends), 1))
    points[:, end] += overshoot * (points[:, end] - points[:, inner])
    haste = rng.uniform(*HASTE, (count, 1, 1, 1))
    lines = (1 - haste) * np.einsum("lep,cpd->cled", neat, points)
    lines += haste * np.einsum("lep,cpd->cled", hasty, points)
    # Slow waves bend what is straight, make the top wider than the bottom, and the like.
    waves = lines @ rng.normal(0, 2.5, (count, 1, 2, 3)) + rng.uniform(
        0, 2 * np.pi, (count, 1, 1, 3)
    )
    lines += slip[..., None] * np.sin(waves) @ rng.normal(0, 0.05, (count, 1, 3, 2))
    # Stretch, lean (to the right, mostly) and turn.
    width = np.exp(rng.normal(-0.05, 0.22, count))
    lean = rng.normal(0.25, 0.22, count)
    angle = rng.normal(0, 0.08, count)
    cos, sin = np.cos(angle), np.sin(angle)
    affine = np.array([[width * cos, width * sin], [-lean * cos - sin, cos - lean * sin]])
    return lines @ affine.transpose(2, 0, 1)[:, None]


def fit_to_image(lines, radius, rng):
    """Moves and scales lines so that their ink fills the middle of the image, in pixels."""
    low, high = lines.min(axis=(1, 2), keepdims=True), lines.max(axis=(1, 2), keepdims=True)
    size = (high - low).max(axis=-1, keepdims=True)
    room = (IMAGE_SIZE - 2 * MARGIN) * rng.uniform(0.9, 1, (len(lines), 1, 1, 1)) - 2 * radius[
        ..., None
    ]
    return (lines - (low + high) / 2) * (room / size) + (IMAGE_SIZE - 1) / 2


def draw_lines(lines, radius, blur):
    """Draws lines with a round pen: (count, 28, 28) uint8.

    A pixel's ink depends on its distance to the nearest line: full within the pen's radius, half at
    it, and fading over `blur` pixels, as a blur makes it.
    """
    lines = lines.astype(np.float32)
    pixel = np.arange(IMAGE_SIZE, dtype=np.float32)
    nearest = np.full((len(lines), IMAGE_SIZE, IMAGE_SIZE), np.inf, np.float32)
    for i in range(lines.shape[1]):  # line after line, to keep memory small
        start, way = lines[:, i, 0, :, None], (lines[:, i, 1] - lines[:, i, 0])[..., None]
        x, y = pixel - start[:, 0], pixel - start[:, 1]  # (count, 28)
        length2 = np.maximum((way**2).sum(axis=1), 1e-6)
        # How far along the line, 0 to 1, the pixel's nearest point is: (count, 28, 28).
        along = (x * way[:, 0] / length2)[:, None, :] + (y * way[:, 1] / length2)[:, :, None]
        np.clip(along, 0, 1, out=along)
        dx = x[:, None, :] - along * way[:, 0, :, None]
        dy = y[:, :, None] - along * way[:, 1, :, None]
        np.minimum(nearest, dx * dx + dy * dy, out=nearest)
    depth = (radius - np.sqrt(nearest)) / blur
    ink = 0.5 + 0.5 * np.tanh(1.5 * depth)
    ink /= ink.max(axis=(1, 2), keepdims=True)
    return np.rint(255 * ink).astype(np.uint8)
