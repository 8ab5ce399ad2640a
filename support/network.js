  // ---- the data

  async function unpack() {
    const text = atob(get("block").textContent), bytes = new Uint8Array(text.length);
    for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    const block = await new Response(stream).arrayBuffer();
    return JSON.parse(get("content").textContent, (key, value) => {
      if (!value?.type) return value;
      const array = new globalThis[value.type](block.slice(value.start, value.start + value.size));
      const scale = value.scale, columns = scale?.length;
      return scale ? Float32Array.from(array).map((x, i) => x * scale[i % columns]) : array;
    });
  }

  const row = (table, i, width) => table.subarray(i * width, (i + 1) * width);
  const image = i => row(images, i, PIXELS), code = i => row(codes, i, SIZE), place = i => row(points, i, 2);

  // ---- the network

  function erf(x) {  // Abramowitz, Stegun 7.1.26; exact to 2e-7
    const t = 1 / (1 + 0.3275911 * Math.abs(x));
    const tail = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
    return Math.sign(x) * (1 - tail * Math.exp(-x * x));
  }

  const ACTIVATIONS = {
    relu: x => x > 0 ? x : 0,
    silu: x => x / (1 + Math.exp(-x)),
    sigmoid: x => 1 / (1 + Math.exp(-x)),
    gelu: x => x * (1 + erf(x * Math.SQRT1_2)) / 2,
  };

  // Adds a convolution of x to y; a dense layer is one of a single pixel. A transposed one goes from
  // the small grid to the large one. The kernel's last axis is the output's: V8 runs along it fast.
  function convolve(layer, x, y, shape) {
    const { kernel, strides = [1, 1], kernel_size: size = [1, 1], padding } = layer;
    const transposed = layer.kind === "Conv2DTranspose", from = shape[2], to = layer.shape[2];
    const [small, large] = transposed ? [shape, layer.shape] : [layer.shape, shape];
    const pad = [0, 1].map(k => padding === "same" ? Math.max((small[k] - 1) * strides[k] + size[k] - large[k], 0) >> 1 : 0);
    for (let r = 0; r < small[0]; r++) for (let c = 0; c < small[1]; c++)
      for (let u = 0; u < size[0]; u++) for (let v = 0; v < size[1]; v++) {
        const R = r * strides[0] + u - pad[0], C = c * strides[1] + v - pad[1];
        if (R < 0 || C < 0 || R >= large[0] || C >= large[1]) continue;
        const here = r * small[1] + c, there = R * large[1] + C;
        const first = (transposed ? here : there) * from, target = (transposed ? there : here) * to;
        let weight = (u * size[1] + v) * from * to;
        for (let i = first; i < first + from; i++, weight += to) {
          const ink = x[i];
          if (ink !== 0) for (let j = 0; j < to; j++) y[target + j] += ink * kernel[weight + j];
        }
      }
  }

  function apply(layer, inputs, shape) {
    const [x] = inputs, y = new Float32Array(layer.shape[0] * layer.shape[1] * layer.shape[2]);
    const channels = layer.shape[2], { bias, factor, size } = layer;
    if (layer.kernel) {
      for (let i = 0; i < y.length; i++) y[i] = bias[i % channels];
      convolve(layer, x, y, shape);
    } else if (factor) {
      for (let i = 0; i < y.length; i++) y[i] = x[i] * factor[i % channels] + bias[i % channels];
    } else if (layer.kind === "UpSampling2D") {
      for (let i = 0; i < y.length; i++) {
        const pixel = Math.floor(i / channels), width = layer.shape[1];
        const r = Math.floor(pixel / width / size[0]), c = Math.floor(pixel % width / size[1]);
        y[i] = x[(r * shape[1] + c) * channels + i % channels];
      }
    } else for (const input of inputs) for (let i = 0; i < y.length; i++) y[i] += input[i];
    const f = ACTIVATIONS[layer.activation];
    if (f) for (let i = 0; i < y.length; i++) y[i] = f(y[i]);
    return y;
  }

  function predict(layers, input) {
    const values = [];
    for (const layer of layers) {
      const inputs = layer.from.length ? layer.from.map(i => values[i]) : [input];
      values.push(apply(layer, inputs, layers[layer.from[0] ?? 0].shape));
    }
    return values.at(-1);
  }

  const encode = x => predict(run.encoder, x), decode = z => predict(run.decoder, z);
  window.explorer = { encode, decode };

  function excess(x, p) {  // cross-entropy above its floor, nats a pixel
    let sum = 0;
    for (let i = 0; i < PIXELS; i++) {
      const q = Math.min(Math.max(p[i], 1e-7), 1 - 1e-7);
      sum += (x[i] > 0 && x[i] * Math.log(x[i] / q)) + (x[i] < 1 && (1 - x[i]) * Math.log((1 - x[i]) / (1 - q)));
    }
    return sum / PIXELS;
  }

  // ---- paths between codes

  const POINTS = 91, FRAMES = 10;  // codes of a path, and frames of it in a row
  const mix = (a, b, t) => a.map((x, i) => (1 - t) * x + t * b[i]);

  function distance(a, b) {
    let sum = 0;
    for (let i = 0; i < a.length; i++) sum += (a[i] - b[i]) ** 2;
    return Math.sqrt(sum);
  }

  function nearest(table, z, most) {  // the numbers of the nearest rows of a table of codes
    const away = new Float32Array(table.length / SIZE);
    for (let i = 0; i < table.length; i++) away[Math.floor(i / SIZE)] += (table[i] - z[i % SIZE]) ** 2;
    return [...Uint16Array.from(away.keys()).sort((i, j) => away[i] - away[j]).subarray(0, most)];
  }

  class Heap {  // of [cost, node]; pop gives the cheapest
    items = [];
    push(item) {
      const heap = this.items;
      let i = heap.length;
      for (let up; i && heap[up = (i - 1) >> 1][0] > item[0]; i = up) heap[i] = heap[up];
      heap[i] = item;
    }
    pop() {
      const heap = this.items, top = heap[0], item = heap.pop();
      let i = 0;
      for (let down; (down = 2 * i + 1) < heap.length; i = down) {
        if (down + 1 < heap.length && heap[down + 1][0] < heap[down][0]) down++;
        if (heap[down][0] >= item[0]) break;
        heap[i] = heap[down];
      }
      if (heap.length) heap[i] = item;
      return top;
    }
  }

  const { nodes, starts, neighbours, price: [long, extra] } = run, node = i => row(nodes, i, SIZE), END = starts.length - 1;
  const cost = (a, b) => distance(a, b) + extra * Math.max(distance(a, b) - long, 0);  // of a hop
  const costs = new Float64Array(neighbours.length);  // of the edges
  for (let i = 0; i < END; i++) for (let k = starts[i]; k < starts[i + 1]; k++)
    costs[k] = cost(node(i), node(neighbours[k]));

  function shortest(a, b) {  // Dijkstra: the codes on the cheapest walk from a to b over the nodes
    const total = new Float64Array(END + 1).fill(Infinity), before = new Int32Array(END + 1), heap = new Heap();
    const goals = new Map(nearest(nodes, b, 8).map(i => [i, cost(node(i), b)]));
    const reach = (i, from, sum) => {
      if (sum < total[i]) { total[i] = sum; before[i] = from; heap.push([sum, i]); }
    };
    const first = nearest(nodes, a, 8);
    for (const i of first) reach(i, -1, cost(a, node(i)));
    if (distance(a, b) < distance(a, node(first.at(-1)))) reach(END, -1, cost(a, b));
    for (;;) {
      const [sum, i] = heap.pop();
      if (i === END) break;
      if (sum > total[i]) continue;
      if (goals.has(i)) reach(END, i, sum + goals.get(i));
      for (let k = starts[i]; k < starts[i + 1]; k++) reach(neighbours[k], i, sum + costs[k]);
    }
    const walk = [b];
    for (let i = before[END]; i >= 0; i = before[i]) walk.push(node(i));
    return [...walk, a].reverse();
  }

  function resample(line, most) {  // points at even distances on a line, its ends among them
    const reached = [0];
    for (let i = 1; i < line.length; i++) reached.push(reached[i - 1] + Math.max(distance(line[i - 1], line[i]), 1e-9));
    let i = 0;
    return Array.from({ length: most }, (_, k) => {
      const at = reached.at(-1) * k / (most - 1);
      while (i < line.length - 2 && reached[i + 1] < at) i++;
      return mix(line[i], line[i + 1], Math.min((at - reached[i]) / (reached[i + 1] - reached[i]), 1));
    });
  }

  function smooth(line, rounds) {  // each round replaces a point by half of itself and half of its neighbours
    for (; rounds > 0; rounds--)
      line = line.map((z, k) => k % (line.length - 1) ? z.map((x, i) => x / 2 + (line[k - 1][i] + line[k + 1][i]) / 4) : z);
    return line;
  }

  const PATHS = {
    linear: (a, b) => resample([a, b], POINTS),
    geodesic: (a, b) => resample(smooth(resample(shortest(a, b), 61), 9), POINTS),
  };
  window.explorer.paths = PATHS;  // for the tests

  // ---- principal components of the test images' codes

  const mean = new Float32Array(SIZE), variances = run.axes.map(() => 0);
  codes.forEach((x, i) => mean[i % SIZE] += x / count);
  const along = (z, k) => run.axes[k].reduce((sum, x, i) => sum + x * (z[i] - mean[i]), 0);
  for (let i = 0; i < count; i++) variances.forEach((_, k) => variances[k] += along(code(i), k) ** 2 / count);
  const variance = codes.reduce((sum, x, i) => sum + (x - mean[i % SIZE]) ** 2 / count, 0);

  // ---- a drawing as an image

  const PEN = 3.2, INK_SIZE = 23.5, FINE = 8;  // pixels of an image; on the sheet it has FINE times as many

  function drawStrokes(context, strokes, width) {  // strokes are lists of [x, y]
    Object.assign(context, { lineWidth: width, lineCap: "round", lineJoin: "round" });
    for (const stroke of strokes) {
      context.beginPath();
      context.moveTo(...stroke[0]);
      for (const dot of stroke) context.lineTo(...dot);
      context.stroke();
    }
  }

  function toImage(strokes, width) {  // in EMNIST's form: cropped, centred, with a margin, soft, its darkest ink 1
    const edges = [0, 1].map(k => strokes.flat().map(dot => dot[k])).map(values => [Math.min(...values), Math.max(...values)]);
    const scale = (INK_SIZE - PEN) / Math.max(...edges.map(([least, most]) => most - least), width / 8);
    const corner = edges.map(([least, most]) => FINE * (SIDE - scale * (least + most)) / 2), size = SIDE * FINE;
    const context = Object.assign(document.createElement("canvas"), { width: size, height: size }).getContext("2d");
    context.setTransform(FINE * scale, 0, 0, FINE * scale, ...corner);
    drawStrokes(context, strokes, PEN / scale);  // lines as thick as EMNIST's, however large the drawing is
    const { data } = context.getImageData(0, 0, size, size);
    let x = new Float32Array(PIXELS);
    for (let r = 0; r < size; r++) for (let c = 0; c < size; c++)
      x[Math.floor(r / FINE) * SIDE + Math.floor(c / FINE)] += data[4 * (r * size + c) + 3];
    for (const side of [1, SIDE]) x = x.map((ink, i) => ((x[i - side] || 0) + 2 * ink + (x[i + side] || 0)) / 4);
    const darkest = Math.max(...x);
    return x.map(ink => ink / darkest);
  }
