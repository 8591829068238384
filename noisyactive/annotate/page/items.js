// What there is to look at: one image in the viewer, or parts: images, text, tables and plots.
// Whatever comes from the data gets into the page as text, never as markup.

import { fetchImage, getJson } from "./server.js";
import * as viewer from "./viewer.js";

const SVG = "http://www.w3.org/2000/svg";
const stage = document.getElementById("stage");
const parts = make("div", { id: "parts", className: "parts", tabIndex: 0, hidden: true });
parts.setAttribute("role", "group");
parts.setAttribute("aria-label", "What there is to look at");
const all = make("button", { id: "all-parts", type: "button", className: "all-parts", hidden: true }, "Show all");
stage.after(parts);
stage.parentElement.append(all);
all.addEventListener("click", () => enlarge(null));
all.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  event.stopPropagation(); // it leaves no correction
  enlarge(null);
});

let kind = "image"; // whether an item is one image, or made of parts

export function setKind(shows) {
  kind = shows;
}

// Fetch an item: {url, width, height, element} of a single image, or {parts}, decoded.
export async function fetchLook(row) {
  if (kind !== "parts") return fetchPicture(`/api/images/${row}`);
  const found = (await getJson(`/api/items/${row}`)).parts;
  const loaded = found.map(async (part, number) => {
    if (part.kind !== "image") return part;
    try {
      return { ...part, ...(await fetchPicture(`/api/images/${row}?part=${number}`)) };
    } catch (error) {
      if (error.again) throw error; // the server is away: all will be fetched anew
      return { ...part, error: error.message };
    }
  });
  return { parts: await Promise.all(loaded) };
}

export async function fetchPicture(url) {
  const picture = await fetchImage(url);
  picture.element = new Image();
  picture.element.src = picture.url;
  try {
    await picture.element.decode();
  } catch (error) {
    URL.revokeObjectURL(picture.url);
    throw error;
  }
  return picture;
}

// Let go of an item's images.
export function release(look) {
  for (const { url } of look.parts ?? [look]) if (url) URL.revokeObjectURL(url);
}

// Show an item that was fetched.
export async function show(look) {
  const found = look.parts ?? [{ kind: "image", title: "", ...look }];
  const images = found.filter((part) => part.url);
  const single = images.length === 1 ? images[0] : null; // it can be zoomed at once
  if (single) viewer.show(single);
  else viewer.clear();
  const others = single && !single.title ? found.filter((part) => part !== single) : found;
  const drawn = others.map((part) => (part === single ? drawTitle(part) : draw(part))).filter(Boolean);
  parts.replaceChildren(...drawn);
  parts.scrollTop = 0;
  parts.classList.toggle("several", images.length > 1);
  parts.classList.toggle("below", single !== null);
  parts.hidden = drawn.length === 0;
  stage.hidden = single === null;
  all.hidden = true;
  await Promise.all([...parts.querySelectorAll("img")].map((image) => image.decode()));
}

// Show words instead of an item, and perhaps its name.
export function showText(text, name = "") {
  clear();
  viewer.showText(text, name);
}

export function clear() {
  parts.hidden = all.hidden = true;
  parts.replaceChildren();
  stage.hidden = false;
  viewer.clear();
}

// Look at one of several images alone, where it can be zoomed; null goes back to all.
function enlarge(part) {
  if (part) viewer.show(part);
  else viewer.clear();
  parts.hidden = part !== null;
  stage.hidden = all.hidden = part === null;
  if (part) all.focus();
  else parts.focus();
}

// Draw an item that was fetched, small, for another place on the page.
export function drawSmall(look) {
  const drawn = (look.parts ?? [{ kind: "image", title: "", ...look }]).map((part) => {
    if (part.kind !== "image") return draw(part);
    if (!part.url) return make("p", { className: "missing" }, part.error);
    const image = make("img", { src: part.url, alt: part.title });
    image.classList.toggle("crisp", Math.max(part.width, part.height) <= 64);
    return image;
  });
  const box = make("div", { className: "small", tabIndex: 0 }, ...drawn); // it may scroll
  box.setAttribute("role", "group");
  box.setAttribute("aria-label", "An example");
  return box;
}

// --- drawing ----------------------------------------------------------------------------------

