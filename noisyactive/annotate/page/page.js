// The labelling page: one item after another, each answer on disk before the next one shows.
// Whatever comes from the data gets into the page as text, never as markup.

import * as items from "./items.js";
import * as people from "./people.js";
import * as reference from "./reference.js";
import * as viewer from "./viewer.js";

const POLL = 2000; // milliseconds between two looks while there is nothing to answer
const RETRY = 4000;
const PATIENCE = 60000; // a locked journal makes the server wait for half a minute

const $ = (id) => document.getElementById(id);
const store = safeStorage();

let state = null; // what the server said last
let shown = null; // the item on the page; one with a time is an answer that may be changed
let ready = false; // whether it has been seen and nothing is on its way
let sending = false;
let failed = null; // an answer that could not be saved, to be sent again
let keptSent = false;
let timer = 0;
const clock = { spent: 0, since: null }; // time at the item, while the page could be seen
const tab = tabName();
const images = new Map(); // row -> promise of an image; the current one and the next

class Trouble extends Error {
  constructor(message, again) {
    super(message);
    this.again = again; // whether sending it again may help
  }
}

class Gone extends Trouble {}

// --- the server -------------------------------------------------------------------------------

async function request(url, options = {}) {
  let response;
  try {
    response = await fetch(url, { ...options, signal: AbortSignal.timeout(PATIENCE) });
  } catch {
    throw new Gone("The server does not answer. Start it again where it ran, with the same command.", true);
  }
  if (response.ok) return response;
  if (response.status === 403) {
    throw new Trouble("The server was started anew and has a new address. Open the address that it printed.", true);
  }
  const told = await response.json().then((body) => body.error, () => `The server failed (${response.status}).`);
  throw new Trouble(told, response.status >= 500 || response.status === 408);
}

const getJson = async (url) => (await request(url)).json();

function postAnswer(answer) {
  const headers = { "Content-Type": "application/json" };
  return request("/api/answers", { method: "POST", headers, body: JSON.stringify(answer) }).then((response) => response.json());
}

function imageOf(row) {
  if (!images.has(row)) {
    const promise = items.fetchLook(request, row, state.shows);
    promise.catch(() => images.delete(row)); // it may be there the next time
    images.set(row, promise);
  }
  return images.get(row);
}

function dropImages(kept) {
  for (const [row, promise] of images) {
    if (kept.has(row)) continue;
    images.delete(row);
    promise.then(items.release, () => {});
  }
}

// --- what comes next --------------------------------------------------------------------------

function myName() {
  if (!state) return null;
  return state.annotator ?? (store.get("name") || null);
}

function withName(url) {
  const name = myName() ?? store.get("name");
  return name ? `${url}&annotator=${encodeURIComponent(name)}` : url;
}

const getState = () => getJson(withName(`/api/state?tab=${tab}`));

async function refresh() {
  clearTimeout(timer);
  try {
    state = await getState();
    if (!keptSent && (await sendKept())) state = await getState();
  } catch (error) {
    if (error instanceof Gone && !shown && state?.progress.budget_left === 0 && !unsent().length) showEnd();
    else showTrouble(error);
    return;
  }
  hideTrouble();
  showHeader();
  if (isNameMissing()) askName();
  else if (state.items.length) showItem(state.items[0]);
  else showPause();
}

// Where each annotator has an own address, only the author can send an answer that was kept.
const unsent = () => (state ? store.keys().filter((key) => key.startsWith(`${state.run}:`) && isMine(JSON.parse(store.get(key)))) : []);
const isMine = (answer) => !state.personal || (answer.annotator ?? null) === state.annotator;

// Answers that an earlier page could not send. Sent twice, they are counted once.
async function sendKept() {
  const keys = unsent();
  for (const key of keys) {
    let outcome = "elsewhere";
    try {
      outcome = (await postAnswer(JSON.parse(store.get(key)))).outcome;
    } catch (error) {
      if (error.again) throw error;
    }
    store.remove(key);
    if (outcome === "recorded") say("An answer that was kept here is saved now.");
    if (outcome === "elsewhere") say("An answer that was kept here was not counted: the item was answered elsewhere in the meantime.", true);
  }
  keptSent = true;
  return keys.length > 0;
}

