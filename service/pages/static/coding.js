// The coding queue, a paragraph at a time. Annotations go to an outbox first, so none is lost with the network.
import { embedded, post, request } from "./data.js";

const stances = embedded("stances");
const root = document.querySelector("[data-coding]");
const coder = document.querySelector("[data-coder]").dataset.coder;
const find = (name, where = document) => where.querySelector(`[data-${name}]`);
const buttons = [...root.querySelectorAll(".frame-button")];
const later = root.dataset.later === "true"; // only frames that came after the coder's annotations
const OUTBOX = `framing-outbox-${coder}`;
const RETRY_MS = 3000;
const TEMPORARY = [401, 403, 408, 429]; // accepted later, once the coder has signed in again or waited

let queue = [];
let fewer = ""; // why the queue is shorter than requested
let returned = ""; // says what the coder has returned
let chosen = {};
const history = []; // the paragraphs coded in this page, the latest at the end
const ids = new Map(); // of the annotations that the server has stored, by key
let sending = null;
let retry = null;

const outbox = {
  all: () => JSON.parse(localStorage.getItem(OUTBOX) || "[]"),
  replace: (annotations) => localStorage.setItem(OUTBOX, JSON.stringify(annotations)),
  add: (annotation) => outbox.replace([...outbox.all(), annotation]),
  remove: (key) => outbox.replace(outbox.all().filter((annotation) => annotation.key !== key)),
};

const keyOf = (task) => `${task.article_id}:${task.paragraph}`;

function showWaiting(error) {
  const waiting = outbox.all().length;
  const annotations = waiting === 1 ? "1 annotation waits" : `${waiting} annotations wait`;
  const reason = error?.status < 500 ? error.message : "The server cannot be reached.";
  find("network").textContent = error && waiting ? `${reason} ${annotations} here and will be sent again.` : "";
}

