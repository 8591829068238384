// The labelling page: one item after another, each answer on disk before the next one shows.
// Whatever comes from the data gets into the page as text, never as markup.

import { buttonOf, clearSearch, markClasses, nameOf, setClasses, setText, startSearch } from "./classes.js";
import { setKeys, startKeys } from "./keys.js";
import * as items from "./items.js";
import * as people from "./people.js";
import { dropImages, fetchAhead, imageOf } from "./prefetch.js";
import * as reference from "./reference.js";
import { getJson, Gone, postAnswer, Trouble } from "./server.js";
import { store, tab } from "./store.js";
import { sittingText, timeLeft, visible, wellFormed } from "./words.js";
import * as viewer from "./viewer.js";

const POLL = 2000; // milliseconds between two looks while there is nothing to answer
const RETRY = 4000;
const SECOND_TAP = 350; // a double tap answers one item, not the next one as well
const MARGIN = 1; // seconds that a request may take: what is called free has to be free

const $ = (id) => document.getElementById(id);

let state = null; // what the server said last
let ownName = store.get("name"); // as it was given here; another tab may have another one
let shown = null; // the item on the page; one with a time is an answer that may be changed
let ready = false; // whether it has been seen and nothing is on its way
let sending = false;
let failed = null; // an answer that could not be saved, to be sent again
let keptSent = false;
let resting = false; // whether the sitting was ended by hand
let timer = 0;
let turn = 0; // grows with all that is done here: an older look at the server no longer counts then
let readySince = 0;
let freeUntil = 0; // when taking back the last answer begins to cost
let freeTimer = 0;
const clock = { spent: 0, since: null }; // time at the item, while the page could be seen

// --- what comes next --------------------------------------------------------------------------

function myName() {
  if (!state) return null;
  return state.annotator ?? (ownName || null);
}

function withName(url) {
  const name = myName() ?? ownName;
  return name ? `${url}&annotator=${encodeURIComponent(name)}` : url;
}

const getState = () => getJson(withName(`/api/state?tab=${tab}`));

async function refresh() {
  clearTimeout(timer);
  turn += 1;
  const mine = turn;
  try {
    let found = await getState();
    if (mine !== turn) return;
    if (state && found.run !== state.run) {
      location.reload(); // what is shown is another run's
      return;
    }
    state = found;
    if (!keptSent && (await sendKept())) {
      found = await getState();
      if (mine !== turn) return;
      state = found;
    }
  } catch (error) {
    if (mine !== turn) return;
    if (error instanceof Gone && !shown && state?.progress.budget_left === 0 && !unsent().length) showEnd();
    else showTrouble(error);
    return;
  }
  await goOn();
}

// Show what the state says is next.
async function goOn() {
  clearTimeout(timer);
  hideTrouble();
  items.setKind(state.shows);
  if (setClasses(state.classes, choose)) setKeys(state.run);
  showHeader();
  if (isNameMissing()) askName();
  else if (resting) showRest();
  else if (state.items.length) await showItem(state.items[0]);
  else showPause();
}

// Answers that are kept here, and where. Where the server knows who answers, only the author can send them.
function unsent() {
  if (!state) return [];
  const keys = store.keys().filter((key) => key.startsWith(`${state.run}:`));
  return keys.map((key) => [key, JSON.parse(store.get(key))]).filter(([, answer]) => isMine(answer));
}
const isMine = (answer) => state.annotator === null || (answer.annotator ?? null) === state.annotator;
const placeOf = (answer) => `${answer.run}:${answer.row}:${answer.annotator ?? ""}`;

// Answers that an earlier page could not send. Sent twice, they are counted once.
async function sendKept() {
  const kept = unsent();
  for (const [key, answer] of kept) {
    try {
      const { outcome } = await postAnswer(answer);
      if (outcome === "recorded") say("An answer that was kept here is saved now.");
      if (outcome === "elsewhere") say("An answer that was kept here was not counted: the item was answered elsewhere in the meantime.", true);
    } catch (error) {
      if (error.again) throw error;
      say(`An answer that was kept here was not counted: ${error.message}`, true);
    }
    if (store.get(key) === JSON.stringify(answer)) store.remove(key); // else a later one is kept there by now
  }
  keptSent = true;
  return kept.length > 0;
}

