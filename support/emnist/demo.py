"""A made-up stand-in for EMNIST Balanced: handwriting that needs no data and no network.

    from support.emnist.demo import draw_demo_set
    (x_train, y_train), (x_test, y_test) = draw_demo_set()

Each of the 47 characters consists of a few pen strokes, in the ways people write it (STROKES).
Every image is drawn by a made-up hand of its own: points slip, it leans, stretches and bends, and
its pen is thin or thick. The ink is then centred and softened like EMNIST's. The whole set, 13,160
images, takes a few seconds.
"""

import numpy as np

from support.emnist.idx import IMAGE_SIZE

MARGIN = 2  # empty pixels around the ink
PEN_RADIUS = 1.5  # pixels, of the typical pen
BLUR = (0.7, 1.3)  # pixels over which the edge of the ink fades: the sharpest and the softest image
PIECES = 4  # short lines that draw a stroke from one point to the next

# How to read STROKES: a point is two digits, column and row on a grid of 10 x 10 (00 top left, 99
# bottom right). "-" leads to the next point straight, "~" in a curve; a space lifts the pen. Each
# character has a list of ways to write it; *3 makes a way three times as frequent. As in EMNIST,
# upper and lower case of C, I, J, K, L, M, O, P, S, U, V, W, X, Y and Z share a class.
# fmt: off
STROKES = {
    "0": ["50~21~14~27~49~78~85~72~50 *2", "60~30~14~27~59~86~83~60~41",
          "40~21~15~28~49~78~86~72~40~10"],
    "1": ["50-59 *5", "42-50-59"],
    "2": ["12~30~60~82~64~19-99 *2", "22~40~71~74~38~09~07~28~68~98 *2", "21~50~82~64~28-19~59~98",
          "22~40~71~64-19-89"],
    "3": ["11~40~71~63~34 34~75~87~59~18 *3", "10-80-44~75~87~59~18",
          "11~50~72~54~34~64~87~69~29~17"],
    "4": ["20-15-95 70-69 *2", "20~24~45~85 80-79 *2", "70-06-96 70-79", "10~15~75~80-69"],
    "5": ["80-20-24~53~75~87~59~18 *2", "30-24~54~76~87~49~18 30-80 *3", "81-31-24~54~77~68~39~17"],
    "6": ["60~33~16~28~59~78~76~55~27 *2", "50~24~17~39~68~66~45~27", "71~42~15~17~49~88~75~46~17"],
    "7": ["10-80-49 *3", "10-80~55~39 *2", "12-10-80-49", "10-80-49 25-75", "11~40~70~80~54~49"],
    "8": ["71~50~31~33~54~77~68~49~28~27~54~73~71 *2", "80~40~22~44~76~58~29~27~54~82~70",
          "50~31~33~54~73~71~50 54~26~28~59~88~86~54"],
    "9": ["72~50~31~33~45~64~72-59 *2", "82~50~22~24~45~74~82~76~49", "71~50~23~45~71-59 *2"],
    "A": ["09-50-99 26-76 *2", "19-50-89 16-86", "19~23~50~73~89 25-75", "50-09 50-89 27~56~85",
          "19~30~60~79 26-86"],
    "B": ["20-29 20~70~82~54~24 24~75~87~69~29 *2", "20-29 10~70~82~54~34 34~85~87~59~19 *2",
          "29-20~60~72~54 54~76~78~59~19"],
    "C": ["82~50~22~15~28~59~88 *3", "71~50~33~26~38~59~78", "81~60~30~14~28~69",
          "73~81~60~32~16~28~59~88"],
    "D": ["20-29 10~60~93~86~59~19 *2", "20-29 20~60~84~77~49~29 *2", "31-29 11~50~83~87~59~19"],
    "E": ["80-20-29-89 24-74 *2", "10-19 10-80 14-74 19-89", "81~40~22~54 54~26~28~59~88 *2",
          "90~40~14~17~39~99 15-75"],
    "F": ["20-29 20-80 24-74 *3", "80-20-29 24-74", "10-90 30-29 34-74", "80~40~29 24-74"],
    "G": ["82~50~22~15~28~59~87-85-55 *2", "82~50~12~17~49~78-75-45", "81~40~13~17~49~77-75-45",
          "82~50~22~15~28~59~86 55-95-99"],
    "H": ["20-29 80-89 24-84 *3", "10-19 70-79 15-94", "10-19 80-89 16~35~84"],
    "I": ["50-59 20-80 29-89 *4", "50-59 30-70 39-79", "50-59", "53-59 50-51 *2"],
    "J": ["70~76~68~49~27", "70~76~68~49~27 40-90 *3", "63~67~49~28 60-61 *2", "70~67~49~28~16"],
    "K": ["20-29 80-25-89 *2", "20-29 80-24 45-89", "20-29 73-26-79", "20-29 80~43~24~45~89"],
    "L": ["20-29-89 *3", "30-39-79 *3", "30~29~58~89", "50-59"],
    "M": ["18-12-56-92-98 *2", "03-08 05~23~44-48 45~63~94-98 *3", "08~21~46~71~98",
          "02~13~18-14~32~53~58-54~72~93~98"],
    "N": ["19-10-89-80 *2", "19-10-79-90", "09~30~32~67~69~90"],
    "O": ["50~21~04~17~49~88~95~82~50", "51~22~04~17~48~88~95~82~51",
          "60~31~13~05~18~58~97~94~71~51~20"],
    "P": ["20-29 20~60~73~65~25 *2", "20-29 10~50~72~64~45~25", "30-29 12~40~71~64~45"],
    "Q": ["50~21~04~17~49~88~95~82~50 55-99 *2", "50~21~04~17~49~88~95~82~50 56~67~99",
          "60~30~14~27~59~86~83~60~41 55-98"],
    "R": ["20-29 20~70~82~64~24 44-99 *2", "20-29 20~70~82~64~24-99", "29-30~71~73~45~34~67~99",
          "10-19 10~50~81~74~15~67~99"],
    "S": ["82~60~31~33~55~77~68~49~18 *2", "81~50~21~33~65~78~59~18", "81~50~22~34~64~87~59~28"],
    "T": ["01-91 51-59 *3", "01-81 51-49", "11~40~90 50~49"],
    "U": ["10~16~28~59~78~86~80 *2", "12~17~39~67-82-89", "10~15~39~68~80 80~86~99",
          "00~10~17~49~87~90"],
    "V": ["10-49-80 *3", "10~14~49~73~80~91", "10~48~49~90"],
    "W": ["02-28-53-78-92 *2", "03~16~28~47~54~57~78~96~93 *2", "02~18~38~56-52-58~78~96~91",
          "01~28~44~78~91"],
    "X": ["10-89 80-19 *3", "10~34~66~89 80~54~36~19", "12~31~57~89 81-09"],
    "Y": ["20-45-80 45-49", "20-54 80-39 *3", "20~24~45~74-80 80~77~59~38 *2", "20~45~80 45-39"],
    "Z": ["01-91-08-98 *2", "10-80-19-89", "10-80-19-89 34-75", "02-92-18-98", "11-81~18-88"],
    "a": ["83~52~23~17~38~67~83-88 *2", "72~41~13~07~28~57~72~76~98 *2",
          "22~51~73~78 75~44~26~28~58~77"],
    "b": ["20-29 27~44~75~78~59~28 *2", "11-20-29 27~44~75~78~59~28", "20-29 25~65~77~59~29"],
    "d": ["70-79 75~54~36~38~59~77 *2", "74~44~27~39~58~76-70~77~89", "70-69 65~34~27~39~67"],
    "e": ["26-85~62~32~16~28~59~88 *2", "16~46~84~62~32~15~28~59~97", "15-75~61~31~14~38~88"],
    "f": ["72~50~42~47~29 15-75", "80~61~43~59 25-75", "81~60~51~48~59 34-84"],
    "g": ["72~50~32~34~45~64~72 72~76~69~49~27 *2", "71~50~23~35~63~71 71~78~59~27~46~85",
          "71~50~23~35~62~71-78~49~28"],
    "h": ["20-29 25~54~75~79 *2", "20-29~44~65~79", "20-29 26~55~77~79~99"],
    "n": ["13-19 15~43~74~89 *2", "12-19 15~33~63~78~89", "02~13~19-14~43~73~78~99"],
    "q": ["72~50~32~34~45~64~72-79-97", "71~50~23~45~71-69~88~85 *2",
          "71~50~23~35~62~71-69~89~96~75", "71~40~12~34~62~71-69~99~85",
          "71~40~12~34~62~71-59~79~94"],
    "r": ["23-29 26~44~63~83 *2", "12~23-29-25~43~73", "13-29 26~52~83~84"],
    "t": ["40-49 13-83 *2", "40~46~58~78 13-83 *2", "50~37~49~78 24-84", "50-49 04-95"],
}
# fmt: on