async function send(answer) {
  if (sending) return;
  sending = true;
  ready = false;
  showReady();
  if (!failed) say("Saving …");
  const key = `${answer.run}:${answer.row}`;
  store.set(key, JSON.stringify(answer)); // until it is on disk
  const what = answer.unusable ? "unusable" : answer.answer === null ? "cannot tell" : nameOf(answer.answer);
  const where = visible(shown.item);
  let outcome;
  try {
    outcome = (await postAnswer(answer)).outcome;
  } catch (error) {
    sending = false;
    failed = error.again ? answer : null;
    ready = !error.again;
    showReady();
    if (error.again) {
      say(`Not yet saved: ${where}, ${what}.`, true);
      showTrouble(error);
    } else {
      store.remove(key);
      say(error.message, true);
    }
    return;
  }
  sending = false;
  failed = shown = null;
  store.remove(key);
  if (outcome === "elsewhere") say(`Not counted: ${where} was answered elsewhere in the meantime.`, true);
  else if (outcome === "already" && answer.corrects !== null) say(`Unchanged: ${where}, ${what}.`);
  else say(`Saved: ${where}, ${what}.`);
  await refresh();
}

function choose(code, unusable = false) {
  if (!ready || !shown) return;
  send({
    run: state.run,
    row: shown.row,
    answer: code,
    annotator: myName(),
    seconds: Math.round(stopClock() / 100) / 10,
    comment: wellFormed($("comment").value.trim()),
    corrects: shown.time ?? null,
    unusable,
  });
}

async function undo() {
  await recall((shown?.back ?? 0) + 1);
}

// Show an answer of mine again, to change it: the latest is 1 back.
async function recall(back) {
  if (failed || (shown && !ready)) return;
  let found;
  try {
    found = (await getJson(withName(`/api/previous?back=${back}`))).item;
  } catch (error) {
    showTrouble(error);
    return;
  }
  if (found) showItem(found);
  else say(back === 1 ? "There is no answer of yours yet." : "There is no earlier answer of yours.");
}

function leaveCorrection() {
  if (shown?.time === undefined || !ready) return;
  shown = null;
  refresh();
}

// --- showing ----------------------------------------------------------------------------------

async function showItem(item) {
  clearTimeout(timer);
  if (shown && shown.row === item.row && shown.time === item.time) return; // it is there already
  const current = { ...item };
  shown = current;
  ready = false;
  $("pause").hidden = true;
  $("viewer").hidden = $("panel").hidden = false;
  if ($("status").textContent === "Loading …") say("");
  document.body.classList.toggle("without-images", !state.images);
  const name = visible(item.item);
  setText($("item"), name);
  $("item").classList.toggle("long", name.length > 40);
  $("reason").textContent = item.reason ?? "";
  $("comment").value = item.comment ?? "";
  showLabels();
  people.showSaid(item.answers, nameOf);
  showClasses();
  clearFilter();
  showCorrecting();
  showReady();
  $("now").textContent = `${item.time === undefined ? $("place").textContent : "Changing"}: ${name}`;
  viewer.describe(name);
  const rows = [item.row, ...state.items.map((other) => other.row)];
  dropImages(new Set(rows));
  if (!state.images) items.showText("There is no image here; look the item up under this name.", name);
  else {
    try {
      const picture = await imageOf(item.row);
      if (shown !== current) return;
      await items.show(picture);
    } catch (error) {
      if (shown !== current) return;
      items.showText(`${state.shows === "parts" ? "This" : "This image"} cannot be shown. ${error instanceof Trouble ? error.message : "The browser cannot read it."} Say that it is missing or unusable, or answer all the same: the answer is marked.`);
    }
    for (const other of state.items) imageOf(other.row).catch(() => {});
  }
  if (shown !== current) return;
  ready = true;
  clock.spent = 0;
  startClock();
  showReady();
}

function showHeader() {
  const { round, asked, budget_left: left } = state.progress;
  const done = Math.max(0, asked - state.waiting);
  setText($("run"), visible(state.name));
  $("round").textContent = round ? `Round ${round}` : "";
  $("place").textContent = state.waiting ? `${done + 1} of ${asked}` : asked ? `${done} of ${asked} answered` : "";
  $("bar").setAttribute("aria-valuemax", asked);
  $("bar").setAttribute("aria-valuenow", done);
  $("bar").firstElementChild.style.width = `${asked ? (100 * done) / asked : 0}%`;
  $("budget").replaceChildren();
  if (left !== null) {
    const number = document.createElement("b");
    number.textContent = left.toLocaleString();
    $("budget").append(number, left === 1 ? " answer left" : " answers left");
  }
  $("who").hidden = false;
  $("who").disabled = state.annotator !== null;
  setText($("who"), visible(myName() ?? "No name"));
  $("who").setAttribute("aria-label", `Answering: ${visible(myName() ?? "no name")}. Change`);
  document.title = state.waiting ? `(${state.waiting}) ${visible(state.name)}` : visible(state.name);
}