async function send(answer) {
  if (sending) return;
  sending = true;
  turn += 1;
  ready = false;
  showReady();
  if (!failed) say("Saving …");
  const key = placeOf(answer);
  store.set(key, JSON.stringify(answer)); // until it is on disk
  const what = answer.unusable ? "unusable" : answer.answer === null ? "cannot tell" : nameOf(answer.answer);
  const where = visible(shown.item);
  const sent = performance.now();
  let told;
  try {
    told = await postAnswer(answer);
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
  const { outcome } = told;
  sending = false;
  failed = shown = null;
  store.remove(key);
  if (outcome === "elsewhere") say(`Not counted: ${where} was answered elsewhere in the meantime.`, true);
  else if (outcome === "already" && answer.corrects !== null) say(`Unchanged: ${where}, ${what}.`);
  else say(`Saved: ${where}, ${what}.`);
  if (outcome === "recorded") startFree(sent);
  state = told.state;
  await goOn();
}

function choose(code, event = null, unusable = false) {
  if (!ready || !shown) return;
  if (event?.detail > 1 && event.timeStamp - readySince < SECOND_TAP) return;
  send({
    run: state.run,
    row: shown.row,
    answer: code,
    annotator: myName(),
    seconds: Math.round(stopClock() / 100) / 10,
    comment: wellFormed($("comment").value.trim()),
    corrects: shown.time ?? null,
    unusable,
    tab,
  });
}

function keepLabel(event) {
  if ((shown?.label ?? null) !== null && !state.blind) choose(shown.label, event);
}

function acceptSuggestion(event) {
  if ((shown?.suggested ?? null) !== null && !state.blind) choose(shown.suggested, event);
}

// --- undo -------------------------------------------------------------------------------------

function startFree(since) {
  freeUntil = since + 1000 * (state.undo_seconds - MARGIN);
  showFree();
}

// Taking an answer back is free for some seconds; the button says so.
function showFree() {
  clearTimeout(freeTimer);
  const left = Math.ceil((freeUntil - performance.now()) / 1000);
  const corrects = shown?.time !== undefined;
  for (const button of document.querySelectorAll(".undo")) {
    button.firstElementChild.textContent = corrects ? "One before" : "Undo";
    button.querySelector("small").textContent = corrects ? "" : left > 0 ? `free for ${left} s` : "charged";
    button.classList.toggle("free", !corrects && left > 0);
  }
  if (left > 0) freeTimer = setTimeout(showFree, 250);
}

async function undo() {
  await recall((shown?.back ?? 0) + 1);
}

// Show an answer of mine again, to change it: the latest is 1 back; only that of `item`, if given.
async function recall(back, item = null) {
  if (failed || (shown && !ready)) return;
  clearTimeout(timer);
  turn += 1;
  const mine = turn;
  let found;
  try {
    found = (await getJson(withName(`/api/previous?back=${back}`))).item;
  } catch (error) {
    if (mine === turn) showTrouble(error);
    return;
  }
  if (mine !== turn) return;
  resting = false;
  if (found && [null, found.item].includes(item)) {
    showItem(found);
    return;
  }
  if (found) say("There are later answers of yours by now. Open the list again.", true);
  else say(back === 1 ? "There is no answer of yours yet." : "There is no earlier answer of yours.");
  if (!shown) refresh();
}

function leaveCorrection() {
  if (shown?.time === undefined || !ready) return;
  shown = null;
  refresh();
}

function showCorrecting() {
  const corrects = shown?.time !== undefined;
  $("correcting").hidden = !corrects;
  $("question").textContent = corrects ? "What should it be?" : "Which is it?";
  showFree();
  if (!corrects) return;
  const what = shown.unusable ? "“missing or unusable”" : shown.answer === null ? "“cannot tell”" : `“${nameOf(shown.answer)}”`;
  const cost = shown.free ? "A change is free now" : "A change is charged as another answer";
  const skip = shown.answer === null ? "" : "; “Cannot tell” takes your label back";
  $("correcting").firstElementChild.textContent = `You answered ${what}. ${cost}${skip}.`;
  say("");
}

// --- showing ----------------------------------------------------------------------------------

// Draw what is looked at for an item; resolves when it can be seen.
async function drawItem(item) {
  if (!state.images) {
    items.showText("There is no image here; look the item up under this name.", visible(item.item));
    return;
  }
  try {
    const picture = await imageOf(item.row);
    if (shown?.row === item.row) await items.show(picture);
  } catch (error) {
    if (shown?.row !== item.row) return;
    if (error instanceof Gone) {
      items.clear();
      shown = null; // until it can be seen
      showTrouble(error);
      return;
    }
    const what = state.shows === "parts" ? "This" : "This image";
    items.showText(`${what} cannot be shown. ${error instanceof Trouble ? error.message : "The browser cannot read it."} Say that it is missing or unusable, or answer all the same: the answer is marked.`);
  }
}

async function showItem(item) {
  clearTimeout(timer);
  if (shown && shown.row === item.row && shown.time === item.time) return; // it is there already
  const current = { ...item };
  shown = current;
  ready = false;
  showReady();
  $("pause").hidden = true;
  $("viewer").hidden = $("panel").hidden = $("finish").hidden = false;
  if ($("status").textContent === "Loading …") say("");
  document.body.classList.toggle("without-images", !state.images);
  const name = visible(item.item);
  if (state.images) fetchAhead([item.row]); // on its way while the rest is written
  setText($("item"), name);
  $("item").classList.toggle("long", name.length > 40);
  $("reason").textContent = item.reason ?? "";
  $("comment").value = item.comment ?? "";
  $("panel").classList.toggle("commenting", $("comment").value !== "");
  markClasses(shown, state.blind);
  people.showSaid(item.answers, nameOf);
  clearSearch();
  showCorrecting();
  $("answers").scrollTop = 0;
  $("now").textContent = `${item.time === undefined ? $("place").textContent : "Changing"}: ${name}`;
  viewer.describe(name);
  const ahead = state.items.map((other) => other.row);
  dropImages(new Set([item.row, ...ahead]));
  await drawItem(item);
  if (shown !== current) return;
  ready = true;
  readySince = performance.now();
  clock.spent = 0;
  startClock();
  showReady();
  if (state.images) fetchAhead(ahead);
}

function showHeader() {
  const { round, asked, budget_left: left } = state.progress;
  const done = Math.max(0, asked - state.waiting);
  setText($("run"), visible(state.name));
  $("round").textContent = round ? `Round ${round}` : "";
  $("place").textContent = state.waiting ? `${done + 1} of ${asked}` : asked ? `${done} of ${asked} answered` : "";
  const pace = state.seconds_per_item;
  $("left").textContent = state.waiting && pace !== null ? timeLeft(pace * state.waiting) : "";
  $("bar").setAttribute("aria-valuemax", Math.max(asked, 1));
  $("bar").setAttribute("aria-valuenow", done);
  $("bar").firstElementChild.style.width = `${asked ? (100 * done) / asked : 0}%`;
  $("budget").replaceChildren();
  if (left !== null) {
    const number = document.createElement("b");
    number.textContent = left.toLocaleString();
    const unit = document.createElement("span");
    unit.textContent = left === 1 ? " answer left" : " answers left";
    $("budget").append(number, unit);
  }
  $("who").hidden = false;
  $("who").disabled = state.annotator !== null;
  setText($("who"), visible(myName() ?? "No name"));
  $("who").setAttribute("aria-label", `Answering: ${visible(myName() ?? "no name")}. Change`);
  document.title = state.waiting ? `(${state.waiting}) ${visible(state.name)}` : visible(state.name);
}

function showReady() {
  const off = !ready;
  for (const button of document.querySelectorAll(".class, .pin")) {
    button.setAttribute("aria-disabled", off);
    button.classList.remove("unsaved");
  }
  if (failed) buttonOf(failed).classList.add("unsaved");
  $("panel").setAttribute("aria-busy", off);
}

function hideItem() {
  shown = null;
  ready = false;
  dropImages();
  items.clear();
  $("viewer").hidden = $("panel").hidden = $("finish").hidden = true;
  $("pause").hidden = false;
  $("undo-pause").hidden = !state.progress.cost;
  showFree();
}

// --- pauses -----------------------------------------------------------------------------------

function showPause() {
  hideItem();
  $("go-on").hidden = true;
  const { round, asked, answered, cost, budget_left: left, finished } = state.progress;
  const counted = `${cost.toLocaleString()} ${cost === 1 ? "answer was" : "answers were"} counted.`;
  const idle = "No program runs the rounds at the moment. Start it again where it ran, with the same command: it goes on from here. All answers are saved.";
  let title = "The next round is being computed";
  let text = "The program that runs the rounds learns from your answers now. This page looks for new questions by itself.";
  let waits = state.running;
  if (state.adjudicates) {
    title = "Nothing to decide now";
    text = "Items on which the annotators disagree come here by themselves.";
    waits = true;
  } else if (finished) {
    title = "All questions are answered";
    text = `${counted} Thank you; you may close this page.`;
    waits = false;
  } else if (!round) {
    title = state.running ? "The first round is being computed" : "Nothing is asked yet";
    text = state.running ? "This page looks for questions by itself." : idle;
  } else if (answered < asked) {
    title = "You are done with this round";
    const others = asked - answered;
    text = `${others} of ${asked} ${others === 1 ? "waits" : "wait"} for other annotators.`;
    if (state.running) text += " The next round follows by itself.";
    waits = true;
  } else if (left === 0) {
    title = "The budget is spent";
    text = `${counted} ${state.running ? "The program that runs the rounds learns from the last ones now; you may close this page." : idle}`;
  } else if (!state.running) {
    title = "This round is answered";
    text = idle;
  }
  showWords(title, text, finished, waits);
  showSitting();
  timer = setTimeout(refresh, POLL);
}

// The sitting was ended by hand: what it came to, and the way back.
function showRest() {
  hideItem();
  $("go-on").hidden = false;
  const { waiting } = state;
  const rest = waiting ? `${waiting} ${waiting === 1 ? "item waits" : "items wait"} for you, now or later.` : "Nothing waits for you.";
  showWords("Thank you", `All your answers are saved. ${rest} You may close this page.`, true, false);
  showSitting();
}

function finish() {
  if (sending || failed) return;
  resting = true;
  refresh();
}

function goBackToWork() {
  resting = false;
  refresh();
}

async function showSitting() {
  if (!state.progress.cost) return;
  try {
    $("sitting").textContent = sittingText(await getJson(withName("/api/sitting?")));
  } catch (error) {
    showTrouble(error);
  }
}

// The program that served the page has ended, and had nothing more to ask.
function showEnd() {
  hideTrouble();
  $("undo-pause").hidden = true;
  showWords("The run has ended", "All your answers are saved, and the budget is spent. You may close this page.", true, false);
  timer = setTimeout(refresh, RETRY);
}

function showWords(title, text, done, waits) {
  $("pause").classList.toggle("done", done);
  $("pause").classList.toggle("waits", waits);
  if ($("pause-title").textContent !== title) say(title);
  $("pause-title").textContent = title;
  $("pause-text").textContent = text;
}

// --- trouble ----------------------------------------------------------------------------------

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
  else if (!sending) refresh(); // the reply to an answer tells what is next
}

