// Paths between codes: the straight line, and the geodesic of support/geodesic.py, whose steps have
// the same numbers here. It takes some seventy decodes, so it is found in pieces: a function*
// pauses at each yield, and the page can answer before it goes on.

const FRAMES = 10;  // in a row
const CODES_PER_FRAME = 10;  // how much finer the slider moves
const PATH_CODES = (FRAMES - 1) * CODES_PER_FRAME + 1;

const {
  END_NEIGHBOURS,
  CORNERS,
  PEN_ROUNDS,
  LARGEST_PEN_MOVE,
  NO_INK,
  FRAME_NEIGHBOURS,
  POINTS_PER_STEP,
  LONGEST_STEP,
  MIN_POINTS,
  MIN_LENGTH,
} = content.settings;

// ---- distances

function distance(a, b) {  // between codes, or between pictures
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] - b[i]) ** 2;
  return Math.sqrt(sum) + MIN_LENGTH;
}

function distancesTo(z, table) {  // of each code in a table
  const distances = new Float32Array(table.length / CODE_SIZE);
  for (let i = 0; i < distances.length; i++) distances[i] = distance(row(table, i, CODE_SIZE), z);
  return distances;
}

function nearest(table, z, most) {  // the row numbers of the nearest codes in a table
  const distances = distancesTo(z, table);
  const order = [...distances.keys()].sort((i, j) => distances[i] - distances[j]);
  return order.slice(0, most);
}

// ---- lines

const mix = (a, b, share) => (1 - share) * a + share * b;
const even = (count, last) => Array.from({ length: count }, (_, k) => last * (k / (count - 1)));

function arcLength(points) {  // how far along their line each lies
  const found = [0];
  for (let i = 1; i < points.length; i++) {
    found.push(found[i - 1] + distance(points[i - 1], points[i]));
  }
  return found;
}

// The codes at positions along a line of codes. Lengths: how far along it each of its codes lies.
function interpolate(line, lengths, positions) {
  const found = [];
  let i = 0;
  for (const position of positions) {
    while (i < line.length - 2 && lengths[i + 1] < position) i++;
    const share = (position - lengths[i]) / (lengths[i + 1] - lengths[i]);
    found.push(line[i].map((x, k) => mix(x, line[i + 1][k], Math.min(share, 1))));
  }
  return found;
}

// ---- 5. The cheapest path

const { nodes, starts, neighbours } = content;
const [longEdge, extraCost] = content.price;
const NODE_COUNT = nodes.length / CODE_SIZE;
const node = i => row(nodes, i, CODE_SIZE);
const edgeCost = length => length + extraCost * Math.max(length - longEdge, 0);
const edgeCosts = content.lengths.map(edgeCost);

function* endCosts(z) {  // of the edges between an end and its nearest nodes, by their numbers
  const costs = new Map();
  const picture = decode(z);
  for (const i of nearest(nodes, z, END_NEIGHBOURS)) {
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

  const entries = yield* endCosts(a);
  const exits = yield* endCosts(b);
  for (const [i, cost] of entries) reach(i, START, cost);
  reach(END, START, edgeCost(distance(decode(a), decode(b))));  // so that there is always a path
  for (let i = takeCheapest(); i !== END; i = takeCheapest()) {
    if (exits.has(i)) reach(END, i, costs[i] + exits.get(i));
    for (let edge = starts[i]; edge < starts[i + 1]; edge++) {
      reach(neighbours[edge], i, costs[i] + edgeCosts[edge]);
    }
    yield;
  }

  const walk = [b];
  for (let i = previous[END]; i !== START; i = previous[i]) walk.push(node(i));
  walk.push(a);
  return walk.reverse();
}

// ---- 6. Corners, a few codes that stand for the path

function* findCorners(walk) {
  const lengths = arcLength(walk);
  const corners = interpolate(walk, lengths, even(CORNERS, lengths.at(-1)));
  for (let i = 1; i < CORNERS - 1; i++) {
    corners[i] = encode(decode(corners[i]));
    yield;
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

// ---- 7. The pen

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

// ---- 8. Frames

function* chooseFrames(corners) {  // and the codes between them, for the slider
  const pictures = yield* decodeAll(corners);
  const lengths = arcLength(pictures);
  const pointsPerStep = Math.max(POINTS_PER_STEP, Math.floor(MIN_POINTS / (FRAMES - 1)));
  const positions = even(pointsPerStep * (FRAMES - 1) + 1, lengths.at(-1));
  const penalties = [];
  for (const point of interpolate(corners, lengths, positions)) {
    penalties.push(meanNodeDistance(point) ** 4);
    yield;
  }

  const chosen = cheapestChoice(penalties, Math.round(LONGEST_STEP * pointsPerStep));
  const frames = chosen.map(point => positions[point]);
  const codePositions = [frames[0]];
  for (let i = 1; i < FRAMES; i++) {
    for (let k = 1; k <= CODES_PER_FRAME; k++) {
      codePositions.push(mix(frames[i - 1], frames[i], k / CODES_PER_FRAME));
    }
  }
  return interpolate(corners, lengths, codePositions);
}

function meanNodeDistance(z) {  // of the nearest nodes
  const distances = distancesTo(z, nodes).sort().subarray(0, FRAME_NEIGHBOURS);
  return distances.reduce((sum, x) => sum + x, 0) / distances.length;
}

// The points with the least sum of penalties, one for each frame, the first and the last point
// among them; from one to the next it is at most longestStep points.
function cheapestChoice(penalties, longestStep) {
  let costs = penalties.map((_, point) => point === 0 ? 0 : Infinity);  // of a choice up to there
  const stepStarts = [];  // for each step: where it begins if it ends at a point
  for (let step = 1; step < FRAMES; step++) {
    const begins = costs.map((_, point) => cheapestBefore(costs, point, longestStep));
    costs = begins.map((begin, point) => (costs[begin] ?? Infinity) + penalties[point]);
    stepStarts.push(begins);
  }

  const chosen = [penalties.length - 1];
  for (const begins of stepStarts.reverse()) chosen.unshift(begins[chosen[0]]);
  return chosen;
}

function cheapestBefore(costs, point, longestStep) {  // the last of the cheapest; -1 if none
  let cheapest = point - 1;
  for (let before = point - 1; before >= Math.max(point - longestStep, 0); before--) {
    if (costs[before] < costs[cheapest]) cheapest = before;
  }
  return cheapest;
}

// ---- the paths: from a to b, PATH_CODES codes

const PATHS = {
  *linear(a, b) {
    return interpolate([a, b], [0, 1], even(PATH_CODES, 1));
  },
  *geodesic(a, b) {
    const walk = yield* cheapestWalk(a, b);
    const corners = yield* carryPen(yield* findCorners(walk));
    return yield* chooseFrames(corners);
  },
};

window.explorer.geodesic = (a, b) => {
  const search = PATHS.geodesic(a, b);
  let step = search.next();
  while (!step.done) step = search.next();
  return step.value;
};