// Sends the outbox in order until it is empty; annotations that are added during that time are sent too.
async function send() {
  if (sending) return sending;
  sending = (async () => {
    for (let [annotation] = outbox.all(); annotation; [annotation] = outbox.all()) {
      const { key, ...body } = annotation;
      try {
        const { annotations } = await post("/v1/annotations", body);
        ids.set(key, annotations[0].id);
        outbox.remove(key);
        showWaiting(null);
      } catch (error) {
        if (error.status && error.status < 500 && !TEMPORARY.includes(error.status)) {
          outbox.remove(key); // rejected permanently, for example because the paragraph has been deleted
          find("network").textContent = `An annotation was rejected: ${error.message}`;
          continue;
        }
        showWaiting(error);
        clearTimeout(retry);
        retry = setTimeout(send, RETRY_MS);
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

// Requests more paragraphs, and shows the first of them if no other was left.
async function fill() {
  if (returned) return;
  const waiting = new Set(outbox.all().map((annotation) => annotation.key));
  try {
    const { tasks, fewer_because: why } = await (later
      ? request(`/v1/coding-queue?n=20&later_frames=true&coder=${encodeURIComponent(coder)}`)
      : post("/v1/coding-queue", { coder, n: 20, whole: root.dataset.whole === "true" }));
    if (returned) return;
    const wasEmpty = !queue.length;
    const queued = new Set(queue.map(keyOf));
    queue.push(...tasks.filter((task) => !queued.has(keyOf(task)) && !waiting.has(keyOf(task))));
    fewer = why || "";
    find("fewer").textContent = fewer;
    if (wasEmpty) show();
  } catch (error) {
    if (!queue.length) find("text").textContent = `The queue cannot be reached: ${error.message}`;
    setTimeout(fill, RETRY_MS);
  }
}

async function show() {
  const task = queue[0];
  chosen = {};
  for (const button of buttons) button.closest("li").hidden = Boolean(task) && !task.frames.includes(button.dataset.frame);
  drawChoices();
  find("waiting-count").textContent = queue.length;
  find("before").textContent = find("after").textContent = "";
  if (!task) {
    find("where").textContent = "";
    find("text").textContent = later
      ? "No paragraph is left that lacks a frame."
      : returned || `No paragraph is left to code. ${fewer} Store more articles, or come back later.`;
    return;
  }
  find("where").textContent = [task.title, task.outlet].filter(Boolean).join(" · ");
  find("text").textContent = task.text;
  const article = await articleOf(task).catch(() => null);
  if (!article || queue[0] !== task) return;
  const place = article.paragraphs.findIndex((paragraph) => paragraph.index === task.paragraph);
  find("before").textContent = article.paragraphs[place - 1]?.text || "";
  find("after").textContent = article.paragraphs[place + 1]?.text || "";
  if (root.dataset.guess === "before") showGuess(article.paragraphs[place], "The model's decisions");
}

const articleOf = (task) => request(`/v1/articles/${task.article_id}?explain=false`);

function showGuess(paragraph, lead) {
  const notAbsent = Object.entries(paragraph?.frames || {}).filter(([, frame]) => frame.decision !== "absent");
  const names = notAbsent.map(([key, frame]) => `${nameOf(key)} (${frame.decision}, ${frame.score.toFixed(2)})`);
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

function nextStance(frame) {
  if (queue[0] && !queue[0].frames.includes(frame)) return;
  const next = stances[stances.indexOf(chosen[frame]) + 1];
  if (next) chosen[frame] = next;
  else delete chosen[frame];
  drawChoices();
}

function annotate(frames) {
  const task = queue.shift();
  if (!task) return;
  const key = keyOf(task);
  const covered = later ? { covered: task.frames } : {};
  outbox.add({ key, coder, article_id: task.article_id, paragraph: task.paragraph, frames, ...covered });
  history.push({ key, task });
  if (!later) count(1);
  send();
  if (root.dataset.guess === "after") guessOf(task);
  if (queue.length < 3) fill();
  show();
  find("text").focus();
}

async function guessOf(task) {
  const article = await articleOf(task).catch(() => null);
  if (article) showGuess(article.paragraphs.find((paragraph) => paragraph.index === task.paragraph), "The model's decisions on the previous paragraph");
}

function count(change) {
  const place = find("coded");
  place.textContent = Number(place.textContent) + change;
}

async function undo() {
  const last = history.pop();
  if (!last) return;
  await sending; // an annotation that is being sent has an id afterwards, by which it can be deleted
  outbox.remove(last.key); // if it has not been sent yet
  const id = ids.get(last.key);
  // With later frames it holds the earlier decisions too: the next annotation of the paragraph replaces it.
  if (id && !later) await request(`/v1/annotations/${id}`, { method: "DELETE" }).catch(() => {});
  ids.delete(last.key);
  if (!later) count(-1);
  queue.unshift(last.task);
  find("guess-shown").textContent = "";
  show();
}

// Returns all paragraphs that are not coded, so that other coders can receive them; nothing is drawn until a reload.
async function returnAll() {
  await send();
  if (outbox.all().length) return; // the server does not know yet what has been coded
  try {
    const { returned: count } = await request(`/v1/coding-queue?coder=${encodeURIComponent(coder)}`, { method: "DELETE" });
    queue = [];
    history.length = 0;
    returned = `You returned ${count === 1 ? "1 paragraph" : `${count} paragraphs`}. Reload the page to receive others.`;
    find("fewer").textContent = "";
    show();
  } catch (error) {
    find("network").textContent = `Nothing was returned: ${error.message}`;
  }
}

function skip() {
  if (queue.length > 1) queue.push(queue.shift());
  show();
}

for (const button of buttons) button.addEventListener("click", () => nextStance(button.dataset.frame));
find("save", root).addEventListener("click", () => annotate({ ...chosen }));
find("none").addEventListener("click", () => annotate({}));
find("skip").addEventListener("click", skip);
find("undo").addEventListener("click", undo);
find("help").addEventListener("click", () => find("dialog").showModal());
find("return")?.addEventListener("click", () => find("return-dialog").showModal());
find("return-dialog")?.addEventListener("close", (event) => event.target.returnValue === "return" && returnAll());

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || find("dialog").open) return;
  if (find("return-dialog")?.open) return;
  if (/^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) return;
  const onControl = /^(BUTTON|SUMMARY|A)$/.test(event.target.tagName);
  const actions = {
    Enter: () => !onControl && annotate({ ...chosen }),
    n: () => annotate({}),
    s: skip,
    u: undo,
    "?": () => find("dialog").showModal(),
  };
  if (/^[1-9]$/.test(event.key)) {
    if (buttons[event.key - 1]) nextStance(buttons[event.key - 1].dataset.frame);
  } else if (actions[event.key]) {
    if (event.key === "Enter" && onControl) return;
    event.preventDefault();
    actions[event.key]();
  }
});

addEventListener("online", send);
await send();
await fill();