function say(text, urgent = false) {
  if ($("status").textContent !== text) $("status").textContent = text;
  $("status").classList.toggle("urgent", urgent);
}

// --- names ------------------------------------------------------------------------------------

function isNameMissing() {
  if (!state || state.annotator !== null) return false;
  return state.needs_name ? !ownName : ownName === null;
}

function askName() {
  if (sending || failed) return; // an answer is on its way under the name that shows
  $("name-text").textContent = state.needs_name
    ? "Several people answer for each image; the name keeps your answers apart from theirs."
    : "The name is kept with your answers.";
  $("no-name").hidden = state.needs_name;
  $("name").value = ownName ?? "";
  $("name-error").textContent = "";
  if (!$("name-dialog").open) $("name-dialog").showModal();
}

function setName(name) {
  ownName = name;
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

// --- keys and buttons -------------------------------------------------------------------------

function comment() {
  if ($("panel").hidden) return;
  $("panel").classList.add("commenting");
  $("comment").focus();
}

function escape(target) {
  if (target === $("filter")) clearSearch();
  else if (target.matches("textarea, input[type=text]")) target.blur();
  else leaveCorrection();
}

const DEEDS = {
  accept: acceptSuggestion,
  keep: keepLabel,
  skip: () => choose(null),
  unusable: () => choose(null, null, true),
  undo,
  guide: () => reference.open(),
  mine: () => people.open(),
  comment,
  escape,
  help: () => $("help").showModal(),
};

reference.connect({ getJson, nameOf, getState: () => state });
people.connect({ getJson: (url) => getJson(withName(url)), nameOf, visible, recall, getState: () => state });
startKeys((action, target) => {
  if (action.startsWith("class ")) choose(Number(action.slice(6)));
  else DEEDS[action](target);
});
startSearch(choose, acceptSuggestion);
$("help-button").addEventListener("click", DEEDS.help);
$("help-close").addEventListener("click", () => $("help").close());
$("keep").addEventListener("click", keepLabel);
$("accept").addEventListener("click", acceptSuggestion);
$("skip").addEventListener("click", (event) => choose(null, event));
$("unusable").addEventListener("click", (event) => choose(null, event, true));
$("undo").addEventListener("click", undo);
$("undo-pause").addEventListener("click", undo);
$("back").addEventListener("click", leaveCorrection);
$("again").addEventListener("click", tryAgain);
$("finish").addEventListener("click", finish);
$("go-on").addEventListener("click", goBackToWork);
$("comment-button").addEventListener("click", () => {
  if (!$("panel").classList.toggle("commenting")) return;
  $("comment").focus();
});

// --- the clock --------------------------------------------------------------------------------

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

history.replaceState(null, "", "/"); // the token is in a cookie by now
refresh();
