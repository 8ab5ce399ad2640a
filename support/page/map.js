// The map: test images at their places, the ends of the morph, and one image under the pointer.

const MARGIN = 30;  // screen pixels around the outermost images, both sides together
const MOST_WIDTH = 1.6;  // times its height
const MAX_ZOOM = 40;
const ZOOM_STEP = 1.5;
const MAX_TILE = 84;  // screen pixels
const REACH = 14;  // screen pixels: how far from an image it is still meant
const CLICK = 4;  // screen pixels: a finger that travels further is no click
const HALO = 3;  // screen pixels around a ring
const TURNS = 12;  // places for a label around its ring
const OUTWARDS = 4;  // screen pixels to the next places

const map = get("map");
const SPRITE_COLUMNS = Math.ceil(Math.sqrt(COUNT));
const sprite = document.createElement("canvas");  // all test images, each in its class's colour

function extent(axis) {
  const values = labels.map((_, i) => place(i)[axis]);
  return { least: Math.min(...values), most: Math.max(...values) };
}

const across = extent(0);
const upwards = extent(1);
const spans = [across.most - across.least || 1, upwards.most - upwards.least || 1];
const middle = [(across.least + across.most) / 2, (upwards.least + upwards.most) / 2];
map.style.aspectRatio = Math.min(Math.max(spans[0] / spans[1], 1), MOST_WIDTH);

const view = { x: middle[0], y: middle[1], zoom: 1 };
let pointed = content.first[0];  // the test image under the pointer
let nextEnd = "A";  // of the morph, which the next click sets
let onlyLabel = null;  // the class that is highlighted; null for all
let isQueued = false;  // whether the map will be drawn

// ---- pictures

function paintSprite() {
  sprite.width = SPRITE_COLUMNS * IMAGE_SIZE;
  sprite.height = sprite.width;
  const context = sprite.getContext("2d");
  const tile = document.createElement("canvas");
  const ink = tile.getContext("2d");
  for (let i = 0; i < COUNT; i++) {
    paint(tile, image(i));
    ink.globalCompositeOperation = "source-in";  // colours what is painted
    ink.fillStyle = classColor(labels[i]);
    ink.fillRect(0, 0, IMAGE_SIZE, IMAGE_SIZE);
    context.drawImage(tile, ...spriteCorner(i));
  }
}

function spriteCorner(i) {
  const column = i % SPRITE_COLUMNS;
  const line = Math.floor(i / SPRITE_COLUMNS);
  return [column * IMAGE_SIZE, line * IMAGE_SIZE];
}

function tileSize() {
  const size = map.clientWidth * 1.15 / Math.sqrt(COUNT);  // tiles of an even map would overlap
  return Math.min(size * view.zoom ** 0.8, MAX_TILE);
}

function viewScale() {  // screen pixels a unit
  const acrossScale = (map.clientWidth - MARGIN) / spans[0];
  const upwardsScale = (map.clientHeight - MARGIN) / spans[1];
  return Math.min(acrossScale, upwardsScale) * view.zoom;
}

const isHighlighted = i => onlyLabel === null || labels[i] === onlyLabel;

function onScreen([x, y]) {
  const [right, down] = center();
  const scale = viewScale();
  return [right + (x - view.x) * scale, down - (y - view.y) * scale];
}

const center = () => [map.clientWidth / 2, map.clientHeight / 2];

function isOnMap([x, y]) {
  return Math.min(x, y) >= 0 && x <= map.clientWidth && y <= map.clientHeight;
}

function drawMap() {
  if (!isQueued) requestAnimationFrame(drawMapNow);
  isQueued = true;
}

function drawMapNow() {
  isQueued = false;
  const context = map.getContext("2d");
  map.width = Math.round(map.clientWidth * devicePixelRatio);
  map.height = Math.round(map.clientHeight * devicePixelRatio);
  context.scale(devicePixelRatio, devicePixelRatio);
  drawTiles(context);
  drawTrails(context);
  drawRing(context, onScreen(place(pointed)), "--muted");
  drawMarks(context);
}

function drawTiles(context) {
  const size = tileSize();
  const { clientWidth: width, clientHeight: height } = map;
  for (let i = 0; i < COUNT; i++) {
    const [x, y] = onScreen(place(i));
    if (Math.min(x, y) < -size || x > width + size || y > height + size) continue;
    const source = [...spriteCorner(i), IMAGE_SIZE, IMAGE_SIZE];
    context.globalAlpha = isHighlighted(i) ? 1 : 0.1;
    context.drawImage(sprite, ...source, x - size / 2, y - size / 2, size, size);
  }
  context.globalAlpha = 1;
}

