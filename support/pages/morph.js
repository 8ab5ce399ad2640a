// The morph between two ends, A and B: two rows of frames, and a player.

const TRAVEL = 2600;  // milliseconds from A to B
const BUSY = 12;  // milliseconds of decoding at a time: the page answers in between

const ends = {};  // A and B: each has a name, a code and a place on the map
const paths = {};  // by name, each its codes, and those of its frames that were decoded
let pending = [];  // canvases of the rows that wait for their frame
const slider = get("slider");
slider.max = PATH_CODES - 1;
slider.value = slider.max / 2;

function setEnds(chosen) {  // { A, B } or one of them
  Object.assign(ends, chosen);
  for (const end in chosen) get(`name-${end}`).textContent = chosen[end].name;
  if (chosen.A) setCode(chosen.A.code);
  startMorph();
}

function startMorph() {
  const isIdle = pending.length === 0;
  pending = [];
  for (const name in PATHS) {
    paths[name] = { codes: PATHS[name](ends.A.code, ends.B.code), frames: [] };
    [...get(name).children].forEach((canvas, i) => pending.push({ canvas, name, i }));
  }
  if (isIdle) requestAnimationFrame(fillRows);
  get("morph-part").ariaBusy = true;
  showMorph();
  drawMap();
}

function frame(name, k) {  // a picture, decoded when it is first needed
  const { codes, frames } = paths[name];
  frames[k] ??= decode(codes[k]);
  return frames[k];
}

function fillRows() {
  const end = performance.now() + BUSY;
  while (pending.length > 0 && performance.now() < end) {
    const { canvas, name, i } = pending.shift();
    paint(canvas, frame(name, i * CODES_PER_FRAME));
  }
  get("morph-part").ariaBusy = pending.length > 0;
  if (pending.length > 0) requestAnimationFrame(fillRows);
}

function showMorph() {
  const share = slider.value / slider.max;
  for (const name in PATHS) {
    paint(get(`big-${name}`), frame(name, Number(slider.value)));
    get(name).style.setProperty("--now", share);
  }
  slider.setAttribute("aria-valuetext", `${Math.round(100 * share)}% of the way`);
}

function chooseRandomPair() {
  const random = numbers => numbers[Math.floor(Math.random() * numbers.length)];
  const all = [...labels.keys()];
  const a = random(all);
  const others = all.filter(i => labels[i] !== labels[a]);
  const b = random(others) ?? a;  // there may be only one class
  setEnds({ A: testImage(a), B: testImage(b) });
}

for (const name in PATHS) {
  get(name).style.setProperty("--frames", FRAMES);
  for (let i = 0; i < FRAMES; i++) {
    const canvas = make("canvas", get(name), { className: "ink" });
    canvas.width = canvas.height = IMAGE_SIZE;
    canvas.onclick = () => {
      slider.value = i * CODES_PER_FRAME;
      slider.dispatchEvent(new Event("input"));
    };
  }
}

connectPlayer(slider, get("play"), TRAVEL, showMorph);
get("swap").onclick = () => setEnds({ A: ends.B, B: ends.A });
get("random").onclick = chooseRandomPair;