# A curve from the second (t = 0) to the third (t = 1) of four points in a row: the weight of each
# point (column) in the factor of 1, t, t**2 and t**3 (row).
THROUGH = np.array([[0, 2, 0, 0], [-1, 0, 1, 0], [2, -5, 4, -1], [-1, 3, -3, 1]]) / 2  # Catmull-Rom
PAST = np.array([[1, 4, 1, 0], [-3, 0, 3, 0], [3, -6, 3, 0], [-1, 3, -3, 1]]) / 6  # B-spline
CURVE = (THROUGH + PAST) / 2  # passes near the points, and smooths their errors
POWERS = np.linspace(0, 1, PIECES + 1)[:, None] ** np.arange(4)  # a row for each t on the curve


def draw_demo_set(train_per_class=240, test_per_class=40, seed=2017):
    """Draws the demo set; the same arguments always draw the same images.

    Args:
        train_per_class, test_per_class: images of each of the 47 classes.
        seed: of the random generator; there is only one.

    Returns:
        (x_train, y_train), (x_test, y_test). x: (N, 28, 28) uint8, upright, 0 is paper and 255 ink.
        y: (N,) uint8, EMNIST Balanced's labels 0..46. Classes are mixed.
    """
    rng = np.random.default_rng(seed)
    per_class = train_per_class + test_per_class
    images = np.stack([draw_character(character, per_class, rng) for character in STROKES])
    train = mix_classes(images[:, :train_per_class], rng)
    test = mix_classes(images[:, train_per_class:], rng)
    return train, test


