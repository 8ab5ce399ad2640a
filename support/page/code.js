// The network at work on a character: its image, the numbers that the encoder makes of it, and what
// the decoder makes of these. The numbers are bars that can be moved.

const KEY_STEPS = 25;  // from 0 to a bar's limit, by arrow key
const KEYS_OF_BARS = {
  ArrowUp: 1,
  ArrowRight: 1,
  ArrowDown: -1,
  ArrowLeft: -1,
  PageUp: 5,
  PageDown: -5,
};

const meanSquare = codes.reduce((sum, x) => sum + x ** 2, 0) / codes.length;
const limit = 4 * Math.sqrt(meanSquare);  // of each number
const clip = x => Math.max(-limit, Math.min(x, limit));

let original = null;  // the character that was taken
let shown = null;  // the same, or one whose numbers were changed

function take(character) {
  original = character;
  shown = character;
  const { name, image } = character;
  paintInk(get("image"), image ?? new Float32Array(PIXELS));
  get("image-text").textContent = image ? name : "image not kept";
  centerDirections();
  showCode();
}

function change(z) {
  shown = { name: "changed", code: z };
  showCode();
}

function showCode() {
  shown.code.forEach((x, i) => {
    const share = clip(x) / limit;
    bars[i].ariaValueNow = Math.round(100 * share);
    bars[i].firstChild.style.top = `${50 - 50 * Math.max(share, 0)}%`;
    bars[i].firstChild.style.height = `${50 * Math.abs(share)}%`;
  });
  const copy = decode(shown.code);
  paintInk(get("copy"), copy);
  get("copy-text").textContent = shown.image
    ? `lost: ${excess(shown.image, copy).toFixed(4)}`
    : shown.name;
  get("reset").disabled = shown === original;
  get("image").style.opacity = shown === original ? 1 : 0.3;
  startJob("previews", paintPreviews());
  noteChange();
}

function setNumber(i, x) {
  const z = shown.code.slice();
  z[i] = clip(x);
  change(z);
}

function makeBar(i) {
  const bar = make("div", get("bars"), {
    role: "slider",
    tabIndex: 0,
    ariaLabel: `Number ${i + 1}`,
    ariaOrientation: "vertical",
    ariaValueMin: -100,
    ariaValueMax: 100,
  });
  make("i", bar);
  bar.onkeydown = event => {
    const steps = KEYS_OF_BARS[event.key];
    if (!steps) return;
    event.preventDefault();
    setNumber(i, shown.code[i] + steps * limit / KEY_STEPS);
  };
  return bar;
}

const bars = Array.from({ length: CODE_SIZE }, (_, i) => makeBar(i));

function dragBar(event) {
  if (!event.buttons) return;
  const box = get("bars").getBoundingClientRect();
  const i = Math.floor((event.clientX - box.left) / box.width * CODE_SIZE);
  const height = (event.clientY - box.top) / box.height;
  get("bars").setPointerCapture(event.pointerId);
  if (bars[i]) setNumber(i, limit * (1 - 2 * height));
}

function useCode(end) {
  useAs(end, { ...shown, place: placeOf(shown.code) });
}

get("bars").onpointerdown = dragBar;
get("bars").onpointermove = dragBar;
get("reset").onclick = () => take(original);
get("code-A").onclick = () => useCode("A");
get("code-B").onclick = () => useCode("B");
