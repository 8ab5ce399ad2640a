// Paths between codes: the straight line, and the geodesic of support/morph/geodesic.py, whose steps
// have the same numbers here; the graph of steps 1 to 3 comes with the page. It takes a hundred
// decodes, so it is found in pieces: a function* pauses at each yield, and the page can answer.

const FRAMES = 10;  // in a row
const CODES_PER_FRAME = 10;  // how much finer the slider moves
const PATH_CODES = (FRAMES - 1) * CODES_PER_FRAME + 1;

const {
  CLASS_CHANGE,
  CORNERS,
  ENCODE_ROUNDS,
  END_NEIGHBOURS,
  EXTRA_COST,
  LARGEST_PEN_MOVE,
  MIN_LENGTH,
  NO_INK,
  PEN_ROUNDS,
  SAME_CLASS,
  VOTERS,
} = content.settings;

// ---- distances and lines

function distance(a, b) {  // between codes, or between pictures
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] - b[i]) ** 2;
  return Math.sqrt(sum) + MIN_LENGTH;
}

function nearest(table, z, most) {  // the row numbers of the nearest codes in a table
  const distances = new Float32Array(table.length / CODE_SIZE);
  for (let i = 0; i < distances.length; i++) distances[i] = distance(row(table, i, CODE_SIZE), z);
  const order = [...distances.keys()].sort((i, j) => distances[i] - distances[j]);
  return order.slice(0, most);
}

const mix = (a, b, share) => (1 - share) * a + share * b;

// Codes on a line of codes, at even distances. These are measured between points: the line's codes,
// or their pictures.
function evenly(line, points, count) {
  const reached = [0];
  for (let i = 1; i < points.length; i++) {
    reached.push(reached[i - 1] + distance(points[i - 1], points[i]));
  }
  const found = [];
  let i = 0;
  for (let k = 0; k < count; k++) {
    const where = reached.at(-1) * (k / (count - 1));
    while (i < line.length - 2 && reached[i + 1] < where) i++;
    const share = (where - reached[i]) / (reached[i + 1] - reached[i]);
    found.push(line[i].map((x, number) => mix(x, line[i + 1][number], Math.min(share, 1))));
  }
  return found;
}

// ---- the classes of ends

function vote(z) {  // the share of each class in a vote of the nearest test images
  const shares = new Float64Array(names.length);
  const voters = nearest(codes, z, VOTERS);
  const weights = voters.map(i => 1 / distance(code(i), z) ** 2);
  const sum = weights.reduce((a, b) => a + b);
  voters.forEach((i, k) => shares[labels[i]] += weights[k] / sum);
  return shares;
}

function voteLabels(a, b) {  // the labels of both ends; the same one if they may be of one class
  const ofA = vote(a);
  const ofB = vote(b);
  const ofBoth = ofA.map((share, label) => Math.min(share, ofB[label]));
  const most = shares => shares.indexOf(Math.max(...shares));
  if (Math.max(...ofBoth) >= SAME_CLASS) return [most(ofBoth), most(ofBoth)];
  return [most(ofA), most(ofB)];
}

// ---- 4. The cheapest path

const { nodes, classes, starts, neighbours } = content;
const NODE_COUNT = classes.length;
const node = i => row(nodes, i, CODE_SIZE);
const edgeCost = length => length + EXTRA_COST * Math.max(length - content.long_edge, 0);

// What the edges between an end and the nearest nodes of its class cost, by the nodes' numbers. If
// the class has too few nodes, others are taken.
function* endCosts(z, label) {
  const costs = new Map();
  const picture = decode(z);
  const order = nearest(nodes, z);
  const own = order.filter(i => classes[i] === label);
  const others = order.filter(i => classes[i] !== label);
  for (const i of [...own, ...others].slice(0, END_NEIGHBOURS)) {
    costs.set(i, edgeCost(distance(decode(node(i)), picture)));
    yield;
  }
  return costs;
}