function showLabels() {
  const corrects = shown.time !== undefined;
  const hasSuggestion = (shown.suggested ?? null) !== null;
  $("labels").hidden = state.blind || (shown.label ?? null) === null;
  if ($("labels").hidden) return;
  $("label-title").textContent = corrects ? "Label before" : "Label now";
  setText($("label"), nameOf(shown.label));
  $("suggestion-box").hidden = !hasSuggestion;
  $("labels").classList.toggle("differ", hasSuggestion && shown.suggested !== shown.label);
  if (!hasSuggestion) return;
  setText($("suggested"), nameOf(shown.suggested));
  const percent = shown.probability === null ? "" : `${Math.round(100 * shown.probability)} %`;
  $("probability").textContent = percent;
  $("meter").style.width = percent.replace(" ", "") || "0";
}

function showClasses() {
  const group = $("classes");
  if (group.childElementCount !== state.classes.length) {
    group.replaceChildren(...state.classes.map((_, code) => classButton(code)));
    const many = state.classes.length > 9;
    $("filter-label").hidden = $("filter-help").hidden = !many;
    group.classList.toggle("many", many);
  }
  [...group.children].forEach((button, code) => {
    const answered = shown.time !== undefined && shown.answer === code;
    button.classList.toggle("answered", answered);
    const tags = [];
    if (answered) tags.push("your answer");
    if (shown.label === code && shown.time === undefined) tags.push("label now");
    if ((shown.suggested ?? null) === code) tags.push("model");
    button.lastElementChild.textContent = tags.join(" · ");
  });
  $("skip").classList.toggle("answered", shown.time !== undefined && shown.answer === null && !shown.unusable);
  $("unusable").classList.toggle("answered", shown.time !== undefined && shown.unusable);
}

function classButton(code) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "class";
  const key = document.createElement("kbd");
  if (code < 9) {
    key.textContent = code + 1;
    button.setAttribute("aria-keyshortcuts", code + 1);
  } else key.className = "none";
  const name = document.createElement("span");
  const isolated = document.createElement("bdi");
  isolated.textContent = nameOf(code);
  name.append(isolated);
  const tag = document.createElement("small");
  button.append(key, name, tag);
  button.addEventListener("click", () => choose(code));
  return button;
}

function showCorrecting() {
  const corrects = shown?.time !== undefined;
  $("correcting").hidden = !corrects;
  $("question").textContent = corrects ? "What should it be?" : "Which is it?";
  $("undo-text").textContent = corrects ? "The answer before that" : "Change my last answer";
  if (!corrects) return;
  const what = shown.unusable ? "“missing or unusable”" : shown.answer === null ? "“cannot tell”" : `“${nameOf(shown.answer)}”`;
  const skip = shown.answer === null ? "" : "; “Cannot tell” takes your label back";
  $("correcting").firstElementChild.textContent = `You answered ${what}. A change is charged as another answer${skip}.`;
  say("");
}

function showReady() {
  const off = !ready;
  for (const button of document.querySelectorAll(".class")) {
    button.setAttribute("aria-disabled", off);
    button.classList.remove("unsaved");
  }
  if (failed) (failed.unusable ? $("unusable") : failed.answer === null ? $("skip") : $("classes").children[failed.answer]).classList.add("unsaved");
  $("panel").setAttribute("aria-busy", off);
}

function showPause() {
  shown = null;
  ready = false;
  dropImages(new Set());
  items.clear();
  $("viewer").hidden = $("panel").hidden = true;
  $("pause").hidden = false;
  const { round, asked, answered, cost, budget_left: left, finished } = state.progress;
  const counted = `${cost.toLocaleString()} ${cost === 1 ? "answer was" : "answers were"} counted.`;
  let title = "The next round is being computed";
  let text = "The program that runs the rounds learns from your answers now. This page looks for new questions by itself. If nothing comes for long, see whether that program is still running.";
  if (state.adjudicates) {
    title = "Nothing to decide now";
    text = "Items on which the annotators disagree come here by themselves.";
  } else if (finished) {
    title = "All questions are answered";
    text = `${counted} Thank you; you may close this page.`;
  } else if (!round) {
    title = "The first round is being computed";
    text = "This page looks for questions by itself.";
  } else if (answered < asked) {
    title = "You are done with this round";
    const others = asked - answered;
    text = `${others} of ${asked} ${others === 1 ? "waits" : "wait"} for other annotators. The next round follows by itself.`;
  } else if (left === 0) {
    title = "The budget is spent";
    text = `${counted} The program that runs the rounds learns from the last ones now; you may close this page.`;
  }
  $("undo-pause").hidden = !cost;
  showWords(title, text, finished);
  timer = setTimeout(refresh, POLL);
}