function draw(part) {
  const drawn = { image: drawImage, text: drawText, table: drawTable, series: drawSeries, missing: drawMissing };
  const box = make("figure", { className: `part ${part.kind}` }, drawn[part.kind](part));
  if (part.title) box.prepend(drawTitle(part));
  return box;
}

function drawTitle({ title }) {
  return title ? make("figcaption", { dir: "auto" }, title) : null;
}

function drawImage(part) {
  if (!part.url) return make("p", { className: "missing" }, `This image cannot be shown. ${part.error}`);
  const image = make("img", { src: part.url, alt: part.title });
  image.classList.toggle("crisp", Math.max(part.width, part.height) <= 64);
  const button = make("button", { type: "button", className: "tile" }, image);
  button.setAttribute("aria-label", `Enlarge ${part.title || "this image"}`);
  button.addEventListener("click", () => enlarge(part));
  return button;
}

function drawMissing() {
  return make("p", { className: "missing" }, "This is missing.");
}

function drawText({ text, cut }) {
  const box = make("div", { className: "words" });
  // Each paragraph has its own direction, also those within one element.
  const lines = text.split("\n");
  const blocks = lines.length > 2000 ? [text] : lines;
  box.append(...blocks.map((line) => make("p", { dir: "auto" }, line || "\u00a0")));
  if (cut) box.append(make("p", { className: "cut" }, "The rest of this long text is left out."));
  return box;
}

function drawTable({ rows, cut }) {
  const body = make("tbody");
  for (const [name, value] of rows) {
    const cell = make("td", { dir: "auto" }, value || "–");
    cell.classList.toggle("empty", !value);
    body.append(make("tr", {}, make("th", { scope: "row", dir: "auto" }, name), cell));
  }
  const table = make("table", {}, body);
  return cut ? make("div", {}, table, make("p", { className: "cut" }, `${cut} more rows are left out.`)) : table;
}

function drawSeries({ n, x, y, low, high }) {
  if (low === null) return make("p", { className: "missing" }, "This series has no values.");
  const [width, height, edge] = [1000, 300, 8];
  const across = (place) => (n > 1 ? (place / (n - 1)) * width : width / 2);
  const down = (value) => (high > low ? edge + ((high - value) / (high - low)) * (height - 2 * edge) : height / 2);
  let pen = "M";
  let path = "";
  y.forEach((value, number) => {
    if (value === null) pen = "M"; // a gap
    else {
      path += `${pen}${across(x[number]).toFixed(1)} ${down(value).toFixed(1)}`;
      pen = y[number + 1] === null || number + 1 === y.length ? "M" : "L";
      if (pen === "M") path += "h.01"; // a value between gaps is a point
    }
  });
  const plot = document.createElementNS(SVG, "svg");
  const facts = { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "img", "aria-label": `${n} values from ${short(low)} to ${short(high)}` };
  for (const [name, value] of Object.entries(facts)) plot.setAttribute(name, value);
  if (low < 0 && high > 0) plot.append(line("zero", `M0 ${down(0)}H${width}`));
  plot.append(line("curve", path));
  const tick = (place, text) => make("span", { className: `tick ${place}` }, text);
  return make("div", { className: "plot" }, plot, tick("high", short(high)), tick("low", short(low)), tick("first", "0"), tick("last", String(n - 1)));
}

function line(name, path) {
  const drawn = document.createElementNS(SVG, "path");
  drawn.setAttribute("class", name);
  drawn.setAttribute("d", path);
  drawn.setAttribute("vector-effect", "non-scaling-stroke");
  return drawn;
}

// An icon of lines, 16 units wide and high.
export function icon(path) {
  const drawn = document.createElementNS(SVG, "svg");
  drawn.setAttribute("viewBox", "0 0 16 16");
  drawn.setAttribute("aria-hidden", "true");
  const lines = document.createElementNS(SVG, "path");
  lines.setAttribute("d", path);
  drawn.append(lines);
  return drawn;
}

function short(value) {
  return String(Number(value.toPrecision(4)));
}

function make(tag, facts = {}, ...content) {
  const element = Object.assign(document.createElement(tag), facts);
  element.append(...content.filter((one) => one !== null));
  return element;
}