def mix_classes(images, rng):
    """Images of each class (classes, n, H, W) -> x (classes * n, H, W) and y, in random order."""
    class_count, per_class, height, width = images.shape
    x = images.reshape(-1, height, width)
    y = np.repeat(np.arange(class_count, dtype=np.uint8), per_class)
    order = rng.permutation(len(x))
    return x[order], y[order]


def draw_character(character, count, rng):
    """Draws `count` images of a character, written in all its ways: (count, H, W) uint8."""
    ways = []
    weights = []
    for entry in STROKES[character]:
        way, _, times = entry.partition(" *")
        ways.append(way)
        weights.append(int(times or 1))
    probabilities = np.array(weights) / sum(weights)
    way_of_image = rng.choice(len(ways), size=count, p=probabilities)

    images = np.empty((count, IMAGE_SIZE, IMAGE_SIZE), np.uint8)
    for number, way in enumerate(ways):
        chosen = way_of_image == number
        images[chosen] = draw_way(way, chosen.sum(), rng)
    return images


def draw_way(way, count, rng):
    """Draws `count` images of one way to write a character: (count, H, W) uint8."""
    lines = write_by_hand(way, count, rng)
    radius = PEN_RADIUS * np.exp(rng.normal(0, 0.22, (count, 1, 1)))
    blur = rng.uniform(*BLUR, (count, 1, 1))
    room = (IMAGE_SIZE - 2 * MARGIN) * rng.uniform(0.9, 1, (count, 1, 1))
    lines = fit_to_image(lines, room - 2 * radius - blur)
    return ink_lines(lines, radius, blur)


# ---- from the text of the strokes to lines


def read_strokes(way):
    """Reads a way to write a character: its points, and the weights that make lines of them.

    Returns:
        points: (P, 2), column and row in [0, 1]. A point written twice occurs once, so that
            strokes which meet in it stay together.
        weights: (L, 2, P), of each point in the start and the stop of each short line.
    """
    names = sorted(set(way.replace("-", " ").replace("~", " ").split()))
    digits = [[int(column), int(row)] for column, row in names]
    points = np.array(digits) / 9

    lines = []
    for stroke in way.split():
        path = [names.index(stroke[i : i + 2]) for i in range(0, len(stroke), 3)]
        lines += lines_of_stroke(np.eye(len(names))[path], stroke[2::3])
    return points, np.concatenate(lines)


