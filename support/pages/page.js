// What the other scripts share: elements, the content of the page, pictures and colours.

const get = id => document.getElementById(id);

function make(tag, parent, properties) {
  const element = parent.appendChild(document.createElement(tag));
  return Object.assign(element, properties);
}

// ---- the content

const canUnpack = "DecompressionStream" in globalThis;
get("title").textContent = canUnpack ? "Loading …" : "This page needs a browser of 2023 or later.";

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
const testImage = i => ({ name: names[labels[i]], code: code(i), place: place(i) });

// ---- pictures

function paint(canvas, x) {  // black ink; the style makes it light on a dark page
  const picture = new ImageData(IMAGE_SIZE, IMAGE_SIZE);
  for (let i = 0; i < PIXELS; i++) picture.data[4 * i + 3] = 255 * x[i] + 0.5;
  canvas.width = IMAGE_SIZE;
  canvas.height = IMAGE_SIZE;
  canvas.getContext("2d").putImageData(picture, 0, 0);
}

const styleValue = name => getComputedStyle(document.documentElement).getPropertyValue(name);
const hue = label => 360 * (label * 0.381966 % 1);  // golden angles: neighbouring classes differ
const classColor = label => `hsl(${hue(label)} 70% ${styleValue("--tone")})`;

function showClass(element, label) {  // the character of a class, in its colour
  element.textContent = names[label];
  element.style.color = `hsl(${hue(label)} 70% var(--tone))`;
}