const ringRadius = () => Math.max(tileSize() * 0.75, 12);

function drawRing(context, [x, y], color) {
  const circle = new Path2D();
  circle.arc(x, y, ringRadius(), 0, 2 * Math.PI);

  context.strokeStyle = styleValue("--card");  // a halo, so that it stands out from the images
  context.lineWidth = 2 * HALO;
  context.stroke(circle);

  context.strokeStyle = styleValue(color);
  context.lineWidth = 2.5;
  context.stroke(circle);
}

function drawMarks(context) {  // the rings of the drawing and of both ends, and their labels
  const marks = [
    { label: get("mark-drawn"), place: drawing?.place ?? null, color: "--ink" },
    { label: get("mark-A"), place: ends.A.place, color: "--a" },
    { label: get("mark-B"), place: ends.B.place, color: "--b" },
  ];
  const present = marks.filter(mark => mark.place !== null);
  const rings = present.map(mark => onScreen(mark.place));
  present.forEach((mark, i) => drawRing(context, rings[i], mark.color));

  const boxes = [];  // of the labels
  for (const { label, place } of marks) {
    const box = place && freeBox(onScreen(place), label, rings, boxes);
    label.style.visibility = box ? "visible" : "hidden";
    if (!box) continue;
    label.style.translate = `${box.left}px ${box.top}px`;
    boxes.push(box);
  }
}

// The first box for a label, from the upper right of its ring around it and outwards, that lies on
// the map and is clear of rings and other labels. Null if the ring is not on the map.
function freeBox([x, y], label, rings, boxes) {
  if (!isOnMap([x, y])) return null;
  const { offsetWidth: width, offsetHeight: height } = label;
  for (let away = ringRadius() + HALO; away < map.clientWidth; away += OUTWARDS) {
    for (let turn = 0; turn < TURNS; turn++) {
      const angle = 2 * Math.PI * (turn / TURNS + 1 / 8);
      const left = x + Math.cos(angle) * (away + width / 2) - width / 2;
      const top = y - Math.sin(angle) * (away + height / 2) - height / 2;
      const box = { left, top, right: left + width, bottom: top + height };
      const isFree = isOnMap([box.left, box.top]) && isOnMap([box.right, box.bottom])
        && !rings.some(ring => touchesRing(box, ring))
        && !boxes.some(other => overlap(box, other));
      if (isFree) return box;
    }
  }
  return null;
}

function touchesRing(box, [x, y]) {  // or lies in it
  const across = Math.max(box.left - x, x - box.right, 0);
  const down = Math.max(box.top - y, y - box.bottom, 0);
  return Math.hypot(across, down) < ringRadius() + HALO - 1;  // 1: for rounding
}

function overlap(one, other) {
  const across = Math.min(one.right, other.right) - Math.max(one.left, other.left);
  const down = Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top);
  return across > 0 && down > 0;
}

// ---- pointing and choosing

function point(i) {
  pointed = i;
  paintInk(get("peek"), image(i));
  get("peek-text").textContent = names[labels[i]];
  drawMap();
}

function imageAt(x, y) {  // the number of the test image nearest to a place on the screen, or null
  let best = null;
  let least = Math.max(tileSize(), REACH);
  for (let i = 0; i < COUNT; i++) {
    const [imageX, imageY] = onScreen(place(i));
    const away = Math.hypot(imageX - x, imageY - y);
    if (away < least && isHighlighted(i)) {
      best = i;
      least = away;
    }
  }
  return best;
}

function step(right, down) {  // points at the nearest image in a direction
  const [x, y] = onScreen(place(pointed));
  let best = pointed;
  let least = Infinity;
  for (let i = 0; i < COUNT; i++) {
    const [imageX, imageY] = onScreen(place(i));
    const ahead = (imageX - x) * right + (imageY - y) * down;
    const aside = Math.abs((imageX - x) * down) + Math.abs((imageY - y) * right);
    const away = ahead + 2 * aside;
    if (ahead > aside && away < least && isHighlighted(i)) {
      best = i;
      least = away;
    }
  }
  point(best);
  if (!isOnMap(onScreen(place(best)))) [view.x, view.y] = place(best);
}

