// The coding queue, a paragraph at a time. Nothing is stored that the coder has not decided, and nothing decided is lost.
import { openGuess, openSurroundings, prefetch } from "./around.js";
import { measureBar } from "./bar.js";
import { openChoices } from "./choices.js";
import { embedded, momentInWords, plural } from "./data.js";
import { openDialogs, pressIn } from "./dialogs.js";
import { find } from "./elements.js";
import { openFinder } from "./finder.js";
import { decided, everyFrame } from "./frames.js";
import { answerGold } from "./gold.js";
import { listen } from "./keys.js";
import { hideToast, reasonOf, say, showRejected, showToast, showTrouble } from "./notices.js";
import { openOutbox } from "./outbox.js";
import { keyOf, openQueue } from "./queue.js";
import { openRecent } from "./recent.js";
import { isOn, onSwitch } from "./switches.js";
import { joinTabs } from "./tabs.js";
import { openWords } from "./words.js";

const root = find("coding");
const text = find("text");
const { coder } = find("coder").dataset;
const { guess: guessWhen } = root.dataset; // before, after or never
const later = root.dataset.later === "true"; // only frames that came after the coder's annotations
const AHEAD = 5; // articles that are requested before they are needed

const made = []; // what was annotated in this page, the latest at the end
let current = null; // the paragraph on the screen
let changing = null; // the earlier annotation, if it is to be changed
let queueError = null;

const outbox = openOutbox(coder, { stored, rejected, changed: tellTrouble });
const tabs = joinTabs(coder, { yields: giveWay, hears });
const queue = openQueue({ coder, whole: root.dataset.whole === "true", later, arrived, failed });
const choices = openChoices({ coder, stances: embedded("stances"), note: find("note"), unsure: find("unsure"), changed: () => say("") });
const surroundings = openSurroundings({ before: find("before"), after: find("after"), problem: find("around-problem"), retry: find("retry") });
const guess = openGuess(find("guess-shown"));
const showText = openWords(embedded("concepts"), { place: text, legend: find("concepts") });
const recent = openRecent(find("recent"), embedded("recent-annotations"), change);

// -- what the server and other tabs say -------------------------------------------------------------------------------

function tellTrouble() {
  showTrouble(outbox.all().length, outbox.error, queueError);
}

function stored(entry, annotation) {
  recent.update({ ...annotation, ...entry.task });
  tabs.tell("stored", entry.key, annotation.id);
  document.dispatchEvent(new CustomEvent("annotation-stored", { detail: annotation }));
}

function rejected(entry, error) {
  recent.remove(entry.key);
  showRejected(entry, error);
}

function hears(kind, key, id) {
  if (kind === "stored") outbox.note(key, id);
  if (kind === "undone") queue.allow(key);
  if (kind !== "annotated") return;
  queue.take(key);
  if (current && keyOf(current) === key) giveWay();
  else showCount();
}

// Another tab shows or has annotated the paragraph on the screen.
function giveWay() {
  if (!changing) show();
}

function arrived() {
  if (current) showCount();
  else show();
  find("fewer").textContent = queue.fewer;
}

function failed(error) {
  queueError = error;
  tellTrouble();
  if (error && !current) text.textContent = `The queue cannot be reached: ${reasonOf(error)}`;
}

// -- the paragraph on the screen --------------------------------------------------------------------------------------

function showCount() {
  find("waiting-count").textContent = queue.length;
}

function show({ task = queue.first(tabs.isElsewhere), annotation = null } = {}) {
  current = task;
  changing = annotation;
  tabs.shows(task && keyOf(task));
  showCount();
  guess.clear();
  find("changing").hidden = !annotation;
  if (annotation) find("changed-on").textContent = momentInWords(annotation.created_at);
  find("empty").hidden = Boolean(task);
  document.querySelector("main").classList.toggle("nothing-left", !task);
  text.hidden = !task;
  find("where").textContent = task ? [task.title, task.outlet].filter(Boolean).join(" · ") : "";
  showText(task?.text || "", Boolean(task) && isOn("words"));
  surroundings.show(task);
  choices.begin(task && keyOf(task), task?.frames || everyFrame, annotation);
  if (!task) return showNothing();
  if (guessWhen === "before") tellGuess(true);
  return prefetch(queue.following(AHEAD)).catch(() => {}); // the paragraph itself says so if its article is missing
}

