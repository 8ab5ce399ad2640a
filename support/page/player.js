// Plays a slider back and forth. It slows down near the ends, and rests there.

const REST = 900;  // milliseconds at each end

// travel: milliseconds from end to end. show: is called when the slider has moved.
function connectPlayer(slider, button, travel, show) {
  const last = Number(slider.max);
  let began;  // when the slider left its first frame
  let request = null;  // the next frame of the animation; null at rest

  function tick(now) {
    const time = (now - began) % (2 * (travel + REST));
    const forward = time < travel + REST;
    const travelled = forward ? time : 2 * travel + REST - time;
    const share = Math.min(Math.max(travelled / travel, 0), 1);
    const position = Math.round(last * (1 - Math.cos(Math.PI * share)) / 2);
    if (position !== Number(slider.value)) {
      slider.value = position;
      show();
    }
    request = requestAnimationFrame(tick);
  }

  function play() {
    const share = Math.acos(1 - 2 * slider.value / last) / Math.PI;
    began = performance.now() - travel * share;
    button.textContent = "Pause";
    request = requestAnimationFrame(tick);
  }

  function pause() {
    cancelAnimationFrame(request);
    button.textContent = "Play";
    request = null;
  }

  button.onclick = () => request === null ? play() : pause();
  slider.oninput = () => {
    pause();
    show();
  };
}
