// Coding: the queue, one paragraph at a time. Codes go to an outbox first, so a lost network loses none.
import { ask, post, written } from "./data.js";

const stances = written("stances");
const root = document.querySelector("[data-coding]");
const coder = document.querySelector("[data-coder]").dataset.coder;
const find = (name, where = document) => where.querySelector(`[data-${name}]`);
const buttons = [...root.querySelectorAll(".frame-button")];
const OUTBOX = `framing-outbox-${coder}`;
const RETRY_MS = 3000;
const FOR_NOW = [401, 403, 408, 429]; // the same code may be taken later: signed in again, or not so fast

let queue = [];
let chosen = {};
let history = []; // what was coded here, the last at the end
const ids = new Map(); // of the codes that the server has, by key; one may be undone before its answer is here
let sending = null;
let again = null;

const outbox = {
  all: () => JSON.parse(localStorage.getItem(OUTBOX) || "[]"),
  keep: (codes) => localStorage.setItem(OUTBOX, JSON.stringify(codes)),
  add: (code) => outbox.keep([...outbox.all(), code]),
  take: (key) => outbox.keep(outbox.all().filter((code) => code.key !== key)),
};

const keyOf = (task) => `${task.article_id}:${task.paragraph}`;

function showWaiting(error) {
  const waiting = outbox.all().length;
  const codes = waiting === 1 ? "1 code waits" : `${waiting} codes wait`;
  const why = error?.status < 500 ? error.message : "The server cannot be reached.";
  find("network").textContent = error && waiting ? `${why} ${codes} here and will be sent again.` : "";
}

// One at a time until the outbox is empty: also what was coded while another was under way.
async function send() {
  if (sending) return sending;
  sending = (async () => {
    for (let [code] = outbox.all(); code; [code] = outbox.all()) {
      const { key, ...body } = code;
      try {
        const { annotations } = await post("/v1/annotations", body);
        ids.set(key, annotations[0].id);
        outbox.take(key);
        showWaiting(null);
      } catch (error) {
        if (error.status && error.status < 500 && !FOR_NOW.includes(error.status)) {
          outbox.take(key); // refused for good, such as a paragraph deleted meanwhile
          find("network").textContent = `A code was refused: ${error.message}`;
          continue;
        }
        showWaiting(error);
        clearTimeout(again);
        again = setTimeout(send, RETRY_MS);
        return;
      }
    }
  })();
  try {
    await sending;
  } finally {
    sending = null;
  }
  return undefined;
}

// Asks for more; where nothing was left to show, shows what came.
async function fill() {
  const waiting = new Set(outbox.all().map((code) => code.key));
  try {
    const { tasks } = await ask(`/v1/coding-queue?n=20&whole=${root.dataset.whole}&coder=${encodeURIComponent(coder)}`);
    const wasEmpty = !queue.length;
    const here = new Set(queue.map(keyOf));
    queue.push(...tasks.filter((task) => !here.has(keyOf(task)) && !waiting.has(keyOf(task))));
    if (wasEmpty) show();
  } catch (error) {
    if (!queue.length) find("text").textContent = `The queue cannot be reached: ${error.message}`;
    setTimeout(fill, RETRY_MS);
  }
}

async function show() {
  const task = queue[0];
  chosen = {};
  drawChoices();
  find("waiting-count").textContent = queue.length;
  find("before").textContent = find("after").textContent = "";
  if (!task) {
    find("where").textContent = "";
    find("text").textContent = "Nothing is left to code. Store more articles, or come back later.";
    return;
  }
  find("where").textContent = [task.title, task.outlet].filter(Boolean).join(" · ");
  find("text").textContent = task.text;
  const article = await articleOf(task).catch(() => null);
  if (!article || queue[0] !== task) return;
  const place = article.paragraphs.findIndex((paragraph) => paragraph.index === task.paragraph);
  find("before").textContent = article.paragraphs[place - 1]?.text || "";
  find("after").textContent = article.paragraphs[place + 1]?.text || "";
  if (root.dataset.guess === "before") showGuess(article.paragraphs[place], "The model says");
}

const articleOf = (task) => ask(`/v1/articles/${task.article_id}?explain=false`);

function showGuess(paragraph, lead) {
  const found = Object.entries(paragraph?.frames || {}).filter(([, frame]) => frame.decision !== "absent");
  const names = found.map(([key, frame]) => `${nameOf(key)} (${frame.decision}, ${frame.score.toFixed(2)})`);
  find("guess-shown").textContent = `${lead}: ${names.join(", ") || "no frame"}.`;
}

const nameOf = (key) => buttons.find((button) => button.dataset.frame === key)?.querySelector(".name").textContent || key;

function drawChoices() {
  for (const button of buttons) {
    const stance = chosen[button.dataset.frame];
    button.setAttribute("aria-pressed", String(Boolean(stance)));
    find("stance", button).textContent = stance || "absent";
  }
}

function turn(frame) {
  const next = stances[stances.indexOf(chosen[frame]) + 1];
  if (next) chosen[frame] = next;
  else delete chosen[frame];
  drawChoices();
}

function code(frames) {
  const task = queue.shift();
  if (!task) return;
  const key = keyOf(task);
  outbox.add({ key, coder, article_id: task.article_id, paragraph: task.paragraph, frames });
  history.push({ key, task });
  count(1);
  send();
  if (root.dataset.guess === "after") guessOf(task);
  if (queue.length < 3) fill();
  show();
  find("text").focus();
}

async function guessOf(task) {
  const article = await articleOf(task).catch(() => null);
  if (article) showGuess(article.paragraphs.find((paragraph) => paragraph.index === task.paragraph), "The one before, by the model");
}

function count(change) {
  const place = find("coded");
  place.textContent = Number(place.textContent) + change;
}

async function undo() {
  const last = history.pop();
  if (!last) return;
  await sending;
  outbox.take(last.key); // where it could not be sent yet
  const id = ids.get(last.key);
  if (id) await ask(`/v1/annotations/${id}`, { method: "DELETE" }).catch(() => {});
  ids.delete(last.key);
  count(-1);
  queue.unshift(last.task);
  find("guess-shown").textContent = "";
  show();
}

function skip() {
  if (queue.length > 1) queue.push(queue.shift());
  show();
}

for (const button of buttons) button.addEventListener("click", () => turn(button.dataset.frame));
find("save", root).addEventListener("click", () => code({ ...chosen }));
find("none").addEventListener("click", () => code({}));
find("skip").addEventListener("click", skip);
find("undo").addEventListener("click", undo);
find("help").addEventListener("click", () => find("dialog").showModal());

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || find("dialog").open) return;
  if (/^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) return;
  const onControl = /^(BUTTON|SUMMARY|A)$/.test(event.target.tagName);
  const actions = {
    Enter: () => !onControl && code({ ...chosen }),
    n: () => code({}),
    s: skip,
    u: undo,
    "?": () => find("dialog").showModal(),
  };
  if (/^[1-9]$/.test(event.key)) {
    if (buttons[event.key - 1]) turn(buttons[event.key - 1].dataset.frame);
  } else if (actions[event.key]) {
    if (event.key === "Enter" && onControl) return;
    event.preventDefault();
    actions[event.key]();
  }
});

addEventListener("online", send);
await send();
await fill();
