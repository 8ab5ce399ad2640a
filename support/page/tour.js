// The tour: a box that goes from part to part of the page, and says what is there and what to try.

const TOUR = [
  {
    part: "code-part",
    text: `The encoder turns an image into ${CODE_SIZE} numbers, and from these alone the ` +
      "decoder draws it again. A little is lost.",
    task: `Drag one of the ${CODE_SIZE} bars up or down: what changes?`,
  },
  {
    part: "morph-part",
    text: "The straight line mixes the numbers of A and B. Half-way it shows a ghost, which is " +
      "neither of them.",
    task: "Move the slider slowly from end to end.",
  },
  {
    part: "map-part",
    text: "The geodesic goes round the ghost, from letter to letter, because there is nothing " +
      "between them.",
    task: "The morph is playing: follow its line on the map.",
    isPlaying: true,
  },
  {
    part: "draw-part",
    text: `Your own writing becomes ${CODE_SIZE} numbers, too. It lands on the map among its kind.`,
    task: "Draw a character, then press “Use as B”.",
  },
  {
    part: "code-part",
    text: "In some directions of the numbers, one thing changes and the character stays.",
    task: `Move the slider “${content.directions[0]?.name}”.`,
  },
];
if (directions.length === 0) TOUR.pop();

const tour = get("tour");
let tourStep = null;  // null: the tour is closed

function showStep(number) {
  const { part, text, task, isPlaying } = TOUR[number];
  const isLast = number === TOUR.length - 1;
  tourStep = number;
  get(part).append(tour);
  tour.hidden = false;
  get("path").value = "both";
  showPaths();
  get("tour-name").textContent = `Tour, ${number + 1} of ${TOUR.length}`;
  get("tour-text").textContent = text;
  get("tour-task").textContent = task;
  get("tour-back").disabled = number === 0;
  get("tour-next").textContent = isLast ? "Done" : "Next";
  get(part).scrollIntoView();
  if (isPlaying && get("play").textContent === "Play") get("play").click();
}

function closeTour() {
  tourStep = null;
  tour.hidden = true;
  get("start-tour").focus({ preventScroll: true });
  noteChange();
}

function goOn(steps) {
  const number = tourStep + steps;
  if (number === TOUR.length) return closeTour();
  showStep(number);
  get("tour-next").focus({ preventScroll: true });  // it was lost when the box moved
}

get("start-tour").onclick = () => {
  tourStep = -1;
  goOn(1);
};
get("tour-back").onclick = () => goOn(-1);
get("tour-next").onclick = () => goOn(1);
get("tour-close").onclick = closeTour;
tour.onkeydown = event => {
  if (event.key === "Escape") closeTour();
};
