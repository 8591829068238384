// The keyboard: which key does what, and the dialog in which that is changed.

import { isMany, listed, nameOf } from "./classes.js";
import { store } from "./store.js";
import * as viewer from "./viewer.js";

const $ = (id) => document.getElementById(id);

// Keys with few classes, and with many, where letters and digits search for a class.
const ACTIONS = {
  accept: ["Accept the model's suggestion", "Enter", "Enter"],
  keep: ["Keep the label", "k", " "],
  skip: ["Cannot tell", "s", "."],
  undo: ["Undo, or change my last answer", "u", "Backspace"],
  comment: ["Comment", "c", ","],
  reset: ["Reset the view", "0", "Home"],
};
const VIEW = {
  "+": () => viewer.zoomBy(1.4),
  "=": () => viewer.zoomBy(1.4),
  "-": () => viewer.zoomBy(1 / 1.4),
  "[": () => viewer.adjust("brightness", -10),
  "]": () => viewer.adjust("brightness", 10),
  "{": () => viewer.adjust("contrast", -10),
  "}": () => viewer.adjust("contrast", 10),
  ArrowLeft: () => viewer.moveBy(60, 0),
  ArrowRight: () => viewer.moveBy(-60, 0),
  ArrowUp: () => viewer.moveBy(0, 60),
  ArrowDown: () => viewer.moveBy(0, -60),
};
const FIXED = new Set([...Object.keys(VIEW), "?", "/", "Escape", "Tab", "Shift", "Control", "Alt", "AltGraph", "Meta"]);
const SHOWN = { " ": "Space", Backspace: "⌫", Enter: "↵" };

let run = "";
let keys = {}; // action -> key
let waitsFor = null; // the action that is given a key in the dialog
let byPointer = false; // whether the focus was last moved by a pointer

const normal = (key) => (key.length === 1 ? key.toLowerCase() : key);
const written = (key) => SHOWN[key] ?? (key.length === 1 ? key.toUpperCase() : key);

function usualKeys() {
  const usual = Object.fromEntries(Object.entries(ACTIONS).map(([action, [, few, many]]) => [action, isMany() ? many : few]));
  if (!isMany()) listed().forEach((code, place) => (usual[`class ${code}`] = String(place + 1)));
  return usual;
}

// Take the keys that were assigned for this run, else the usual ones, and write them on the page.
export function setKeys(ofRun) {
  run = ofRun;
  try {
    keys = { ...usualKeys(), ...JSON.parse(store.get(`keys ${run}`) ?? "{}") };
  } catch {
    keys = usualKeys();
  }
  showKeys();
}

function showKeys() {
  for (const hint of document.querySelectorAll("kbd[data-action]")) {
    const key = keys[hint.dataset.action];
    hint.hidden = !key;
    hint.textContent = key ? written(key) : "";
    const owner = hint.closest("button, label");
    const control = owner?.tagName === "LABEL" ? owner.querySelector("textarea") : owner;
    if (key) control?.setAttribute("aria-keyshortcuts", key === " " ? "Space" : key);
    else control?.removeAttribute("aria-keyshortcuts");
  }
  $("number-help").hidden = isMany();
  $("search-help").hidden = !isMany();
}

// --- the dialog -------------------------------------------------------------------------------

function rowOf(action, text) {
  const row = document.createElement("tr");
  const name = document.createElement("th");
  name.scope = "row";
  const isolated = document.createElement("bdi");
  isolated.textContent = text;
  name.append(isolated);
  const button = document.createElement("button");
  button.type = "button";
  button.dataset.action = action;
  button.addEventListener("click", () => listen(action));
  const cell = document.createElement("td");
  cell.append(button);
  row.append(name, cell);
  return row;
}

function openDialog() {
  const rows = Object.entries(ACTIONS).map(([action, [text]]) => rowOf(action, text));
  for (const code of listed()) rows.push(rowOf(`class ${code}`, nameOf(code)));
  $("key-rows").replaceChildren(...rows);
  $("key-told").textContent = "";
  showButtons();
  $("help").close();
  $("keys-dialog").showModal();
}

