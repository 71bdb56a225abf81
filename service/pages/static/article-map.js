// The map of an article: a row of marks for each frame, which leads to its paragraphs, shows them alone, and moves
// from one to the next.
import { plural } from "./data.js";
import { moveAlong } from "./elements.js";

const sections = [...document.querySelectorAll(".paragraph")];
const chipsOf = sections.map(
  (section) => new Map([...section.querySelectorAll(".chip")].map((chip) => [chip.dataset.frame, chip])),
);
const article = document.querySelector("[data-article]");
const bar = document.querySelector("[data-moving]");
// So many marks leave no room for gaps between them.
const CROWDED = 80;

let chosen = null; // the frame whose paragraphs are shown alone
let current = -1; // the place of the paragraph that was moved to

export function decisionOf(chip) {
  return ["present", "uncertain"].find((decision) => chip.classList.contains(decision)) ?? "absent";
}

function decisionIn(place, frame) {
  const chip = chipsOf[place].get(frame);
  return chip ? decisionOf(chip) : "absent";
}

function placesOf(frame) {
  return sections.map((_, place) => place).filter((place) => decisionIn(place, frame) !== "absent");
}

function cell(place, frame) {
  const item = document.createElement("li");
  const decision = decisionIn(place, frame);
  item.className = decision;
  if (decision === "absent") return item;
  const link = document.createElement("a");
  const stance = chipsOf[place].get(frame).querySelector(".stance")?.textContent;
  link.href = `#${sections[place].id}`;
  link.tabIndex = -1;
  link.title = `Paragraph ${Number(sections[place].dataset.paragraph) + 1}: ${decision}${stance ? `, ${stance}` : ""}`;
  link.setAttribute("aria-label", link.title);
  item.append(link);
  return item;
}

export function drawMap() {
  for (const row of document.querySelectorAll("[data-row]")) {
    const frame = row.dataset.row;
    const cells = row.querySelector(".cells");
    const isNowhere = !placesOf(frame).length;
    row.classList.toggle("nowhere", isNowhere && decisionOf(row.querySelector(".chip")) === "absent");
    cells.classList.toggle("crowded", sections.length > CROWDED);
    cells.replaceChildren(...(isNowhere ? [] : sections.map((_, place) => cell(place, frame))));
    const first = cells.querySelector("a");
    if (first) first.tabIndex = 0;
  }
  const carrying = chipsOf.filter((chips) => [...chips.values()].some((chip) => decisionOf(chip) === "present")).length;
  const all = plural(sections.length, "paragraph");
  document.querySelector("[data-map-status]").textContent = `A frame is present in ${carrying} of ${all}.`;
  choose(chosen);
}

function choose(frame) {
  if (frame !== chosen) current = -1;
  chosen = frame;
  for (const chip of document.querySelectorAll("[data-summary] .chip")) {
    chip.setAttribute("aria-pressed", String(chip.dataset.frame === frame));
    if (chip.dataset.frame === frame) {
      bar.querySelector("[data-moving-title]").textContent = chip.querySelector(".chip-title").textContent;
    }
  }
  article.classList.toggle("filtered", frame !== null);
  sections.forEach((section, place) => {
    section.classList.toggle("other", frame !== null && decisionIn(place, frame) === "absent");
  });
  bar.hidden = frame === null;
  if (frame !== null) showPlace();
}

function showPlace() {
  const places = placesOf(chosen);
  const place = places.indexOf(current);
  const none = "in no paragraph at this operating point";
  const counted = `in ${plural(places.length, "paragraph")}`;
  bar.querySelector("[data-moving-place]").textContent =
    place >= 0 ? `${place + 1} of ${places.length}` : places.length ? counted : none;
  for (const button of bar.querySelectorAll("[data-previous], [data-next]")) button.disabled = !places.length;
}

function goTo(place) {
  current = place;
  // The beginning of a paragraph that fills the window is not scrolled away.
  const isLong = sections[place].offsetHeight > 0.7 * innerHeight;
  sections[place].scrollIntoView({ block: isLong ? "start" : "center" });
  sections[place].focus({ preventScroll: true });
}

// After the last paragraph comes the first.
function step(direction) {
  const places = placesOf(chosen);
  if (!places.length) return;
  const next = direction > 0 ? places.find((place) => place > current) : places.findLast((place) => place < current);
  goTo(next ?? places.at(direction > 0 ? 0 : -1));
  showPlace();
}

function onKey(event) {
  const isTyping = event.target.closest?.("input, textarea, select, dialog, [popover]");
  if (chosen === null || isTyping || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  const act = { n: () => step(1), p: () => step(-1), escape: () => choose(null) }[event.key.toLowerCase()];
  if (!act) return;
  event.preventDefault();
  act();
}

export function offerMap() {
  document.querySelector("[data-summary]").addEventListener("click", (event) => {
    const chip = event.target.closest(".chip");
    if (chip) choose(chip.dataset.frame === chosen ? null : chip.dataset.frame);
    const item = event.target.closest(".cells li");
    if (!item) return;
    event.preventDefault();
    goTo([...item.parentElement.children].indexOf(item));
    if (chosen !== null) showPlace();
  });
  for (const cells of document.querySelectorAll(".cells")) {
    cells.addEventListener("keydown", (event) => moveAlong(event, event.target, [...cells.querySelectorAll("a")]));
  }
  bar.querySelector("[data-next]").addEventListener("click", () => step(1));
  bar.querySelector("[data-previous]").addEventListener("click", () => step(-1));
  bar.querySelector("[data-all]").addEventListener("click", () => choose(null));
  document.addEventListener("keydown", onKey);
}
