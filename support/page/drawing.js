// Drawing: strokes become an image as EMNIST's are, which the network reads and draws again.

const PEN_WIDTH = 0.114;  // of an image's side: as thick as EMNIST's lines
const INK_WIDTH = 0.84;  // of an image's side: what is not margin
const SMALLEST_DRAWING = 1 / 8;  // of the pad; smaller ones are enlarged no further
const FINE = 8;  // pixels of the sheet along one of the image
const SIMILAR = 5;  // test images

const pad = get("pad");
const PAD_LINE = pad.width / 20;
let strokes = [];  // lists of places [x, y] on the pad
let drawing = null;  // the character

function drawStrokes(context, width) {
  context.lineWidth = width;
  context.lineCap = "round";
  context.lineJoin = "round";
  for (const stroke of strokes) {
    context.beginPath();
    context.moveTo(...stroke[0]);
    for (const dot of stroke) context.lineTo(...dot);
    context.stroke();
  }
}

function drawSheet() {  // the ink, large: cropped and centred, its lines as thick as EMNIST's
  const size = IMAGE_SIZE * FINE;
  const xs = strokes.flat().map(dot => dot[0]);
  const ys = strokes.flat().map(dot => dot[1]);
  const [left, right] = [Math.min(...xs), Math.max(...xs)];
  const [top, bottom] = [Math.min(...ys), Math.max(...ys)];
  const extent = Math.max(right - left, bottom - top, pad.width * SMALLEST_DRAWING);
  const scale = size * (INK_WIDTH - PEN_WIDTH) / extent;

  const sheet = document.createElement("canvas");
  sheet.width = sheet.height = size;
  const context = sheet.getContext("2d");
  context.translate(size / 2, size / 2);
  context.scale(scale, scale);
  context.translate(-(left + right) / 2, -(top + bottom) / 2);
  drawStrokes(context, size * PEN_WIDTH / scale);
  return context.getImageData(0, 0, size, size);
}

function blur(x, stride) {  // along rows with a stride of 1, along columns with a row's length
  return x.map((ink, i) => ((x[i - stride] || 0) + 2 * ink + (x[i + stride] || 0)) / 4);
}

function toImage() {  // (PIXELS,) in [0, 1]: soft, and its darkest ink 1
  const sheet = drawSheet();
  let x = new Float32Array(PIXELS);
  for (let i = 0; i < sheet.width * sheet.height; i++) {
    const line = Math.floor(i / sheet.width / FINE);
    const column = Math.floor(i % sheet.width / FINE);
    x[line * IMAGE_SIZE + column] += sheet.data[4 * i + 3];
  }
  x = blur(blur(x, 1), IMAGE_SIZE);
  const darkest = Math.max(...x);
  return x.map(ink => ink / darkest);
}

function placeOf(z) {  // on the map: the mean of the most similar test images
  const places = nearest(codes, z, SIMILAR).map(place);
  const mean = axis => places.reduce((sum, found) => sum + found[axis], 0) / places.length;
  return [mean(0), mean(1)];
}

function showSimilar(z) {
  for (const i of nearest(codes, z, SIMILAR)) {
    const figure = make("figure", get("nearest"));
    paintInk(make("canvas", figure, { className: "ink" }), image(i));
    showClass(make("figcaption", figure), labels[i]);
  }
}

function redrawPad() {
  const context = pad.getContext("2d");
  context.clearRect(0, 0, pad.width, pad.height);
  drawStrokes(context, PAD_LINE);
}

function readDrawing() {
  redrawPad();
  get("nearest").replaceChildren();
  const isEmpty = strokes.length === 0;
  for (const id of ["undo", "clear", "drawn-A", "drawn-B"]) get(id).disabled = isEmpty;
  if (isEmpty) forgetDrawing();
  else showDrawing();
  drawMap();
}

function forgetDrawing() {
  get("drawn-text").textContent = "Write a character with mouse, pen or finger.";
  drawing = null;
}

function showDrawing() {
  const x = toImage();
  const z = encode(x);
  drawing = { name: "drawn", code: z, place: placeOf(z), image: x };
  take(drawing);
  get("drawn-text").textContent = "The test images with the nearest numbers:";
  showSimilar(z);
}

function padPosition(event) {
  const scale = pad.width / pad.clientWidth;
  return [event.offsetX * scale, event.offsetY * scale];
}

pad.onpointerdown = event => {
  pad.setPointerCapture(event.pointerId);
  strokes.push([padPosition(event)]);
};

pad.onpointermove = event => {
  if (!pad.hasPointerCapture(event.pointerId)) return;
  strokes.at(-1).push(padPosition(event));
  drawStrokes(pad.getContext("2d"), PAD_LINE);
};

pad.onpointerup = readDrawing;

get("undo").onclick = () => {
  strokes.pop();
  readDrawing();
};

get("clear").onclick = () => {
  strokes = [];
  readDrawing();
};

get("drawn-A").onclick = () => useAs("A", drawing);
get("drawn-B").onclick = () => useAs("B", drawing);