function showButtons() {
  for (const button of $("key-rows").querySelectorAll("button")) {
    const { action } = button.dataset;
    const key = action === waitsFor ? "press a key" : keys[action] ? written(keys[action]) : "none";
    button.textContent = key;
    button.setAttribute("aria-label", `${button.closest("tr").firstElementChild.textContent}: ${key}`);
  }
}

function listen(action) {
  waitsFor = action;
  $("key-told").textContent = "Press the key. Escape leaves it as it was, Delete takes it away.";
  showButtons();
}

function assign(key) {
  const action = waitsFor;
  waitsFor = null;
  if (key === "Escape") $("key-told").textContent = "";
  else if (FIXED.has(key)) $("key-told").textContent = `${written(key)} cannot be assigned.`;
  else {
    const before = Object.keys(keys).find((other) => keys[other] === key && other !== action);
    if (before) keys[before] = null;
    keys[action] = key === "Delete" ? null : key;
    $("key-told").textContent = before ? `${written(key)} had another use, which now has no key.` : "";
    store.set(`keys ${run}`, JSON.stringify(keys));
    showKeys();
  }
  showButtons();
}

$("keys-button").addEventListener("click", openDialog);
$("keys-close").addEventListener("click", () => $("keys-dialog").close());
$("keys-usual").addEventListener("click", () => {
  store.remove(`keys ${run}`);
  waitsFor = null;
  setKeys(run);
  $("key-told").textContent = "All keys are as they were at first.";
  showButtons();
});
$("keys-dialog").addEventListener("close", () => (waitsFor = null));
$("keys-dialog").addEventListener("keydown", (event) => {
  if (waitsFor === null || event.key === "Tab" || ["Shift", "Control", "Alt", "AltGraph", "Meta"].includes(event.key)) return;
  event.preventDefault();
  event.stopPropagation();
  assign(normal(event.key));
});

// --- pressed keys -----------------------------------------------------------------------------

// `act(action)` does what a key means; "escape" and "help" come without being assigned.
export function startKeys(act) {
  document.addEventListener("pointerdown", () => (byPointer = true), true);
  document.addEventListener("keydown", (event) => onKey(event, act));
}

function onKey(event, act) {
  if (event.key === "Tab") byPointer = false;
  if (document.querySelector("dialog[open]") || event.isComposing) return;
  const target = event.target;
  const typing = target.matches("textarea, input[type=text]");
  if (event.key === "Escape") {
    act("escape", target);
    return;
  }
  const altGraph = event.getModifierState("AltGraph"); // brackets on many keyboards
  if (typing || !$("shortcuts").checked || event.metaKey || (!altGraph && (event.ctrlKey || event.altKey))) return;
  const key = normal(event.key);
  const pressing = key === "Enter" || key === " ";
  if (pressing && !byPointer && target.matches("button, a, input, summary")) return; // it presses that
  if (target.matches("input[type=range]") && key.startsWith("Arrow")) return;
  const action = Object.keys(keys).find((name) => keys[name] === key);
  if (action === "reset") viewer.reset();
  else if (action !== undefined) {
    if (!event.repeat) act(action); // a key that is held down answers once
  } else if (key === "?") {
    if (!event.repeat) act("help");
  } else if (Object.hasOwn(VIEW, key)) {
    if (VIEW[key]() === false) return;
  } else if (isMany() && !$("panel").hidden && (key === "/" || /^[\p{L}\p{N}]$/u.test(key))) {
    $("filter").focus(); // where the letter goes, too
    if (key !== "/") return;
  } else return;
  event.preventDefault();
}

$("shortcuts").checked = store.get("shortcuts") !== "off";
$("shortcuts").addEventListener("change", () => store.set("shortcuts", $("shortcuts").checked ? "on" : "off"));
