// The code: its numbers as bars, its principal components as sliders, and its picture.

const KEY_STEPS = 25;  // from 0 to a bar's limit, by arrow key
const KEYS_OF_BARS = {
  ArrowUp: 1,
  ArrowRight: 1,
  ArrowDown: -1,
  ArrowLeft: -1,
  PageUp: 5,
  PageDown: -5,
};

// ---- principal components of the test images' codes

const meanCode = new Float32Array(CODE_SIZE);
codes.forEach((x, i) => meanCode[i % CODE_SIZE] += x / COUNT);

function component(z, k) {  // of a code, along the principal axis k
  return content.axes[k].reduce((sum, x, i) => sum + x * (z[i] - meanCode[i]), 0);
}

function componentVariance(k) {
  let sum = 0;
  for (let i = 0; i < COUNT; i++) sum += component(code(i), k) ** 2;
  return sum / COUNT;
}

const variances = content.axes.map((_, k) => componentVariance(k));
const deviations = variances.map(Math.sqrt);
let totalVariance = 0;
codes.forEach((x, i) => totalVariance += (x - meanCode[i % CODE_SIZE]) ** 2 / COUNT);

// ---- showing and changing the code

const limit = 4 * Math.sqrt(totalVariance / CODE_SIZE);  // of each number
let current = code(0).slice();

const clip = x => Math.max(-limit, Math.min(x, limit));

function setCode(z) {
  current = z.slice();
  bars.forEach((bar, i) => {
    const share = clip(z[i]) / limit;
    bar.setAttribute("aria-valuenow", z[i].toFixed(2));
    bar.firstChild.style.top = `${50 - 50 * Math.max(share, 0)}%`;
    bar.firstChild.style.height = `${50 * Math.abs(share)}%`;
  });
  componentSliders.forEach((input, k) => input.value = component(z, k) / deviations[k]);
  paintInk(get("decoded"), decode(current));
}

function setNumber(i, x) {
  const z = current.slice();
  z[i] = clip(x);
  setCode(z);
}

function setComponent(k, x) {
  const move = x - component(current, k);
  setCode(current.map((number, i) => number + move * content.axes[k][i]));
}

function makeBar(i) {
  const bar = make("div", get("bars"), {
    role: "slider",
    tabIndex: 0,
    ariaLabel: `Number ${i + 1}`,
    ariaOrientation: "vertical",
    ariaValueMin: (-limit).toFixed(2),
    ariaValueMax: limit.toFixed(2),
  });
  make("i", bar);
  bar.onkeydown = event => {
    const steps = KEYS_OF_BARS[event.key];
    if (!steps) return;
    event.preventDefault();
    setNumber(i, current[i] + steps * limit / KEY_STEPS);
  };
  return bar;
}

function makeComponentSlider(k) {
  const percent = Math.round(100 * variances[k] / totalVariance);
  const label = make("label", get("axes"), { textContent: `${k + 1} · ${percent}%` });
  const input = make("input", label, {
    type: "range",
    min: -3,
    max: 3,
    step: 0.05,
    ariaLabel: `Principal component ${k + 1}`,
  });
  input.oninput = () => setComponent(k, input.value * deviations[k]);
  return input;
}

const bars = Array.from({ length: CODE_SIZE }, (_, i) => makeBar(i));
const componentSliders = content.axes.map((_, k) => makeComponentSlider(k));

function dragBar(event) {
  if (!event.buttons) return;
  const box = get("bars").getBoundingClientRect();
  const i = Math.floor((event.clientX - box.left) / box.width * CODE_SIZE);
  const height = (event.clientY - box.top) / box.height;
  get("bars").setPointerCapture(event.pointerId);
  if (bars[i]) setNumber(i, limit * (1 - 2 * height));
}

get("bars").onpointerdown = dragBar;
get("bars").onpointermove = dragBar;
get("reset").onclick = () => setCode(ends.A.code);

function useCode() {
  return { name: "code", code: current, place: placeOf(current) };
}

get("code-A").onclick = () => setEnds({ A: useCode() });
get("code-B").onclick = () => setEnds({ B: useCode() });
