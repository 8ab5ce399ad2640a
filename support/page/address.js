// The address: what comes after its # holds the morph that is shown, so it can be kept and sent.
// A and B are numbers of test images, `at` is the percentage of the way from A to B.

const QUIET = 500;  // milliseconds without a change; browsers refuse to be told too often
let quietTimer = null;

function writeAddress() {
  const state = new URLSearchParams();
  for (const end of ["A", "B"]) {
    if ("number" in ends[end]) state.set(end, ends[end].number);
  }
  if (shownPaths().length === 1) state.set("path", shownPaths()[0]);
  state.set("at", Math.round(100 * slider.value / slider.max));
  history.replaceState(null, "", `#${state}`);
}

function noteChange() {
  clearTimeout(quietTimer);
  quietTimer = setTimeout(writeAddress, QUIET);
}

function readNumber(text, most, otherwise) {  // a whole number from 0 to most, or else otherwise
  const isNumber = /^\d+$/.test(text) && Number(text) <= most;
  return isNumber ? Number(text) : otherwise;
}

function readAddress() {  // what is missing or makes no sense is as in the first view
  const state = new URLSearchParams(location.hash.slice(1));
  const a = readNumber(state.get("A"), COUNT - 1, content.first[0]);
  const b = readNumber(state.get("B"), COUNT - 1, content.first[1]);
  const percent = readNumber(state.get("at"), 100, 50);
  slider.value = Math.round(percent / 100 * slider.max);
  get("path").value = Object.hasOwn(PATHS, state.get("path")) ? state.get("path") : "both";
  showPaths();
  setEnds({ A: testImage(a), B: testImage(b) });
  point(a);
}

addEventListener("hashchange", readAddress);