// The program that served the page has ended, and had nothing more to ask.
function showEnd() {
  hideTrouble();
  $("undo-pause").hidden = true;
  showWords("The run has ended", "All your answers are saved, and the budget is spent. You may close this page.", true);
  timer = setTimeout(refresh, RETRY);
}

function showWords(title, text, done) {
  $("pause").classList.toggle("done", done);
  if ($("pause-title").textContent !== title) say(title);
  $("pause-title").textContent = title;
  $("pause-text").textContent = text;
}

function showTrouble(error) {
  let kept = state && !shown ? " All your answers are saved." : "";
  if (failed || unsent().length) kept = " Your answer is kept here and will be saved then.";
  const text = `${error.message}${kept}`;
  if ($("trouble").hidden || $("trouble").firstElementChild.textContent !== text) {
    $("trouble").firstElementChild.textContent = text;
  }
  $("again").textContent = failed ? "Send again" : "Try again";
  $("trouble").hidden = false;
  clearTimeout(timer);
  timer = setTimeout(tryAgain, RETRY);
}

function hideTrouble() {
  $("trouble").hidden = true;
  $("trouble").firstElementChild.textContent = "";
}

function tryAgain() {
  clearTimeout(timer);
  if (failed) send(failed);
  else refresh();
}

function say(text, urgent = false) {
  if ($("status").textContent !== text) $("status").textContent = text;
  $("status").classList.toggle("urgent", urgent);
}

// --- names ------------------------------------------------------------------------------------

function isNameMissing() {
  if (!state || state.annotator !== null) return false;
  return state.needs_name ? !store.get("name") : store.get("name") === null;
}

function askName() {
  $("name-text").textContent = state.needs_name
    ? "Several people answer for each image; the name keeps your answers apart from theirs."
    : "The name is kept with your answers.";
  $("no-name").hidden = state.needs_name;
  $("name").value = store.get("name") ?? "";
  $("name-error").textContent = "";
  if (!$("name-dialog").open) $("name-dialog").showModal();
}

function setName(name) {
  store.set("name", name);
  $("name-dialog").close();
  shown = null;
  refresh();
}

$("name-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = wellFormed($("name").value.trim());
  if (name) setName(name);
  else $("name-error").textContent = "Please enter a name.";
});
$("no-name").addEventListener("click", () => setName(""));
$("name-dialog").addEventListener("close", () => {
  if (isNameMissing()) askName(); // browsers let the Escape key close any dialog
});
$("who").addEventListener("click", askName);

// --- filter -----------------------------------------------------------------------------------

const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

function filter() {
  const wanted = plain($("filter").value.trim());
  const matching = [...$("classes").children].filter((button, code) => {
    button.hidden = !plain(state.classes[code]).includes(wanted);
    button.classList.remove("first");
    return !button.hidden;
  });
  if (wanted && matching.length) matching[0].classList.add("first");
  $("matches").textContent = wanted ? `${matching.length} of ${state.classes.length} classes` : "";
  return wanted ? matching : [];
}

function clearFilter() {
  if ($("filter-label").hidden) return;
  $("filter").value = "";
  filter();
  if (document.activeElement === $("filter")) $("filter").blur();
}

$("filter").addEventListener("input", filter);
$("filter").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.repeat || event.isComposing) return;
  event.preventDefault();
  filter()[0]?.click();
});

// --- keyboard ---------------------------------------------------------------------------------

const KEYS = {
  s: () => choose(null),
  x: () => choose(null, true),
  u: undo,
  c: () => $("comment").focus(),
  m: () => people.open(),
  g: () => reference.open(),
  "?": openHelp,
  "/": () => ($("filter-label").hidden ? false : $("filter").focus()),
  "+": () => viewer.zoomBy(1.4),
  "=": () => viewer.zoomBy(1.4),
  "-": () => viewer.zoomBy(1 / 1.4),
  0: viewer.reset,
  "[": () => viewer.adjust("brightness", -10),
  "]": () => viewer.adjust("brightness", 10),
  "{": () => viewer.adjust("contrast", -10),
  "}": () => viewer.adjust("contrast", 10),
  ArrowLeft: () => viewer.moveBy(60, 0),
  ArrowRight: () => viewer.moveBy(-60, 0),
  ArrowUp: () => viewer.moveBy(0, 60),
  ArrowDown: () => viewer.moveBy(0, -60),
};
const ONCE = new Set(["s", "x", "u", "c", "m", "g", "?", "/"]); // a key that is held down answers once