function showNothing() {
  let sentence = `There is nothing to code for now. ${queue.fewer}`;
  if (later) sentence = "No paragraph is left that lacks a frame.";
  else if (queue.returned !== null) sentence = `You returned ${plural(queue.returned, "paragraph")}. Reload the page to receive others.`;
  else if (queue.length) sentence = "The paragraphs that are left are open in other tabs.";
  find("nothing").textContent = sentence.trim();
  find("again").hidden = queue.returned !== null;
  find("more").hidden = later || queue.returned !== null || queue.length > 0;
}

// On a phone the choices lie below the paragraph, so that the page has been scrolled when the next paragraph comes.
const isNarrow = matchMedia("(max-width: 46rem)");

function showAndRead(what) {
  show(what);
  text.focus();
  if (isNarrow.matches) find(changing ? "changing" : "where").scrollIntoView();
}

// What the model decided about the paragraph on the screen or, unless the operator allows that, the one before.
function tellGuess(wanted) {
  if (!wanted) guess.clear();
  else if (!isOn("guess")) return;
  else if (guessWhen === "before" && current) guess.tell(current, "The model's decisions");
  else if (guessWhen === "after" && made.length) guess.tell(made.at(-1).task, "The model's decisions on the previous paragraph");
}

async function lookAgain() {
  await tabs.ask();
  await queue.fill();
  if (!current) show();
}

// -- deciding ---------------------------------------------------------------------------------------------------------

const bodyOf = (task, { frames, note, unsure }) => ({
  coder,
  article_id: task.article_id,
  paragraph: task.paragraph,
  frames,
  note,
  unsure,
  // Only what was on the screen was decided.
  ...(task.frames.length === everyFrame.length ? {} : { covered: task.frames }),
});

function send(task, decision, created = new Date().toISOString()) {
  const { article_id, paragraph, title, outlet, frames: covered } = task;
  recent.add({ article_id, paragraph, title, outlet, text: task.text, ...decision, covered, created_at: created });
  outbox.add({ key: keyOf(task), task: { title, outlet, text: task.text }, body: bodyOf(task, decision) });
}

function save() {
  if (!current) return;
  if (choices.any) annotate(choices.decision());
  else say("Nothing is saved yet: choose a frame first, or press n if the paragraph carries none.");
}

function annotate(decision) {
  if (!current) return;
  if (current.gold_item) {
    train(current, decision);
    return;
  }
  const [task, earlier, key] = [current, changing, keyOf(current)];
  choices.forget(key);
  made.push({ task, decision, earlier });
  if (!later && !earlier) count(1);
  queue.take(key);
  tabs.tell("annotated", key);
  send(task, decision);
  showAndRead();
  showToast(`${earlier ? "Changed to" : "Annotated"}: ${decided(decision)}.`, undo);
  if (guessWhen === "after") tellGuess(true);
}

let training = false;

// A gold item is compared with its label at once: what the coder sees in it is no annotation, and cannot be undone.
async function train(task, decision) {
  if (training) return;
  training = true;
  try {
    await answerGold(task, decision);
  } catch (error) {
    if (error.status !== 404) {
      say(`This is a paragraph to train with, and it could not be compared: ${reasonOf(error)} Save again, or skip it.`);
      return;
    }
    say("A paragraph to train with has been withdrawn meanwhile.");
  } finally {
    training = false;
  }
  hideToast();
  choices.forget(keyOf(task));
  queue.take(keyOf(task));
  tabs.tell("annotated", keyOf(task));
  if (current === task) show();
}

