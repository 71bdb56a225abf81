// The weights of words, below their paragraph: of a word that is pointed at, touched or focused, and of a frame as a sum.
import { embedded, plural } from "./data.js";
import { element, moveAlong, recolour } from "./elements.js";

const functionWords = new Set(embedded("function-words"));
let paragraphs = new Map(); // of the answer, by their index
let sectionOfWord = null; // where the weights of a single word are shown

const signed = (weight) => `${weight < 0 ? "−" : "+"}${Math.abs(weight).toFixed(2)}`;
const chipOf = (section, frame) => section.querySelector(`.chips .chip[data-frame="${CSS.escape(frame)}"]`);
const titleOf = (section, frame) => chipOf(section, frame)?.querySelector(".chip-title").textContent ?? frame;

// The frames of which a word is evidence and which are not absent, the strongest first.
function framesOf(mark, section) {
  const weights = Object.entries(JSON.parse(mark.dataset.weights));
  return weights
    .filter(([frame]) => chipOf(section, frame)?.classList.contains("absent") === false)
    .sort((a, b) => b[1] - a[1]);
}

// Gives each word the colour of the strongest of its frames; one word of a paragraph is reached by the tab key.
export function colourEvidence(section) {
  const [words, reached] = [[...section.querySelectorAll(".evidence")], []];
  for (const mark of words) {
    const frames = framesOf(mark, section);
    mark.classList.toggle("quiet", !frames.length);
    mark.removeAttribute("role");
    mark.removeAttribute("tabindex");
    mark.removeAttribute("title");
    if (!frames.length) continue;
    reached.push(mark);
    recolour(mark, chipOf(section, frames[0][0]));
    mark.setAttribute("role", "button");
    mark.tabIndex = -1;
    mark.title = frames.map(([frame, weight]) => `${titleOf(section, frame)} ${signed(weight)}`).join(", ");
  }
  if (reached.length) reached[0].tabIndex = 0;
  close(section);
}

function close(section) {
  const panel = section.querySelector("[data-weighing]");
  panel.hidden = true;
  panel.replaceChildren();
  panel.dataset.weighing = "";
  for (const chip of section.querySelectorAll('.chip[aria-expanded="true"]')) chip.setAttribute("aria-expanded", "false");
}

function open(section, frame, ...content) {
  if (sectionOfWord) close(sectionOfWord);
  sectionOfWord = null;
  close(section);
  const panel = section.querySelector("[data-weighing]");
  panel.dataset.weighing = frame;
  panel.append(...content);
  panel.hidden = false;
}

function showWord(section, mark) {
  const weights = framesOf(mark, section).map(([frame, weight]) => `${signed(weight)} for ${titleOf(section, frame)}`);
  open(section, "", element("p", {}, element("strong", {}, `“${mark.textContent}”`), ` ${weights.join(", ")}`));
  sectionOfWord = section;
}

function weightItem(span, pointedAt) {
  const places = 1 + (span.repeats?.length ?? 0);
  const times = places > 1 ? ` (${plural(places, "place")})` : "";
  const item = element("li", {}, `${span.text} `, element("span", { class: "number" }, signed(span.weight)), times);
  item.classList.toggle("function", functionWords.has(span.text.toLowerCase()));
  item.classList.toggle("against", span.weight < 0);
  item.classList.toggle("pointed-at", span.text.toLowerCase() === pointedAt);
  return item;
}

// The figures add up as they are shown: the rest is what the rounded sum leaves of the rounded log-odds.
function sum(spans, score) {
  const logOdds = Math.log(score / (1 - score));
  const words = `${plural(spans.length, "word")} with the largest weights`;
  const shown = spans.reduce((total, span) => total + Number(span.weight.toFixed(2)), 0);
  if (!Number.isFinite(logOdds)) return `The ${words} add up to ${signed(shown)}; the score is ${score.toFixed(2)}.`;
  const rest = Number(logOdds.toFixed(2)) - shown;
  return (
    `The ${words} add up to ${signed(shown)}; all other words and the starting point of the frame to ${signed(rest)}. ` +
    `Together these are log-odds of ${signed(logOdds)}, a score of ${score.toFixed(2)}.`
  );
}

function showFrame(section, frame, pointedAt = "") {
  const { score, evidence } = paragraphs.get(section.dataset.paragraph).frames[frame];
  const title = element("strong", {}, titleOf(section, frame));
  if (!evidence?.length) {
    const why = " The weights of its words are not known: another model gave the score, or it shows no evidence.";
    open(section, frame, element("p", {}, title, why));
  } else {
    const items = evidence.map((span) => weightItem(span, pointedAt));
    open(section, frame, element("p", {}, title), element("ul", {}, ...items), element("p", { class: "faint" }, sum(evidence, score)));
  }
  chipOf(section, frame)?.setAttribute("aria-expanded", "true");
}

function toggleFrame(section, frame) {
  const isOpen = section.querySelector("[data-weighing]").dataset.weighing === frame;
  if (isOpen) close(section);
  else showFrame(section, frame);
}

function activate(section, mark) {
  const [strongest] = framesOf(mark, section);
  if (strongest) showFrame(section, strongest[0], mark.textContent.toLowerCase());
}

function onKey(section, event) {
  const mark = event.target.closest(".evidence[role]");
  if (event.key === "Escape" && !section.querySelector("[data-weighing]").hidden) {
    event.preventDefault();
    close(section);
  } else if (mark && ["Enter", " "].includes(event.key)) {
    event.preventDefault();
    activate(section, mark);
  } else if (mark) {
    moveAlong(event, mark, [...section.querySelectorAll(".evidence[role]")]);
  }
}

export function offerEvidence(answer) {
  paragraphs = new Map(answer.paragraphs.map((paragraph) => [String(paragraph.index), paragraph]));
  for (const section of document.querySelectorAll(".paragraph")) {
    section.addEventListener("keydown", (event) => onKey(section, event));
    section.addEventListener("focusin", (event) => {
      // A pointer gives focus before its click: a line that came or went then would move the page below it.
      const mark = event.target.closest(".evidence[role]:focus-visible");
      if (mark) showWord(section, mark);
    });
    section.addEventListener("click", (event) => {
      const chip = event.target.closest(".chips .chip");
      if (chip) toggleFrame(section, chip.dataset.frame);
      const mark = event.target.closest(".evidence[role]");
      if (mark && getSelection().isCollapsed) activate(section, mark);
    });
  }
}
