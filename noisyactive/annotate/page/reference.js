// The guideline, and typical examples of each class, one key away.
// The guideline comes as a tree; each element is made here, and no markup is ever parsed.

import * as items from "./items.js";

const TAGS = new Set("h1 h2 h3 h4 h5 h6 p ul ol li blockquote pre code em strong s hr br a table thead tbody tr th td".split(" "));
const $ = (id) => document.getElementById(id);

let page = null; // {getJson, nameOf, getState}: what the page lends
let looks = []; // items whose images are shown
const dialog = make("dialog", { id: "reference", className: "panel-dialog reference" });
dialog.setAttribute("aria-labelledby", "reference-title");
const button = make("button", { id: "reference-button", type: "button", className: "quiet" });
const key = make("kbd");
key.dataset.action = "guide";
button.append(items.icon("M8 4C6 2.5 3.5 2.5 1.5 3v9.5c2-.5 4.5-.5 6.5 1 2-1.5 4.5-1.5 6.5-1V3c-2-.5-4.5-.5-6.5 1zM8 4v9.5"), make("span", {}, "Guide"), key);
button.setAttribute("aria-label", "Guideline and examples");
document.body.append(dialog);
$("help-button").before(button);
button.addEventListener("click", () => open());
dialog.addEventListener("close", forget);
dialog.addEventListener("keydown", (event) => {
  if (event.key.toLowerCase() !== "g" || event.metaKey || event.ctrlKey || event.altKey) return;
  event.preventDefault();
  event.stopPropagation(); // else the page, which sees no dialog any more, opens it again
  dialog.close();
});

export function connect(lent) {
  page = lent;
}

export async function open() {
  if (!page.getState() || dialog.open) return;
  const close = make("button", { type: "button", className: "main" }, "Close");
  close.addEventListener("click", () => dialog.close());
  const content = make("div", { className: "scroller", tabIndex: 0 }, make("p", {}, "Loading …"));
  content.setAttribute("role", "group");
  content.setAttribute("aria-label", "Guideline and examples");
  dialog.replaceChildren(make("h2", { id: "reference-title" }, "Guideline and examples"), content, make("div", { className: "buttons" }, close));
  dialog.showModal();
  try {
    const { guideline, classes } = await page.getJson("/api/reference");
    content.replaceChildren();
    if (guideline.length) content.append(make("article", { className: "guideline", dir: "auto" }, ...guideline.map(build)));
    content.append(make("h3", {}, "Typical examples"));
    const filled = classes.filter(({ examples }) => examples.length);
    if (!filled.length) content.append(make("p", {}, "There are none yet: they come from the items that people have answered."));
    await Promise.all(filled.map((one) => drawClass(one, content)));
  } catch (error) {
    content.replaceChildren(make("p", { className: "missing" }, error.message));
  }
}

async function drawClass({ code, examples }, content) {
  const row = make("div", { className: "examples" });
  content.append(make("section", {}, make("h4", {}, make("bdi", {}, page.nameOf(code))), row));
  for (const example of examples) {
    const figure = make("figure");
    row.append(figure);
    try {
      const look = await fetchExample(code, example);
      if (!dialog.open) return items.release(look);
      looks.push(look);
      figure.append(items.drawSmall(look));
    } catch (error) {
      figure.append(make("p", { className: "missing" }, error.message));
    }
    const sure = example.probability ? `verified; model ${Math.round(100 * example.probability)} %` : "verified";
    if (example.row !== undefined) figure.append(make("figcaption", {}, sure));
  }
}

function fetchExample(code, { row, number }) {
  return row === undefined ? items.fetchPicture(`/api/examples/${code}/${number}`) : items.fetchLook(row);
}

function forget() {
  looks.forEach(items.release);
  looks = [];
  dialog.replaceChildren();
}

function build(node) {
  if (typeof node === "string") return document.createTextNode(node);
  if (!TAGS.has(node.tag)) return make("span", {}, ...node.children.map(build));
  const level = /^h[1-6]$/.test(node.tag) ? `h${Math.min(6, Number(node.tag[1]) + 2)}` : node.tag;
  const element = make(level, {}, ...node.children.map(build));
  if (node.tag === "a" && /^(https?|mailto):/i.test(node.href ?? "")) {
    Object.assign(element, { href: node.href, target: "_blank", rel: "noopener noreferrer" });
  }
  if (node.tag === "ol" && node.start !== undefined) element.start = node.start;
  return element;
}

function make(tag, facts = {}, ...content) {
  const element = Object.assign(document.createElement(tag), facts);
  element.append(...content);
  return element;
}
