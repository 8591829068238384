// The image: zoom, move, brightness and contrast. It knows nothing of labels.

const stage = document.getElementById("stage");
let image = document.getElementById("image");
const noImage = document.getElementById("no-image");
const tools = document.getElementById("tools");
const zoomText = document.getElementById("zoom");
const brightness = document.getElementById("brightness");
const contrast = document.getElementById("contrast");
const sizeText = document.getElementById("size");
const toggle = document.getElementById("tools-toggle");
const resetButton = document.getElementById("reset");

const MAX_ZOOM = 32;
const CRISP_FROM = 3; // screen pixels for one of the image: from here on, show them as squares

let zoom = 1; // 1: the whole image fits
let x = 0; // of the image's centre from the stage's, in screen pixels
let y = 0;
let shrunk = 1; // pixels sent for one of the original
const pointers = new Map();

// Show an image that is decoded: its element, and the size of the original in pixels.
export function show({ element, width, height }) {
  exchange(element);
  shrunk = image.naturalWidth / width;
  sizeText.textContent = `${width} × ${height}${shrunk < 1 ? ", reduced" : ""}`;
  zoom = 1;
  x = y = 0;
  image.hidden = false;
  noImage.hidden = true;
  tools.hidden = toggle.hidden = false;
  draw();
}

function exchange(element) {
  element.id = "image";
  element.alt = image.alt;
  element.draggable = false;
  image.replaceWith(element);
  image = element;
}

// Show words where the image would be: a name to look the item up by, or what is wrong.
export function showText(text, name = "") {
  clear();
  const [big, small] = ["span", "small"].map((tag) => document.createElement(tag));
  big.textContent = name || text;
  small.textContent = name && text;
  noImage.replaceChildren(big, small);
  noImage.classList.toggle("big", name !== "");
  noImage.hidden = false;
}

export function clear() {
  exchange(new Image());
  image.hidden = noImage.hidden = tools.hidden = toggle.hidden = true;
}

export function describe(text) {
  image.alt = text;
}

export function zoomBy(factor, atX = 0, atY = 0) {
  const before = zoom;
  zoom = Math.min(MAX_ZOOM, Math.max(1, zoom * factor));
  x = atX - ((atX - x) * zoom) / before; // what is under the pointer stays there
  y = atY - ((atY - y) * zoom) / before;
  draw();
}

// Move the view; false if there is nothing to move.
export function moveBy(right, down) {
  if (image.hidden || zoom === 1) return false;
  x += right;
  y += down;
  draw();
  return true;
}

export function adjust(slider, step) {
  const input = slider === "contrast" ? contrast : brightness;
  input.value = Number(input.value) + step;
  draw();
}

export function reset() {
  zoom = 1;
  x = y = 0;
  brightness.value = contrast.value = 100;
  draw();
}

function draw() {
  if (image.hidden) return;
  const { clientWidth: width, clientHeight: height } = stage;
  const scale = zoom * Math.min(width / image.naturalWidth, height / image.naturalHeight);
  const shownWidth = image.naturalWidth * scale;
  const shownHeight = image.naturalHeight * scale;
  const freeX = Math.max(0, (shownWidth - width) / 2);
  const freeY = Math.max(0, (shownHeight - height) / 2);
  x = Math.min(freeX, Math.max(-freeX, x));
  y = Math.min(freeY, Math.max(-freeY, y));
  image.style.width = `${shownWidth}px`;
  image.style.height = `${shownHeight}px`;
  image.style.transform = `translate(calc(-50% + ${x}px), calc(-50% + ${y}px))`;
  image.style.filter =
    brightness.value === "100" && contrast.value === "100"
      ? "none"
      : `brightness(${brightness.value}%) contrast(${contrast.value}%)`;
  image.classList.toggle("crisp", scale >= CRISP_FROM);
  stage.classList.toggle("zoomed", zoom > 1);
  zoomText.textContent = `${Math.round(scale * shrunk * 100)} %`;
  const asItIs = zoom === 1 && brightness.value === "100" && contrast.value === "100";
  resetButton.setAttribute("aria-disabled", asItIs);
}

function fromCentre(event) {
  const box = stage.getBoundingClientRect();
  return [event.clientX - box.left - box.width / 2, event.clientY - box.top - box.height / 2];
}

function distance() {
  const [a, b] = [...pointers.values()];
  return Math.hypot(a[0] - b[0], a[1] - b[1]);
}

stage.addEventListener(
  "wheel",
  (event) => {
    if (image.hidden) return;
    event.preventDefault();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 33 : 1;
    zoomBy(Math.exp(-Math.max(-200, Math.min(200, event.deltaY * lines)) / 400), ...fromCentre(event));
  },
  { passive: false },
);
stage.addEventListener("pointerdown", (event) => {
  if (image.hidden || event.button !== 0) return;
  pointers.set(event.pointerId, fromCentre(event));
  if (zoom > 1 || pointers.size > 1) stage.setPointerCapture(event.pointerId);
});
stage.addEventListener("pointermove", (event) => {
  if (!pointers.has(event.pointerId)) return;
  const [oldX, oldY] = pointers.get(event.pointerId);
  const apart = pointers.size === 2 ? distance() : 0;
  const [newX, newY] = fromCentre(event);
  pointers.set(event.pointerId, [newX, newY]);
  if (pointers.size === 2 && apart > 0) {
    const [a, b] = [...pointers.values()];
    zoomBy(distance() / apart, (a[0] + b[0]) / 2, (a[1] + b[1]) / 2);
  } else if (pointers.size === 1) {
    moveBy(newX - oldX, newY - oldY);
  }
});
for (const kind of ["pointerup", "pointercancel", "pointerleave"]) {
  stage.addEventListener(kind, (event) => pointers.delete(event.pointerId));
}
stage.addEventListener("dblclick", (event) => zoomBy(zoom > 1 ? 1 / zoom : 3, ...fromCentre(event)));
toggle.addEventListener("click", () => {
  toggle.setAttribute("aria-expanded", document.body.classList.toggle("with-tools"));
});
document.getElementById("zoom-in").addEventListener("click", () => zoomBy(1.4));
document.getElementById("zoom-out").addEventListener("click", () => zoomBy(1 / 1.4));
resetButton.addEventListener("click", reset);
brightness.addEventListener("input", draw);
contrast.addEventListener("input", draw);
new ResizeObserver(draw).observe(stage);