function count(change) {
  const place = find("coded");
  place.textContent = Number(place.textContent) + change;
}

// Leads back to an annotation, which stays as it is until another decision is saved.
function change({ article_id, paragraph, title, outlet, text: words, covered, ...annotation }) {
  const task = { article_id, paragraph, title, outlet, text: words, frames: everyFrame.filter((frame) => covered.includes(frame)) };
  hideToast();
  showAndRead({ task, annotation });
}

// Takes the last annotation of this page back and presents it with its choices. After a reload, the newest annotation is
// presented instead, and stays as it is until another decision is saved.
function undo() {
  hideToast();
  if (made.length) takeBack(made.pop());
  else if (recent.newest) change(recent.newest);
  else say("There is no annotation to undo.");
}

function takeBack({ task, decision, earlier }) {
  const key = keyOf(task);
  choices.preset(key, decision);
  if (earlier) {
    // It says again what it said before, until another decision is saved.
    send(task, { frames: earlier.frames, note: earlier.note, unsure: earlier.unsure }, earlier.created_at);
    showAndRead({ task, annotation: earlier });
    return;
  }
  queue.bringBack(task);
  tabs.tell("undone", key);
  if (!later) {
    // With later frames it holds the earlier decisions too: the next annotation of the paragraph replaces it.
    outbox.withdraw(key);
    recent.remove(key);
    count(-1);
  }
  showAndRead({ task });
  say("Undone, and here to be changed. Enter saves it again.");
}

function leave() {
  if (!changing) {
    text.focus();
    return;
  }
  choices.forget(keyOf(current));
  showAndRead();
}

function skip() {
  if (!current) return;
  if (changing) leave();
  else if (queue.length < 2) say("This is the only paragraph that waits for you.");
  else {
    queue.postpone(current);
    hideToast();
    showAndRead();
  }
}

// Returns all paragraphs that are not coded, so that other coders can receive them.
async function returnAll() {
  await outbox.send();
  if (outbox.all().length) {
    say("Nothing was returned: the server does not have all your annotations yet.");
    return;
  }
  try {
    await queue.returnAll();
  } catch (error) {
    say(`Nothing was returned: ${reasonOf(error)}`);
    return;
  }
  made.length = 0;
  hideToast();
  find("fewer").textContent = "";
  show();
}

// -- buttons and keys -------------------------------------------------------------------------------------------------

const onClick = (name, act) => find(name).addEventListener("click", act);
onClick("save", save);
onClick("none", () => annotate({ ...choices.decision(), frames: {} }));
onClick("skip", skip);
onClick("undo", undo);
onClick("leave", leave);
onClick("again", lookAgain);
onClick("show-recent", () => recent.focus());
onSwitch("guess", tellGuess, { remembered: true });
onSwitch("words", (on) => showText(current?.text || "", Boolean(current) && on), { remembered: true });
onSwitch("article", (on) => {
  surroundings.toggle(on);
  text.scrollIntoView({ block: "center" });
});
openDialogs({ closed: () => text.focus(), returnAll });
if (find("finder")) openFinder({ field: find("find"), opener: find("show-find"), choose: choices.press, done: () => text.focus() });
listen({ save, leave, pressIn });
measureBar();

// After a click with the mouse the keys belong to the paragraph again: Enter saves, and does not click a second time.
document.querySelector("main").addEventListener("click", ({ detail, target }) => {
  const opens = document.querySelector("dialog[open], :popover-open") || target.closest("[data-show-find], [data-show-recent]");
  if (detail && !opens && target.closest("button, [type=checkbox]")) text.focus({ preventScroll: true });
});

// What an earlier page could not send.
for (const { key, task, body, withdrawn } of outbox.all()) {
  if (withdrawn) {
    queue.allow(key);
    recent.remove(key);
    continue;
  }
  queue.exclude(key);
  if (task) recent.add({ ...task, ...body, covered: body.covered || everyFrame, created_at: new Date().toISOString() });
}
outbox.send();
await tabs.ask();
await queue.fill();