def lines_of_stroke(weights, joints):
    """The lines of a stroke that goes through its points, curved or straight between them.

    weights: (n, P), a row for each point of the stroke. joints: n - 1 characters, "-" or "~".

    Returns:
        A list of n - 1 arrays (PIECES, 2, P), from each point to the next.
    """
    lines = []
    joints = f"-{joints}-"
    for i in range(1, len(weights)):
        start, stop = weights[i - 1 : i + 1]
        # Points beyond a corner have no influence, as if the pen went straight on there.
        before = weights[i - 2] if joints[i - 1 : i + 1] == "~~" else 2 * start - stop
        after = weights[i + 1] if joints[i : i + 2] == "~~" else 2 * stop - start
        nodes = POWERS @ CURVE @ np.stack([before, start, stop, after])
        lines.append(np.stack([nodes[:-1], nodes[1:]], axis=1))
    return lines


# ---- a hand


def write_by_hand(way, count, rng):
    """Writes a character in `count` hands: (count, L, 2, 2), the x and y of both ends of lines."""
    points, weights = read_strokes(way)
    slip = np.exp(rng.normal(0, 0.3, (count, 1, 1)))  # some hands are neat, some are not
    points = points - 0.5 + slip * rng.normal(0, 0.025, (count, *points.shape))
    lines = weights @ points[:, None]  # (L, 2, P) @ (count, 1, P, 2)
    lines = bend(lines, slip, rng)
    return stretch_and_lean(lines, rng)


def bend(lines, slip, rng):
    """Slow waves across the paper bend what is straight, make the top wider, and the like."""
    count = len(lines)
    wave_vectors = rng.normal(0, 2.5, (count, 1, 2, 3))  # three waves
    phases = rng.uniform(0, 2 * np.pi, (count, 1, 1, 3))
    directions = slip[..., None] * rng.normal(0, 0.05, (count, 1, 3, 2))
    return lines + np.sin(lines @ wave_vectors + phases) @ directions


def stretch_and_lean(lines, rng):
    """Stretches lines to the sides, leans them (to the right, mostly) and turns them."""
    count = len(lines)
    width = np.exp(rng.normal(-0.05, 0.22, count))
    lean = rng.normal(0.25, 0.22, count)
    angle = rng.normal(0, 0.08, count)
    cos = np.cos(angle)
    sin = np.sin(angle)
    step_right = [width * cos, width * sin]  # what becomes of a step to the right
    step_down = [-lean * cos - sin, cos - lean * sin]
    affine = np.array([step_right, step_down]).transpose(2, 0, 1)  # (count, 2, 2)
    return lines @ affine[:, None]


# ---- ink on paper


def fit_to_image(lines, room):
    """Scales lines so that their longer side is `room` pixels, and centres them in the image."""
    low = lines.min(axis=(1, 2), keepdims=True)
    high = lines.max(axis=(1, 2), keepdims=True)
    longer_side = (high - low).max(axis=-1, keepdims=True)
    scale = room[..., None] / longer_side
    centred = lines - (low + high) / 2
    return centred * scale + (IMAGE_SIZE - 1) / 2


def ink_lines(lines, radius, blur):
    """Inks lines with a round pen: (count, L, 2, 2) in pixels -> (count, H, W) uint8.

    A pixel's ink depends on its distance to the nearest line: half at the pen's radius, more inside
    and less outside, over `blur` pixels. Each image reaches 255, as EMNIST's do.
    """
    nearest = np.full((len(lines), IMAGE_SIZE, IMAGE_SIZE), np.inf, np.float32)
    for line in lines.astype(np.float32).swapaxes(0, 1):  # one line of every image at a time
        np.minimum(nearest, squared_distance(line), out=nearest)
    inside = radius - np.sqrt(nearest)  # pixels from the edge of the ink, negative on the paper
    ink = 0.5 + 0.5 * np.tanh(1.5 * inside / blur)
    darkest = ink.max(axis=(1, 2), keepdims=True)
    return np.rint(255 * ink / darkest).astype(np.uint8)


def squared_distance(line):
    """From each pixel to the nearest point of a line, (count, 2, 2) -> (count, H, W)."""
    start = line[:, 0, :, None, None]  # (count, 2, 1, 1)
    along = line[:, 1, :, None, None] - start
    pixel = np.arange(IMAGE_SIZE, dtype=np.float32)
    x = pixel[None, :] - start[:, 0]  # (count, 1, W), from the start of the line
    y = pixel[:, None] - start[:, 1]  # (count, H, 1)
    u = along[:, 0]  # (count, 1, 1)
    v = along[:, 1]
    squared_length = np.maximum(u * u + v * v, 1e-6)
    share = np.clip((x * u + y * v) / squared_length, 0, 1)  # 0 at the start, 1 at the stop
    return (x - share * u) ** 2 + (y - share * v) ** 2
