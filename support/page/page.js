// What the other scripts share: elements, the content of the page, pictures and colours.

const get = id => document.getElementById(id);

function make(tag, parent, properties) {
  const element = parent.appendChild(document.createElement(tag));
  return Object.assign(element, properties);
}

// ---- the content

async function unpackBlock() {
  const text = atob(get("block").textContent);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

// The content's JSON, in which the place of an array in the block becomes the array itself.
function readContent(block) {
  return JSON.parse(get("content").textContent, (key, value) => {
    if (!value?.type) return value;
    const array = new globalThis[value.type](block.slice(value.start, value.start + value.size));
    const scale = value.scale;
    if (!scale) return array;
    return new Float32Array(array).map((x, i) => x * scale[i % scale.length]);
  });
}

const content = readContent(await unpackBlock());
const { names, labels, images, codes, points } = content;
const COUNT = labels.length;  // of test images
const IMAGE_SIZE = content.image_size;  // pixels on each side
const CODE_SIZE = content.code_size;
const PIXELS = IMAGE_SIZE ** 2;

const row = (table, i, width) => table.subarray(i * width, (i + 1) * width);
const image = i => row(images, i, PIXELS);
const code = i => row(codes, i, CODE_SIZE);
const place = i => row(points, i, 2);

// A character on the page: its name, its code, its place on the map, and its image if there is one.
// That of the test set has a number, too.
function testImage(i) {
  return { name: names[labels[i]], code: code(i), place: place(i), image: image(i), number: i };
}

// ---- long work, in pieces: the page answers in between

const BUSY = 12;  // milliseconds of work at a time
const jobs = new Map();  // generators by name; a new job takes the place of the old one

function startJob(name, job) {
  if (jobs.size === 0) setTimeout(continueJobs);
  jobs.set(name, job);
}

function continueJobs() {
  const end = performance.now() + BUSY;
  for (const [name, job] of jobs) {
    while (performance.now() < end && jobs.has(name)) {
      if (job.next().done) jobs.delete(name);
    }
  }
  if (jobs.size > 0) setTimeout(continueJobs);
}

// ---- pictures

const DOUBLINGS = 3;  // of the size of a picture that is shown
const PAPER = 0.1;  // fainter ink is not shown
const BLACK = 0.8;  // darker ink is black

function paint(canvas, x) {  // black ink; the style makes it light on a dark page
  const size = Math.sqrt(x.length);
  const picture = new ImageData(size, size);
  for (let i = 0; i < x.length; i++) picture.data[4 * i + 3] = 255 * x[i] + 0.5;
  canvas.width = size;
  canvas.height = size;
  canvas.getContext("2d").putImageData(picture, 0, 0);
}

// Some browsers hide from a page what it drew, so that it cannot recognise its reader: they give it
// noise instead.
function canReadPictures() {
  const stripes = Float32Array.from({ length: 64 }, (_, i) => i % 2);
  const canvas = document.createElement("canvas");
  paint(canvas, stripes);
  const { data } = canvas.getContext("2d").getImageData(0, 0, 8, 8);
  return stripes.every((ink, i) => Math.abs(data[4 * i + 3] - 255 * ink) < 16);
}

// Twice as large, and smooth: each pixel becomes four, each a blend with its neighbours.
function double(x) {
  const size = Math.sqrt(x.length);
  const large = new Float32Array(4 * x.length);
  const ownPixel = k => Math.floor(k / 2);
  const neighbour = k => Math.min(Math.max(ownPixel(k) + (k % 2 ? 1 : -1), 0), size - 1);
  for (let line = 0; line < 2 * size; line++) {
    const own = size * ownPixel(line);
    const other = size * neighbour(line);
    for (let column = 0; column < 2 * size; column++) {
      const near = ownPixel(column);
      const far = neighbour(column);
      const ownInk = 3 * x[own + near] + x[own + far];
      const otherInk = 3 * x[other + near] + x[other + far];
      large[2 * size * line + column] = (3 * ownInk + otherInk) / 16;
    }
  }
  return large;
}

function sharpen(ink) {  // a smooth step from paper to black
  const share = Math.min(Math.max((ink - PAPER) / (BLACK - PAPER), 0), 1);
  return share ** 2 * (3 - 2 * share);
}

function paintInk(canvas, x) {  // large: strokes with the edges of ink, where x has pixels
  let large = x;
  for (let i = 0; i < DOUBLINGS; i++) large = double(large);
  paint(canvas, large.map(sharpen));
}

const styleValue = name => getComputedStyle(document.documentElement).getPropertyValue(name);
const hue = label => 360 * (label * 0.381966 % 1);  // golden angles: neighbouring classes differ
const classColor = label => `hsl(${hue(label)} 70% ${styleValue("--tone")})`;

function showClass(element, label) {  // the character of a class, in its colour
  element.textContent = names[label];
  element.style.color = `hsl(${hue(label)} 70% var(--tone))`;
}
