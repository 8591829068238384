// The possible answers: a button for each class, the label and the suggestion first, and a search.

import { naturalOrder, plain, visible } from "./words.js";

const FEW = 9; // classes that have a key of their own

const $ = (id) => document.getElementById(id);
let names = [];
let order = []; // codes of the classes as they are listed
let buttons = []; // by code

export const isMany = () => names.length > FEW;
export const nameOf = (code) => visible(names[code]) || "(empty)";
export const listed = () => order;
export const buttonOf = (code) => (code === null ? $("skip") : buttons[code]);

// Make the buttons; `choose(code)` is called when one is pressed. True if they are new.
export function setClasses(classes, choose) {
  if (JSON.stringify(classes) === JSON.stringify(names)) return false;
  names = classes;
  order = naturalOrder(classes);
  buttons = [];
  for (const code of order) buttons[code] = classButton(code, choose);
  $("classes").replaceChildren(...order.map((code) => buttons[code]));
  $("filter-label").hidden = $("filter-help").hidden = !isMany();
  $("classes").classList.toggle("many", isMany());
  $("classes").classList.toggle("short", names.every((name) => name.length <= 4));
  return true;
}

function classButton(code, choose) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "class";
  const key = document.createElement("kbd");
  key.dataset.action = `class ${code}`;
  key.hidden = true;
  const name = document.createElement("span");
  const isolated = document.createElement("bdi");
  isolated.textContent = nameOf(code);
  name.append(isolated);
  button.append(key, name, document.createElement("small"));
  button.addEventListener("click", (event) => choose(code, event));
  return button;
}

// Mark label, suggestion and answer of an item on the buttons, and pin the first two above them.
export function markClasses(item, blind) {
  const corrects = item.time !== undefined;
  const label = item.label ?? null;
  const suggested = item.suggested ?? null;
  buttons.forEach((button, code) => {
    const answered = corrects && item.answer === code;
    button.classList.toggle("answered", answered);
    const tags = [];
    if (answered) tags.push("your answer");
    if (label === code && !corrects) tags.push("label now");
    if (suggested === code) tags.push("model");
    button.lastElementChild.textContent = tags.join(" · ");
  });
  $("skip").classList.toggle("answered", corrects && item.answer === null);
  $("labels").hidden = blind || label === null;
  if ($("labels").hidden) return;
  const agree = suggested !== null && suggested === label;
  $("accept").hidden = suggested === null || agree;
  $("label-title").textContent = corrects ? "Label before" : agree ? "Label now; the model agrees" : "Label now";
  setText($("label"), nameOf(label));
  $("agreed").textContent = agree ? (item.percent ?? "") : "";
  if (suggested === null) return;
  setText($("suggested"), nameOf(suggested));
  $("probability").textContent = item.percent ?? "";
}

export function setText(element, text) {
  element.querySelector("bdi").textContent = text;
}

// --- search -----------------------------------------------------------------------------------

// Codes that fit what was typed, the best one first: the same name, its beginning, any part of it.
function matching() {
  const wanted = plain($("filter").value.trim());
  if (!wanted) return [];
  const rank = (code) => {
    const name = plain(names[code]);
    return name === wanted ? 0 : name.startsWith(wanted) ? 1 : 2;
  };
  return order.filter((code) => plain(names[code]).includes(wanted)).sort((a, b) => rank(a) - rank(b));
}

function search() {
  const found = matching();
  const all = !$("filter").value.trim();
  const best = new Set(found.slice(0, 1));
  for (const code of order) {
    buttons[code].hidden = !all && !found.includes(code);
    buttons[code].classList.toggle("first", best.has(code));
  }
  $("matches").textContent = all ? "" : `${found.length} of ${names.length} classes`;
  if (found.length) buttons[found[0]].scrollIntoView({ block: "nearest" });
}

export function clearSearch() {
  if ($("filter-label").hidden) return;
  $("filter").value = "";
  search();
  if (document.activeElement === $("filter")) $("filter").blur();
}

// Let typed letters search; Enter chooses the best match, or does `otherwise` if nothing is typed.
export function startSearch(choose, otherwise) {
  $("filter").addEventListener("input", search);
  $("filter").addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.repeat || event.isComposing) return;
    event.preventDefault();
    if (!$("filter").value.trim()) otherwise();
    else if (matching().length) choose(matching()[0]);
  });
}
