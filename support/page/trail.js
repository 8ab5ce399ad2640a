// The trail of a path on the map: the line through the test images that are nearest to its frames.

const TRAILS = {
  linear: { color: "--muted", dashes: [3, 5] },
  geodesic: { color: "--accent", dashes: [] },
};
const HEAD = 6;  // screen pixels: the radius of the dot at the frame that is shown

function findTrail(path) {  // of the codes of a path: a place for each frame
  const trail = [];
  for (let k = 0; k < PATH_CODES; k += CODES_PER_FRAME) {
    const [i] = nearest(codes, path[k], 1);
    trail.push(place(i));
  }
  return [ends.A.place, ...trail.slice(1, -1), ends.B.place];
}

function drawTrails(context) {
  for (const name of shownPaths()) {
    if (paths[name]) drawTrail(context, paths[name].trail.map(onScreen), TRAILS[name]);
  }
}

function drawTrail(context, line, { color, dashes }) {
  const position = slider.value / CODES_PER_FRAME;  // in frames
  const before = Math.floor(position);
  const next = Math.min(before + 1, FRAMES - 1);
  const head = line[before].map((x, axis) => mix(x, line[next][axis], position - before));

  context.strokeStyle = styleValue(color);
  context.fillStyle = styleValue(color);
  context.lineJoin = "round";
  context.setLineDash(dashes);
  context.lineWidth = 2;
  stroke(context, line);
  context.lineWidth = 4;
  stroke(context, [...line.slice(0, before + 1), head]);
  context.setLineDash([]);

  context.beginPath();
  context.arc(...head, HEAD, 0, 2 * Math.PI);
  context.fill();
}

function stroke(context, line) {
  context.beginPath();
  for (const corner of line) context.lineTo(...corner);
  context.stroke();
}
