// Directions with names: a slider for each, under five pictures of what it does.

const FURTHEST = 2;  // steps along a direction, each a standard deviation of what it changes
const PREVIEWS = 5;

const move = (z, step, length) => z.map((x, i) => x + length * step[i]);

function addDirection({ name, low, high, step }) {
  const label = make("label", get("directions"));
  make("span", label, { textContent: low });
  make("b", label, { textContent: name });
  make("span", label, { textContent: high });
  const strip = make("div", label, { className: "strip" });
  for (let k = 0; k < PREVIEWS; k++) make("canvas", strip, { className: "ink" });
  const slider = make("input", label, {
    type: "range",
    min: -FURTHEST,
    max: FURTHEST,
    step: 0.05,
    ariaLabel: `${name}, from ${low} to ${high}`,
  });
  const direction = { step, slider, position: 0, canvases: [...strip.children] };
  slider.oninput = () => {
    const length = slider.value - direction.position;
    direction.position = Number(slider.value);
    change(move(shown.code, step, length));
  };
  return direction;
}

function centerDirections() {
  for (const direction of directions) {
    direction.slider.value = 0;
    direction.position = 0;
  }
}

function* paintPreviews() {
  for (const { step, position, canvases } of directions) {
    for (const [k, canvas] of canvases.entries()) {
      const end = FURTHEST * (2 * k / (PREVIEWS - 1) - 1);
      paintInk(canvas, decode(move(shown.code, step, end - position)));
      yield;
    }
  }
}

const directions = content.directions.map(addDirection);
get("directions").hidden = directions.length === 0;
