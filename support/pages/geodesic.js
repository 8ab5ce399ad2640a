// Paths between codes: the straight line, and the geodesic over the graph of training codes.

const FRAMES = 10;  // in a row
const CODES_PER_FRAME = 10;  // how much finer the slider moves
const PATH_CODES = (FRAMES - 1) * CODES_PER_FRAME + 1;
const END_NEIGHBOURS = 8;  // nodes to which an end of a path is joined

const { nodes, starts, neighbours } = content;
const [longHop, extraCost] = content.price;
const NODE_COUNT = nodes.length / CODE_SIZE;
const node = i => row(nodes, i, CODE_SIZE);

function distance(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] - b[i]) ** 2;
  return Math.sqrt(sum);
}

function hopCost(a, b) {
  const length = distance(a, b);
  return length + extraCost * Math.max(length - longHop, 0);
}

const edgeCosts = new Float64Array(neighbours.length);
for (let i = 0; i < NODE_COUNT; i++) {
  for (let edge = starts[i]; edge < starts[i + 1]; edge++) {
    edgeCosts[edge] = hopCost(node(i), node(neighbours[edge]));
  }
}

function nearest(table, z, most) {  // the row numbers of the nearest codes in a table
  const distances = new Float32Array(table.length / CODE_SIZE);
  for (let i = 0; i < distances.length; i++) distances[i] = distance(row(table, i, CODE_SIZE), z);
  const order = [...distances.keys()].sort((i, j) => distances[i] - distances[j]);
  return order.slice(0, most);
}

// The codes on the cheapest walk from a to b over the nodes, by Dijkstra's algorithm.
function cheapestWalk(a, b) {
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

  const exits = new Map(nearest(nodes, b, END_NEIGHBOURS).map(i => [i, hopCost(node(i), b)]));
  for (const i of nearest(nodes, a, END_NEIGHBOURS)) reach(i, START, hopCost(a, node(i)));
  reach(END, START, hopCost(a, b));  // past all nodes, so that there is always a way
  for (let i = takeCheapest(); i !== END; i = takeCheapest()) {
    if (exits.has(i)) reach(END, i, costs[i] + exits.get(i));
    for (let edge = starts[i]; edge < starts[i + 1]; edge++) {
      reach(neighbours[edge], i, costs[i] + edgeCosts[edge]);
    }
  }

  const walk = [b];
  for (let i = previous[END]; i !== START; i = previous[i]) walk.push(node(i));
  walk.push(a);
  return walk.reverse();
}

const mix = (a, b, share) => a.map((x, i) => (1 - share) * x + share * b[i]);

function resample(line, count) {  // codes at even distances on a line, its ends among them
  const arcLength = [0];
  for (let i = 1; i < line.length; i++) {
    const step = Math.max(distance(line[i - 1], line[i]), 1e-9);  // codes may be equal
    arcLength.push(arcLength[i - 1] + step);
  }
  const found = [];
  let i = 0;
  for (let k = 0; k < count; k++) {
    const position = arcLength.at(-1) * k / (count - 1);
    while (i < line.length - 2 && arcLength[i + 1] < position) i++;
    const share = (position - arcLength[i]) / (arcLength[i + 1] - arcLength[i]);
    found.push(mix(line[i], line[i + 1], Math.min(share, 1)));
  }
  return found;
}

const PATHS = {
  linear: (a, b) => resample([a, b], PATH_CODES),
  geodesic: (a, b) => resample(cheapestWalk(a, b), PATH_CODES),
};
