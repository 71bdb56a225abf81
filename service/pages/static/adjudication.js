// Paragraphs on which coders differ, one at a time: what each of them decided, and the decision that settles it.
//
// Frames on which coders differ are open until the adjudicator decides about each; what is saved is what was decided.
import { openSurroundings } from "./around.js";
import { measureBar } from "./bar.js";
import { dayInWords, embedded, plural, post, rememberName, request } from "./data.js";
import { decisionsTable } from "./decisions.js";
import { openDialogs, pressIn } from "./dialogs.js";
import { find, smallButton } from "./elements.js";
import { openFinder } from "./finder.js";
import { buttons, decided as inWords, everyFrame, nameOf } from "./frames.js";
import { listen } from "./keys.js";
import { hideToast, reasonOf, say, showToast, signInLink } from "./notices.js";
import { onSwitch } from "./switches.js";

const stances = embedded("stances");
const root = find("adjudication");
const [text, note, name] = [find("text"), find("note"), find("name")];
const ofSettled = root.dataset.settled === "true";
const ABSENT = "absent";
const AT_ONCE = 20;
const FEW = 5; // paragraphs left when more are fetched

const queue = [];
const made = []; // what was settled in this page, the latest at the end
let next = ""; // cursor of the following page; null after the last
let total = 0;
let decided = {}; // the stance of each frame, or absent; frames that are open are not in it
let acted = false; // whether the adjudicator has decided anything about this paragraph
let taken = -1; // the place of the coder whose decision was taken last
let isSending = false;
let fetching = null;

const surroundings = openSurroundings({ before: find("before"), after: find("after"), problem: find("around-problem"), retry: find("retry") });

// -- what the page says -----------------------------------------------------------------------------------------------

// Says what went wrong, and offers to try again; to sign in again where the session has ended.
function tell(what, error, again) {
  const trouble = find("trouble");
  if (error.status !== 401) {
    trouble.replaceChildren(`${what}: ${reasonOf(error)} `, smallButton("Try again", again));
    return;
  }
  const link = signInLink({ target: "_blank" });
  trouble.replaceChildren(`${what}: your session has ended. `, link, " in another tab, then save again: your decision stays here.");
}

// -- paragraphs ------------------------------------------------------------------------------------------------------

function fetchMore() {
  fetching ??= fetchPage().finally(() => {
    fetching = null;
  });
  return fetching;
}

async function fetchPage() {
  if (next === null) return;
  const parameters = new URLSearchParams({ limit: AT_ONCE, settled: ofSettled });
  for (const filter of ["frame", "reason", "coder"]) if (root.dataset[filter]) parameters.set(filter, root.dataset[filter]);
  if (next) parameters.set("cursor", next);
  try {
    const answer = await request(`/v1/disagreements?${parameters}`);
    if (!next) total = answer.total;
    next = answer.next;
    queue.push(...answer.paragraphs);
    find("trouble").replaceChildren();
  } catch (error) {
    tell("The paragraphs cannot be fetched", error, start);
  }
}

// Fetches paragraphs, and shows the first of them unless another is on the screen.
async function start() {
  const wasEmpty = !queue.length;
  await fetchMore();
  if (wasEmpty) show();
}

// Shows the first paragraph of the queue, with the frames on which all coders agree, or with what was decided before.
function show(before = null) {
  const [task] = queue;
  showCount();
  root.hidden = !task && !made.length; // the last decision can still be undone
  document.querySelector("main").classList.toggle("nothing-left", !task);
  surroundings.show(task?.article_id ? task : null);
  say("");
  if (!task) return;
  acted = Boolean(before);
  taken = -1;
  decided = before ? { ...before.decided } : startOf(task);
  note.value = before?.decision.note || task.settled?.note || "";
  for (const button of buttons) button.closest("li").hidden = !framesOf(task).includes(button.dataset.frame);
  find("decisions").replaceChildren(...decisionsTable(task, take));
  find("where").textContent = [task.title, task.outlet || task.source, task.published_at && dayInWords(task.published_at)].filter(Boolean).join(" · ");
  text.textContent = task.text;
  document.querySelector("[data-switch=article]").hidden = !task.article_id;
  draw();
  if (queue.length < FEW) fetchMore();
}

function showAndRead(before = null) {
  show(before);
  text.focus();
}

function showCount() {
  const isEmpty = !queue.length && next === null;
  find("empty").hidden = !isEmpty;
  find("count").textContent = queue.length ? `${plural(total, "paragraph")} ${ofSettled ? "settled" : "to settle"}` : "";
  if (!isEmpty) return;
  const filtered = root.dataset.frame || root.dataset.reason || root.dataset.coder;
  if (filtered) find("nothing").textContent = `Nothing that is ${ofSettled ? "settled" : "open"} fits these filters.`;
  else find("nothing").textContent = ofSettled ? "Nothing has been settled yet." : "Nothing waits to be settled: no two coders differ about a paragraph, and nobody is unsure of one.";
}

// The frames that any of the coders decided about; of others, nobody says anything.
const framesOf = ({ annotations }) => everyFrame.filter((frame) => annotations.some(({ covered }) => covered.includes(frame)));

// What the paragraph begins with: what an adjudicator has decided, else what the coders agree on.
function startOf(task) {
  const differing = [...task.presence, ...task.stance];
  const isSettled = (frame) => task.settled?.covered.includes(frame);
  const known = framesOf(task).filter((frame) => isSettled(frame) || !differing.includes(frame));
  const deciding = (frame) => (isSettled(frame) ? [task.settled] : task.annotations);
  return Object.fromEntries(known.map((frame) => [frame, stanceAmong(deciding(frame).map(({ frames }) => frames[frame]).filter(Boolean))]));
}

