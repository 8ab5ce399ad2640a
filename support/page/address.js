// The address: what comes after its # holds all that is shown, so it can be kept and sent.
// A, B and the network's character are numbers of test images or, if they are drawn or changed, a
// word and their code. `at` is the percentage of the way from A to B, `tour` the step of the tour.

const QUIET = 500;  // milliseconds without a change; browsers refuse to be told too often
const UNIT = limit / 4096;  // codes are written as whole numbers of this
const OWN_CODE = /^(drawn|changed)\.([\w-]+)$/;
let quietTimer = null;

function writeCode(z) {  // as base64 of 16-bit numbers, with letters that an address may hold
  const largest = 2 ** 15 - 1;
  const numbers = z.map(x => Math.max(-largest, Math.min(Math.round(x / UNIT), largest)));
  const bytes = new Uint8Array(Int16Array.from(numbers).buffer);
  const text = btoa(String.fromCharCode(...bytes));
  return text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function readCode(text) {  // null if it is none
  if (text.length !== writeCode(code(0)).length) return null;
  const letters = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  const bytes = Uint8Array.from(letters, letter => letter.charCodeAt(0));
  return Float32Array.from(new Int16Array(bytes.buffer), x => x * UNIT);
}

function writeCharacter({ name, code, number }) {
  return number ?? `${name}.${writeCode(code)}`;
}

function readCharacter(text, otherwise) {
  const [, name, own] = OWN_CODE.exec(text) ?? [];
  const z = own && readCode(own);
  if (z) return { name, code: z, place: placeOf(z) };
  return testImage(readNumber(text, COUNT - 1, otherwise));
}

function readNumber(text, most, otherwise) {  // a whole number from 0 to most, or else otherwise
  const isNumber = /^\d+$/.test(text) && Number(text) <= most;
  return isNumber ? Number(text) : otherwise;
}

function writeAddress() {
  const state = new URLSearchParams();
  state.set("A", writeCharacter(ends.A));
  state.set("B", writeCharacter(ends.B));
  if (writeCharacter(shown) !== writeCharacter(ends.A)) state.set("shown", writeCharacter(shown));
  if (shownPaths().length === 1) state.set("path", shownPaths()[0]);
  state.set("at", Math.round(100 * slider.value / slider.max));
  if (tourStep !== null) state.set("tour", tourStep + 1);
  history.replaceState(null, "", `#${state}`);
}

function noteChange() {
  clearTimeout(quietTimer);
  quietTimer = setTimeout(writeAddress, QUIET);
}

function readAddress() {  // what is missing or makes no sense is as in the first view
  const state = new URLSearchParams(location.hash.slice(1));
  const [a, b] = content.first;
  const percent = readNumber(state.get("at"), 100, 50);
  slider.value = Math.round(percent / 100 * slider.max);
  get("path").value = Object.hasOwn(PATHS, state.get("path")) ? state.get("path") : "both";
  showPaths();
  setEnds({ A: readCharacter(state.get("A"), a), B: readCharacter(state.get("B"), b) });
  point(ends.A.number ?? a);
  take(state.has("shown") ? readCharacter(state.get("shown"), a) : ends.A);
  const step = readNumber(state.get("tour"), TOUR.length, state.size === 0 ? 1 : 0);
  if (step > 0) showStep(step - 1);
}

addEventListener("hashchange", readAddress);
