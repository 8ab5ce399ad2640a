// The network: encode and decode run the layers that the page carries.

const ACTIVATIONS = {
  linear: x => x,
  relu: x => Math.max(x, 0),
  silu: x => x / (1 + Math.exp(-x)),
  sigmoid: x => 1 / (1 + Math.exp(-x)),
};
const MIN_PROBABILITY = 1e-7;

// Adds to one pixel of y what a pixel of x gives it, in all channels. From, to and weight are the
// places of the first numbers; the kernel's last axis is the output's.
function addPixel(x, from, inputs, y, to, outputs, kernel, weight) {
  let i = 0;
  for (; i + 4 <= inputs; i += 4) {
    addFourInputs(x, from + i, y, to, outputs, kernel, weight + i * outputs);
  }
  for (; i < inputs; i++) {
    const value = x[from + i];
    const start = weight + i * outputs;
    for (let j = 0; j < outputs; j++) y[to + j] += value * kernel[start + j];
  }
}

// 1.7 times as fast as one by one: a number of y is read and written once for four products.
function addFourInputs(x, from, y, to, outputs, kernel, weight) {
  const value0 = x[from];
  const value1 = x[from + 1];
  const value2 = x[from + 2];
  const value3 = x[from + 3];
  const start1 = weight + outputs;
  const start2 = start1 + outputs;
  const start3 = start2 + outputs;
  for (let j = 0; j < outputs; j++) {
    y[to + j] += value0 * kernel[weight + j] + value1 * kernel[start1 + j]
      + value2 * kernel[start2 + j] + value3 * kernel[start3 + j];
  }
}

// Adds a convolution of x to y. A dense layer is one of a single pixel. A convolution reads from
// the large grid of pixels, a transposed one writes to it.
function convolve(layer, x, y) {
  const { kernel, kernel_size: kernelSize, strides } = layer;
  const transposed = layer.kind === "Conv2DTranspose";
  const small = transposed ? layer.input_shape : layer.shape;
  const large = transposed ? layer.shape : layer.input_shape;
  const inputs = layer.input_shape[2];
  const outputs = layer.shape[2];

  function padding(axis) {  // pixels before the first; none if Keras calls the padding "valid"
    const covered = (small[axis] - 1) * strides[axis] + kernelSize[axis];
    return Math.floor(Math.max(covered - large[axis], 0) / 2);
  }

  const top = padding(0);
  const left = padding(1);
  for (let line = 0; line < small[0]; line++) {
    for (let column = 0; column < small[1]; column++) {
      for (let down = 0; down < kernelSize[0]; down++) {
        for (let right = 0; right < kernelSize[1]; right++) {
          const largeLine = line * strides[0] + down - top;
          const largeColumn = column * strides[1] + right - left;
          if (largeLine < 0 || largeLine >= large[0]) continue;
          if (largeColumn < 0 || largeColumn >= large[1]) continue;
          const smallPixel = line * small[1] + column;
          const largePixel = largeLine * large[1] + largeColumn;
          const from = (transposed ? smallPixel : largePixel) * inputs;
          const to = (transposed ? largePixel : smallPixel) * outputs;
          const weight = (down * kernelSize[1] + right) * inputs * outputs;
          addPixel(x, from, inputs, y, to, outputs, kernel, weight);
        }
      }
    }
  }
}

function apply(layer, x) {
  const [height, width, channels] = layer.shape;
  const y = new Float32Array(height * width * channels);
  if (layer.kernel) {
    for (let i = 0; i < y.length; i += channels) y.set(layer.bias, i);
    convolve(layer, x, y);
  } else if (layer.factor) {  // batch normalization
    for (let i = 0; i < y.length; i++) {
      y[i] = x[i] * layer.factor[i % channels] + layer.bias[i % channels];
    }
  } else {  // the numbers stay, only their shape changes
    y.set(x);
  }
  return y.map(ACTIVATIONS[layer.activation]);
}

const predict = (layers, input) => layers.reduce((x, layer) => apply(layer, x), input);
const encode = x => predict(content.encoder, x);
const decode = z => predict(content.decoder, z);
window.explorer = { encode, decode };

function excess(x, reconstruction) {  // cross-entropy above its floor, in nats a pixel
  let sum = 0;
  for (let i = 0; i < PIXELS; i++) {
    const p = Math.min(Math.max(reconstruction[i], MIN_PROBABILITY), 1 - MIN_PROBABILITY);
    if (x[i] > 0) sum += x[i] * Math.log(x[i] / p);
    if (x[i] < 1) sum += (1 - x[i]) * Math.log((1 - x[i]) / (1 - p));
  }
  return sum / PIXELS;
}
