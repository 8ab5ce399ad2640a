// The morph between two ends, A and B: two rows of frames, and a player.

const TRAVEL = 2600;  // milliseconds from A to B

const ends = {};  // A and B, the characters
let paths = {};  // found so far, by name: each its codes, and those of its frames that were decoded
const slider = get("slider");
slider.max = PATH_CODES - 1;

function setEnds(chosen) {  // { A, B } or one of them
  Object.assign(ends, chosen);
  for (const end in chosen) get(`name-${end}`).textContent = chosen[end].name;
  startMorph();
}

function useAs(end, character) {
  setEnds({ [end]: character });
  get("morph-part").scrollIntoView({ block: "nearest" });
}

function shownPaths() {  // their names
  const choice = get("path").value;
  return Object.keys(PATHS).filter(name => choice === name || choice === "both");
}

function showPaths() {
  for (const element of document.querySelectorAll("[data-path]")) {
    element.hidden = !shownPaths().includes(element.dataset.path);
  }
  noteChange();
  drawMap();
}

function startMorph() {
  paths = {};
  startJob("morph", fillRows());
  for (const canvas of morphCanvases()) canvas.classList.add("waiting");
  get("morph-part").ariaBusy = true;
  showMorph();
}

const morphCanvases = () => document.querySelectorAll("[data-path] canvas");

// A picture, decoded when it is first needed. If its path is not found yet, that is done at once.
function frame(name, k) {
  while (!paths[name]) jobs.get("morph").next();
  const { codes, frames } = paths[name];
  frames[k] ??= decode(codes[k]);
  return frames[k];
}

function* fillRows() {  // one path after the other; pauses after each frame
  for (const name in PATHS) {
    const codes = yield* PATHS[name](ends.A.code, ends.B.code);
    paths[name] = { codes, frames: [], trail: findTrail(codes) };
    showFrame(get(`big-${name}`), name, Number(slider.value));
    for (const [i, canvas] of [...get(name).children].entries()) {
      showFrame(canvas, name, i * CODES_PER_FRAME);
      yield;
    }
    drawMap();
  }
  get("morph-part").ariaBusy = false;
}

function showFrame(canvas, name, k) {
  paintInk(canvas, frame(name, k));
  canvas.classList.remove("waiting");
}

function showMorph() {
  const share = slider.value / slider.max;
  for (const name in PATHS) {
    if (paths[name]) showFrame(get(`big-${name}`), name, Number(slider.value));
    get(name).style.setProperty("--now", share);
  }
  slider.setAttribute("aria-valuetext", `${Math.round(100 * share)}% of the way`);
  noteChange();
  drawMap();
}

function chooseRandomPair() {
  const random = numbers => numbers[Math.floor(Math.random() * numbers.length)];
  const all = [...labels.keys()];
  const a = random(all);
  const others = all.filter(i => labels[i] !== labels[a]);
  const b = random(others);
  setEnds({ A: testImage(a), B: testImage(b) });
  take(ends.A);
}

for (const name in PATHS) {
  get(name).style.setProperty("--frames", FRAMES);
  for (let i = 0; i < FRAMES; i++) {
    const canvas = make("canvas", get(name), { className: "ink" });
    canvas.onclick = () => {
      slider.value = i * CODES_PER_FRAME;
      slider.dispatchEvent(new Event("input"));
    };
  }
}

connectPlayer(slider, get("play"), TRAVEL, showMorph);
get("path").onchange = showPaths;
get("swap").onclick = () => setEnds({ A: ends.B, B: ends.A });
get("random").onclick = chooseRandomPair;