// The stance of a frame on which coders agree: some of them may have left it unspecified.
const stanceAmong = (given) => given.find((stance) => stances.includes(stance)) || given[0] || ABSENT;

// -- deciding ---------------------------------------------------------------------------------------------------------

function draw() {
  for (const button of buttons) {
    const stance = decided[button.dataset.frame];
    button.setAttribute("aria-pressed", String(Boolean(stance) && stance !== ABSENT));
    button.classList.toggle("open", !stance);
    button.querySelector("[data-stance]").textContent = stance || "open";
  }
}

function decide(frames) {
  Object.assign(decided, frames);
  acted = true;
  say("");
  draw();
}

function press(frame) {
  if (!queue.length || !framesOf(queue[0]).includes(frame)) return;
  const order = [...stances, ABSENT];
  decide({ [frame]: order[(order.indexOf(decided[frame]) + 1) % order.length] });
}

// Takes over what a coder decided: the coder at a place, else the next one each time.
function take(place = taken + 1) {
  const [task] = queue;
  if (!task) return;
  taken = place % task.annotations.length;
  const { coder, frames, covered } = task.annotations[taken];
  decide(Object.fromEntries(framesOf(task).filter((frame) => covered.includes(frame)).map((frame) => [frame, frames[frame] || ABSENT])));
  say(`As ${coder} decided: ${inWords({ frames })}. Enter settles it.`);
}

function takeNone() {
  if (!queue.length) return;
  decide(Object.fromEntries(framesOf(queue[0]).map((frame) => [frame, ABSENT])));
  say("No frame. Enter settles it.");
}

// Why the decision cannot be saved as it is; empty if it can.
function obstacle(task) {
  const open = framesOf(task).filter((frame) => !decided[frame]);
  if (open.length) return `Decide about ${open.map(nameOf).join(", ")} first: with its key, or d for what a coder decided.`;
  if (!acted) return "Nothing is settled yet: press the key of a frame, d for what a coder decided, or n for no frame.";
  return name.value.trim() ? "" : "Enter your name first: it is stored with the decision.";
}

function decisionOn(task) {
  const covered = framesOf(task);
  return {
    ...(task.article_id ? { article_id: task.article_id, paragraph: task.paragraph } : { text: task.text, source: task.source }),
    coder: name.value.trim(),
    role: "adjudicator",
    frames: Object.fromEntries(Object.entries(decided).filter(([, stance]) => stance !== ABSENT)),
    note: note.value.trim(),
    ...(covered.length < buttons.length ? { covered } : {}),
  };
}

async function save() {
  const [task] = queue;
  if (!task || isSending) return;
  const why = obstacle(task);
  say(why);
  if (why && acted && !name.value.trim()) name.focus();
  if (why) return;
  isSending = true;
  const [decision, sent] = [decisionOn(task), { ...decided }];
  try {
    const { annotations } = await post("/v1/annotations", decision);
    find("trouble").replaceChildren();
    const isShown = queue[0] === task; // else it was skipped meanwhile, and another is being decided about
    queue.splice(queue.indexOf(task), 1);
    made.push({ task, decision, decided: sent, id: annotations[0].id });
    if (!ofSettled) total -= 1;
    if (!queue.length) await fetchMore();
    if (isShown) showAndRead();
    else showCount();
    showToast(`Settled: ${inWords(decision)}.`, undo);
  } catch (error) {
    tell("This is not saved", error, save);
  } finally {
    isSending = false;
  }
}

// Takes a decision back. What the same person had decided before holds again.
async function withdraw({ task, decision, id }) {
  await request(`/v1/annotations/${id}`, { method: "DELETE" }).catch((error) => {
    if (error.status !== 404) throw error; // it was deleted by an earlier attempt, of which only the rest failed
  });
  if (task.settled?.coder !== decision.coder) return;
  const { frames, covered, note: remark, unsure } = task.settled;
  await post("/v1/annotations", { ...decision, frames, covered, note: remark, unsure });
}

async function undo() {
  if (isSending) return;
  const last = made.at(-1);
  if (!last) {
    say("There is no decision to undo.");
    return;
  }
  isSending = true;
  try {
    await withdraw(last);
  } catch (error) {
    tell("This is not undone", error, undo);
    return;
  } finally {
    isSending = false;
  }
  made.pop();
  if (!ofSettled) total += 1;
  queue.unshift(last.task);
  showAndRead(last);
  hideToast();
  say("Brought back to be changed. Enter settles it again.");
}

function skip() {
  if (queue.length < 2) {
    say("This is the only paragraph that is left.");
    return;
  }
  queue.push(queue.shift());
  showAndRead();
}

// -- buttons and keys -------------------------------------------------------------------------------------------------

const onClick = (control, act) => find(control).addEventListener("click", act);
onClick("save", save);
onClick("take", () => take());
onClick("none", takeNone);
onClick("skip", skip);
onClick("undo", undo);
for (const button of buttons) button.addEventListener("click", () => press(button.dataset.frame));
onSwitch("article", (on) => {
  surroundings.toggle(on);
  text.scrollIntoView({ block: "center" });
});
openDialogs({ closed: () => text.focus() });
if (find("finder")) openFinder({ field: find("find"), opener: find("show-find"), choose: press, done: () => text.focus() });
// In the filters, Enter sends the form and letters are text.
find("filters").addEventListener("keydown", (event) => event.stopPropagation());
listen({ save, leave: () => text.focus(), pressIn });

// After a click with the mouse the keys belong to the paragraph again: Enter saves, and does not click a second time.
root.addEventListener("click", ({ detail, target }) => {
  const opens = document.querySelector("dialog[open]") || target.closest("[data-show-find]");
  if (detail && !opens && target.closest("button")) text.focus({ preventScroll: true });
});

rememberName([name]);
measureBar();
await start();