document.addEventListener("keydown", (event) => {
  if (document.querySelector("dialog[open]") || event.isComposing) return;
  const target = event.target;
  const typing = target.matches("textarea, input[type=text]");
  if (event.key === "Escape") {
    if (target === $("filter")) clearFilter();
    else if (typing) target.blur();
    else leaveCorrection();
    return;
  }
  const altGraph = event.getModifierState("AltGraph"); // brackets on many keyboards
  if (typing || !$("shortcuts").checked || event.metaKey || (!altGraph && (event.ctrlKey || event.altKey))) return;
  if (target.matches("input[type=range]") && event.key.startsWith("Arrow")) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (/^[1-9]$/.test(key)) {
    if (!event.repeat && state && Number(key) <= state.classes.length) choose(Number(key) - 1);
  } else if (Object.hasOwn(KEYS, key)) {
    if ((event.repeat && ONCE.has(key)) || KEYS[key]() === false) return;
    event.preventDefault();
  }
});

function openHelp() {
  $("help").showModal();
}

reference.connect({ request, nameOf, getState: () => state });
people.connect({ getJson: (url) => getJson(withName(url)), nameOf, visible, recall, getState: () => state });

$("shortcuts").checked = store.get("shortcuts") !== "off";
$("shortcuts").addEventListener("change", () => store.set("shortcuts", $("shortcuts").checked ? "on" : "off"));
$("help-button").addEventListener("click", openHelp);
$("help-close").addEventListener("click", () => $("help").close());
$("skip").addEventListener("click", () => choose(null));
$("unusable").addEventListener("click", () => choose(null, true));
$("undo").addEventListener("click", undo);
$("undo-pause").addEventListener("click", undo);
$("back").addEventListener("click", leaveCorrection);
$("again").addEventListener("click", tryAgain);

// --- small things -----------------------------------------------------------------------------

function startClock() {
  if (!document.hidden) clock.since = performance.now();
}

function stopClock() {
  if (clock.since !== null) clock.spent += performance.now() - clock.since;
  clock.since = null;
  return clock.spent;
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) stopClock();
  else if (ready) startClock();
});

function setText(element, text) {
  element.querySelector("bdi").textContent = text;
}

function nameOf(code) {
  return visible(state.classes[code]) || "(empty)";
}

// Characters that turn the writing around or hide could make one name look like another.
function visible(text) {
  return text.replace(/[\p{Cc}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, (character) => `⟨${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);
}

function wellFormed(text) {
  return text.replace(/\0|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, "\ufffd");
}

// Different tabs get different items; a reload keeps its own.
function tabName() {
  const fresh = Array.from(crypto.getRandomValues(new Uint32Array(2)), (part) => part.toString(36)).join("");
  try {
    const name = sessionStorage.getItem("noisyactive:tab") ?? fresh;
    sessionStorage.setItem("noisyactive:tab", name);
    return name;
  } catch {
    return fresh;
  }
}

// Browsers may forbid storage; then a reload forgets the name.
function safeStorage() {
  const prefix = "noisyactive:";
  const memory = new Map();
  let storage = null;
  try {
    storage = window.localStorage;
    storage.setItem(`${prefix}test`, "");
    storage.removeItem(`${prefix}test`);
  } catch {
    storage = null;
  }
  return {
    get: (key) => (storage ? storage.getItem(prefix + key) : (memory.get(key) ?? null)),
    set(key, value) {
      memory.set(key, value);
      try {
        storage?.setItem(prefix + key, value);
      } catch {
        storage = null; // it is full
      }
    },
    remove(key) {
      memory.delete(key);
      storage?.removeItem(prefix + key);
    },
    keys: () =>
      (storage ? Object.keys(storage) : [...memory.keys()].map((key) => prefix + key))
        .filter((key) => key.startsWith(prefix))
        .map((key) => key.slice(prefix.length)),
  };
}

history.replaceState(null, "", "/"); // the token is in a cookie by now
refresh();
