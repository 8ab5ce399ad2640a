// Saving the morph that is shown: its rows as a picture, or its frames as an animation.

const ROW_FRAME = 4 * IMAGE_SIZE;  // pixels on each side of a frame in the picture
const MOVING_FRAME = 8 * IMAGE_SIZE;  // and in the animation
const SAVED_MARGIN = 24;
const TITLE_HEIGHT = 60;
const CAPTION_HEIGHT = 30;
const STEPS = 40;  // of the animation, from A to B
const STEP_TIME = 6;  // hundredths of a second
const REST_TIME = 90;  // at each end

function save(blob, ending) {
  const words = [ends.A.name, "to", ends.B.name];
  if (shownPaths().length === 1) words.push(shownPaths()[0]);
  const anchor = document.createElement("a");
  anchor.href = URL.createObjectURL(blob);
  anchor.download = `${words.join("-")}.${ending}`;
  anchor.click();
}

const pathTitle = name => get("path").querySelector(`[value=${name}]`).text;

function makeSheet(width, height) {  // white, with the names of the ends above
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "white";
  context.fillRect(0, 0, width, height);
  context.fillStyle = "black";
  context.font = "700 26px system-ui, sans-serif";
  context.fillText(`${ends.A.name} → ${ends.B.name}`, SAVED_MARGIN, 42);
  context.font = "16px system-ui, sans-serif";
  return context;
}

function drawFrame(context, name, k, x, y, size) {
  const canvas = document.createElement("canvas");
  paintInk(canvas, frame(name, k));
  context.imageSmoothingQuality = "high";
  context.drawImage(canvas, x, y, size, size);
}

function drawRows() {  // of each path that is shown
  const shown = shownPaths();
  const rowHeight = CAPTION_HEIGHT + ROW_FRAME;
  const width = 2 * SAVED_MARGIN + FRAMES * ROW_FRAME;
  const context = makeSheet(width, TITLE_HEIGHT + shown.length * rowHeight + SAVED_MARGIN);
  shown.forEach((name, line) => {
    const top = TITLE_HEIGHT + line * rowHeight;
    context.fillText(pathTitle(name), SAVED_MARGIN, top + 20);
    for (let i = 0; i < FRAMES; i++) {
      const x = SAVED_MARGIN + i * ROW_FRAME;
      drawFrame(context, name, i * CODES_PER_FRAME, x, top + CAPTION_HEIGHT, ROW_FRAME);
    }
  });
  return context.canvas;
}

function drawMoment(k) {  // frame k of each path that is shown, side by side
  const shown = shownPaths();
  const width = SAVED_MARGIN + shown.length * (MOVING_FRAME + SAVED_MARGIN);
  const height = TITLE_HEIGHT + CAPTION_HEIGHT + MOVING_FRAME + SAVED_MARGIN;
  const context = makeSheet(width, height);
  shown.forEach((name, column) => {
    const x = SAVED_MARGIN + column * (MOVING_FRAME + SAVED_MARGIN);
    context.fillText(pathTitle(name), x, TITLE_HEIGHT + 20);
    drawFrame(context, name, k, x, TITLE_HEIGHT + CAPTION_HEIGHT, MOVING_FRAME);
  });
  return context.getImageData(0, 0, width, height);
}

function drawAnimation() {  // from A to B and back, slower near the ends
  const pictures = [];
  for (let step = 0; step <= STEPS; step++) {
    const share = (1 - Math.cos(Math.PI * step / STEPS)) / 2;
    const moment = drawMoment(Math.round(share * (PATH_CODES - 1)));
    const isEnd = step === 0 || step === STEPS;
    pictures.push(encodePicture(moment, isEnd ? REST_TIME : STEP_TIME));
  }
  const back = pictures.slice(1, -1).reverse();
  return makeGif([...pictures, ...back]);
}

async function saveAnimation() {
  const button = get("save-gif");
  const text = button.textContent;
  button.textContent = "Saving …";
  await new Promise(done => requestAnimationFrame(() => setTimeout(done)));  // until that is seen
  save(drawAnimation(), "gif");
  button.textContent = text;
}

get("save-png").onclick = () => drawRows().toBlob(blob => save(blob, "png"));
get("save-gif").onclick = saveAnimation;
