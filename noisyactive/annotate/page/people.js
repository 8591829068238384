// One's own answers, who has answered how many, and what others said where they disagree.
// Whatever comes from the data or from people gets into the page as text, never as markup.

import { icon } from "./items.js";

const $ = (id) => document.getElementById(id);

let page = null; // {getJson, nameOf, visible, recall, getState}: what the page lends
const dialog = make("dialog", { id: "mine", className: "panel-dialog" });
dialog.setAttribute("aria-labelledby", "mine-title");
const said = make("section", { id: "said", className: "said", hidden: true });
const button = make("button", { id: "mine-button", type: "button", className: "quiet" }, icon("M2 4h1M2 8h1M2 12h1M6 4h8M6 8h8M6 12h8"), make("span", {}, "Mine"));
const key = make("kbd");
key.dataset.action = "mine";
button.append(key);
button.setAttribute("aria-label", "My answers");
document.body.append(dialog);
$("labels").after(said);
$("help-button").before(button);
button.addEventListener("click", () => open());

export function connect(lent) {
  page = lent;
}

// Show the list of my answers, and how far everybody is.
export async function open() {
  if (!page.getState()) return;
  await draw(0);
  if (!dialog.open) dialog.showModal();
}

async function draw(skip) {
  const head = make("h2", { id: "mine-title" }, "My answers");
  const close = make("button", { type: "button", className: "main" }, "Close");
  close.addEventListener("click", () => dialog.close());
  const content = [head];
  try {
    const { answers, n_answered: n } = await page.getJson(`/api/mine?skip=${skip}`);
    content.push(n ? drawMine(answers) : make("p", {}, "There is no answer of yours yet."));
    if (n > answers.length) content.push(drawPages(skip, answers.length, n));
  } catch (error) {
    content.push(make("p", { className: "missing" }, error.message));
  }
  content.push(...drawPeople(), make("div", { className: "buttons" }, close));
  dialog.replaceChildren(...content);
}

function drawMine(answers) {
  const body = make("tbody");
  for (const answer of answers) {
    const name = page.visible(answer.item);
    const change = make("button", { type: "button" }, "Change");
    change.setAttribute("aria-label", `Change ${name}`);
    change.addEventListener("click", () => {
      dialog.close();
      page.recall(answer.back, answer.item);
    });
    const item = make("td", {}, make("bdi", {}, name));
    if (answer.comment) item.append(make("p", { className: "remark", dir: "auto" }, answer.comment));
    const time = make("td", { className: "time" }, new Date(answer.time).toLocaleString([], { dateStyle: "short", timeStyle: "short" }));
    body.append(make("tr", {}, item, make("td", {}, make("bdi", {}, wording(answer))), time, make("td", {}, change)));
  }
  const names = ["Item", "Answer", "When"].map((text) => make("th", { scope: "col", className: text === "When" ? "time" : "" }, text));
  names.push(make("td")); // of the buttons
  return make("div", { className: "scroller", tabIndex: 0, role: "group", ariaLabel: "List of my answers" }, make("table", {}, make("thead", {}, make("tr", {}, ...names)), body));
}

function drawPages(skip, shown, n) {
  const turn = (text, to) => {
    const one = make("button", { type: "button", disabled: to === null }, text);
    one.addEventListener("click", () => draw(to));
    return one;
  };
  const size = 50;
  return make("p", { className: "pages" }, turn("Later", skip ? Math.max(0, skip - size) : null), ` ${skip + 1} to ${skip + shown} of ${n.toLocaleString()} `, turn("Earlier", skip + shown < n ? skip + shown : null));
}

function drawPeople() {
  const { people, progress } = page.getState();
  if (people.length < 2) return [];
  const most = Math.max(1, ...people.map(({ answered }) => answered));
  const rows = people.map(({ name, answered }) => {
    const meter = make("meter", { min: 0, max: most, value: answered });
    meter.setAttribute("aria-label", `${name}: ${answered}`);
    return make("tr", {}, make("th", { scope: "row" }, make("bdi", {}, page.visible(name))), make("td", {}, answered.toLocaleString()), make("td", {}, meter));
  });
  return [make("h2", {}, "Items answered by each"), make("table", { className: "everybody" }, make("tbody", {}, ...rows)), progress.round ? make("p", {}, `In round ${progress.round}, ${progress.answered} of ${progress.asked} items are complete.`) : null].filter(Boolean);
}

function wording(answer) {
  if (answer.unusable) return "missing or unusable";
  const what = answer.answer === null ? "cannot tell" : page.nameOf(answer.answer);
  return answer.not_shown ? `${what}, not shown` : what;
}

// What annotators said of an item, for the one who decides.
export function showSaid(answers) {
  said.hidden = !answers?.length;
  if (said.hidden) return;
  const list = make("ul");
  for (const answer of answers) {
    const line = make("li", {}, make("bdi", { className: "who-said" }, page.visible(answer.annotator ?? "No name")), make("bdi", { className: "what" }, wording(answer)));
    if (answer.comment) line.append(make("p", { className: "remark", dir: "auto" }, answer.comment));
    list.append(line);
  }
  said.replaceChildren(make("h2", {}, "They disagree; you decide"), list);
}

function make(tag, facts = {}, ...content) {
  const element = Object.assign(document.createElement(tag), facts);
  element.append(...content);
  return element;
}
