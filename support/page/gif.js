// Animated GIFs in 32 greys, as https://www.w3.org/Graphics/GIF/spec-gif89a.txt describes them.

const GREY_BITS = 5;
const GREYS = 2 ** GREY_BITS;
const MAX_CODE_BITS = 12;
const MAX_CODES = 2 ** MAX_CODE_BITS;

const asciiBytes = text => [...text].map(letter => letter.charCodeAt(0));
const twoBytes = number => [number % 256, Math.floor(number / 256)];

// LZW: each code stands for a run of pixels. When the code of a run is written, the run and the
// pixel after it get a code of their own. Codes grow by a bit when their number needs it.
function compress(pixels) {
  const clear = GREYS;
  const end = GREYS + 1;
  const codes = new Uint16Array(MAX_CODES * GREYS);  // of a run and the pixel after it; 0: none
  const bytes = [];
  let bits = 0;  // that are not yet in bytes
  let bitCount = 0;
  let codeBits;
  let newCode;

  function write(code) {
    bits |= code << bitCount;
    bitCount += codeBits;
    while (bitCount >= 8) {
      bytes.push(bits & 255);
      bits >>= 8;
      bitCount -= 8;
    }
  }

  function writeRun(code) {
    write(code);
    if (newCode === 2 ** codeBits && codeBits < MAX_CODE_BITS) codeBits++;
  }

  function forgetCodes() {
    codes.fill(0);
    codeBits = GREY_BITS + 1;
    newCode = GREYS + 2;
  }

  forgetCodes();
  write(clear);
  let run = pixels[0];
  for (const pixel of pixels.subarray(1)) {
    const longer = run * GREYS + pixel;
    if (codes[longer]) {
      run = codes[longer];
      continue;
    }
    writeRun(run);
    if (newCode < MAX_CODES) {
      codes[longer] = newCode++;
    } else {
      write(clear);
      forgetCodes();
    }
    run = pixel;
  }
  writeRun(run);
  write(end);
  if (bitCount > 0) bytes.push(bits);
  return bytes;
}

// A picture (an ImageData of greys) as bytes; it is shown for a time, in hundredths of a second.
function encodePicture({ width, height, data }, time) {
  const pixels = new Uint8Array(width * height);
  for (let i = 0; i < pixels.length; i++) pixels[i] = Math.round(data[4 * i] / 255 * (GREYS - 1));
  const compressed = compress(pixels);
  const bytes = [
    ...[0x21, 0xf9, 4, 0, ...twoBytes(time), 0, 0],
    ...[0x2c, 0, 0, 0, 0, ...twoBytes(width), ...twoBytes(height), 0],
    GREY_BITS,
  ];
  for (let i = 0; i < compressed.length; i += 255) {
    const part = compressed.slice(i, i + 255);
    bytes.push(part.length, ...part);
  }
  bytes.push(0);
  return { width, height, bytes: Uint8Array.from(bytes) };
}

// A Blob of pictures, all of one size, as encodePicture returns them.
function makeGif(pictures) {
  const { width, height } = pictures[0];
  const greys = Array.from({ length: GREYS }, (_, i) => Math.round(255 * i / (GREYS - 1)));
  const head = [
    ...asciiBytes("GIF89a"),
    ...[...twoBytes(width), ...twoBytes(height)],
    ...[0x80 + GREY_BITS - 1, 0, 0],  // it has a palette
    ...greys.flatMap(grey => [grey, grey, grey]),
    ...[0x21, 0xff, 11, ...asciiBytes("NETSCAPE2.0"), 3, 1, 0, 0, 0],  // it plays for ever
  ];
  const bodies = pictures.map(picture => picture.bytes);
  return new Blob([Uint8Array.from(head), ...bodies, Uint8Array.of(0x3b)], { type: "image/gif" });
}