function zoom(factor, x = center()[0], y = center()[1]) {  // what lies at (x, y) stays there
  const before = viewScale();
  view.zoom = Math.min(Math.max(view.zoom * factor, 1), MAX_ZOOM);
  const shrinkage = 1 / before - 1 / viewScale();
  view.x += (x - center()[0]) * shrinkage;
  view.y -= (y - center()[1]) * shrinkage;
  if (view.zoom === 1) [view.x, view.y] = middle;
  map.style.touchAction = view.zoom > 1 ? "none" : "pan-y";  // a finger scrolls past the whole map
  drawMap();
}

const showAll = () => zoom(0);  // the least zoom is 1

function choose(i) {
  setEnds({ [nextEnd]: testImage(i) });
  take(ends[nextEnd]);
  nextEnd = nextEnd === "A" ? "B" : "A";
  showNextEnd();
}

function showNextEnd() {
  get("next").textContent = nextEnd;
  get("next").className = nextEnd.toLowerCase();
}

// ---- mouse, pen and fingers

const fingers = new Map();  // of each pointer that is down: its place
let travelled = 0;  // screen pixels, since the first of them went down
const pointerPlace = event => [event.offsetX, event.offsetY];

map.onpointerdown = event => {
  map.setPointerCapture(event.pointerId);
  if (fingers.size === 0) travelled = 0;
  fingers.set(event.pointerId, pointerPlace(event));
};

map.onpointermove = event => {
  if (fingers.has(event.pointerId)) moveFinger(event);
  else hover(event);
};

function hover(event) {
  const i = imageAt(...pointerPlace(event));
  if (i !== null && i !== pointed) point(i);
}

function moveFinger(event) {
  const [oldX, oldY] = fingers.get(event.pointerId);
  const [x, y] = pointerPlace(event);
  travelled += Math.hypot(x - oldX, y - oldY);
  fingers.set(event.pointerId, [x, y]);
  const other = [...fingers.keys()].find(id => id !== event.pointerId);
  if (other !== undefined) {
    const [otherX, otherY] = fingers.get(other);
    const oldGap = Math.hypot(oldX - otherX, oldY - otherY);
    const gap = Math.hypot(x - otherX, y - otherY);
    zoom(gap / Math.max(oldGap, 1), (x + otherX) / 2, (y + otherY) / 2);
  } else if (view.zoom > 1 && travelled > CLICK) {
    view.x -= (x - oldX) / viewScale();
    view.y += (y - oldY) / viewScale();
    drawMap();
  }
}

map.onpointerup = event => {
  const wasDown = fingers.delete(event.pointerId);
  const i = imageAt(...pointerPlace(event));
  if (!wasDown || travelled > CLICK || i === null) return;
  point(i);
  choose(i);
};

map.onpointercancel = event => fingers.delete(event.pointerId);

function turnWheel(event) {
  event.preventDefault();
  zoom(Math.exp(-event.deltaY / 400), ...pointerPlace(event));
}

map.addEventListener("wheel", turnWheel, { passive: false });  // else the page would scroll

// ---- keyboard and buttons

const zoomToPointed = factor => zoom(factor, ...onScreen(place(pointed)));
const KEYS = {
  "ArrowLeft": () => step(-1, 0),
  "ArrowRight": () => step(1, 0),
  "ArrowUp": () => step(0, -1),
  "ArrowDown": () => step(0, 1),
  "Enter": () => choose(pointed),
  " ": () => choose(pointed),
  "+": () => zoomToPointed(ZOOM_STEP),
  "=": () => zoomToPointed(ZOOM_STEP),
  "-": () => zoomToPointed(1 / ZOOM_STEP),
  "0": showAll,
};

map.onkeydown = event => {
  if (!KEYS[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  KEYS[event.key]();
};

get("zoom-in").onclick = () => zoom(ZOOM_STEP);
get("zoom-out").onclick = () => zoom(1 / ZOOM_STEP);
get("zoom-all").onclick = showAll;

function addToLegend(label) {  // null stands for all classes
  const chip = make("label", get("legend"));
  if (label === null) chip.textContent = "all";
  else showClass(chip, label);
  const input = make("input", chip, { type: "radio", name: "class", checked: label === null });
  input.onchange = () => {
    onlyLabel = label;
    drawMap();
  };
}

addToLegend(null);
for (const label of names.keys()) {
  if (labels.includes(label)) addToLegend(label);
}