// The codes on the cheapest walk from a to b over the nodes, by Dijkstra's algorithm.
function* cheapestWalk(a, b) {
  const END = NODE_COUNT;  // the number of b, after those of the nodes
  const START = -1;
  const costs = new Float64Array(NODE_COUNT + 1).fill(Infinity);
  const previous = new Int32Array(NODE_COUNT + 1).fill(START);
  const open = new Set();  // reached, but perhaps not yet at the least cost

  function reach(i, from, cost) {
    if (cost >= costs[i]) return;
    costs[i] = cost;
    previous[i] = from;
    open.add(i);
  }

  function takeCheapest() {
    let cheapest = END;
    for (const i of open) {
      if (costs[i] < costs[cheapest]) cheapest = i;
    }
    open.delete(cheapest);
    return cheapest;
  }

  const [labelA, labelB] = voteLabels(a, b);
  const entries = yield* endCosts(a, labelA);
  const exits = yield* endCosts(b, labelB);
  for (const [i, cost] of entries) reach(i, START, cost);
  const change = labelA === labelB ? 1 : CLASS_CHANGE;
  const straight = edgeCost(distance(decode(a), decode(b))) * change;
  reach(END, START, straight);  // so that there is always a path
  for (let i = takeCheapest(); i !== END; i = takeCheapest()) {
    if (exits.has(i)) reach(END, i, costs[i] + exits.get(i));
    for (let edge = starts[i]; edge < starts[i + 1]; edge++) {
      reach(neighbours[edge], i, costs[i] + content.costs[edge]);
    }
    yield;
  }

  const walk = [b];
  for (let i = previous[END]; i !== START; i = previous[i]) walk.push(node(i));
  walk.push(a);
  return walk.reverse();
}

// ---- 5. Corners, a few codes that stand for the path

function* findCorners(walk) {
  const corners = evenly(walk, walk, CORNERS);
  for (let i = 1; i < CORNERS - 1; i++) {
    for (let round = 0; round < ENCODE_ROUNDS; round++) {
      corners[i] = encode(decode(corners[i]));
      yield;
    }
  }
  return corners;
}

function* decodeAll(line) {
  const pictures = [];
  for (const z of line) {
    pictures.push(decode(z));
    yield;
  }
  return pictures;
}

// ---- 6. The pen

function* carryPen(corners) {
  for (let round = 0; round < PEN_ROUNDS; round++) {
    const pictures = yield* decodeAll(corners);
    const widths = pictures.map(penWidth);
    corners = corners.map((z, i) => {
      const wanted = mix(widths[0], widths.at(-1), i / (CORNERS - 1));
      const move = wanted - widths[i];
      const share = Math.max(-LARGEST_PEN_MOVE, Math.min(move, LARGEST_PEN_MOVE));
      return z.map((x, k) => x + share * content.pen[k]);
    });
  }
  return corners;
}

function penWidth(x) {  // the logarithm of the mean width of strokes, from their ink and outline
  let variation = 0;
  for (let line = 0; line < IMAGE_SIZE - 1; line++) {
    for (let column = 0; column < IMAGE_SIZE - 1; column++) {
      const i = line * IMAGE_SIZE + column;
      variation += Math.hypot(x[i + IMAGE_SIZE] - x[i], x[i + 1] - x[i]);
    }
  }
  const ink = x.reduce((sum, value) => sum + value, 0);
  return Math.log((2 * ink + NO_INK) / (variation + NO_INK));
}

// ---- the paths: from a to b, PATH_CODES codes

const PATHS = {
  *linear(a, b) {
    return evenly([a, b], [a, b], PATH_CODES);
  },
  *geodesic(a, b) {
    const walk = yield* cheapestWalk(a, b);
    const corners = yield* carryPen(yield* findCorners(walk));
    const pictures = yield* decodeAll(corners);
    return evenly(corners, pictures, PATH_CODES);  // 7. Even distances
  },
};

window.explorer.geodesic = (a, b) => {
  const search = PATHS.geodesic(a, b);
  let step = search.next();
  while (!step.done) step = search.next();
  return step.value;
};
