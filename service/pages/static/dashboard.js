// The figures above the charts: how much is counted, and the share of each frame with its interval.
import { percent, titleOf } from "./chart_rows.js";
import { embedded, plural, request } from "./data.js";
import { element, smallButton } from "./elements.js";

const MAX_CARDS = 6;
const places = embedded("places") || {};
const section = document.querySelector("[data-figures]");

function card(title, value, about) {
  const parts = { faint: title, value, interval: about };
  const lines = Object.entries(parts).map(([name, content]) => element("span", { class: name }, ...[content].flat()));
  return element("div", { class: "card" }, ...lines);
}

function shareCard(row, corrected) {
  const swatch = { class: `swatch frame-${places[row.frame] ?? -1}`, "aria-hidden": "true" };
  const name = [element("span", swatch), titleOf(row.frame)];
  if (!corrected) return card(name, percent(row.raw_share), "raw share");
  if (row.corrected_share === null) {
    const needed = row.annotations_needed;
    return card(name, "–", needed ? `${plural(needed, `more coded ${section.dataset.unit}`)} needed` : "too few annotations");
  }
  return card(name, percent(row.corrected_share), `${percent(row.low)} to ${percent(row.high)}`);
}

function fill(answer) {
  const status = section.querySelector("[role=status]");
  if (!answer.rows.length) {
    status.textContent = "No article passes these filters.";
    return;
  }
  const [{ articles, total }] = answer.rows;
  const corrected = section.dataset.shares === "corrected";
  const share = (row) => (corrected ? row.corrected_share ?? -1 : row.raw_share);
  const frequent = [...answer.rows].sort((a, b) => share(b) - share(a)).slice(0, MAX_CARDS);
  const shown = answer.rows.filter((row) => frequent.includes(row));
  const { unit, coded } = section.dataset;
  const counted = unit === "paragraph" ? `with ${plural(total, "paragraph")}` : "each counted once";
  section.querySelector(".cards").replaceChildren(
    card("Articles", articles.toLocaleString("en"), counted),
    card("Coded", Number(coded).toLocaleString("en"), `${Number(coded) === 1 ? "paragraph" : "paragraphs"} of the coding queue`),
    ...shown.map((row) => shareCard(row, corrected)),
  );
  const more = answer.rows.length - shown.length;
  const kind = corrected ? "Corrected shares with 95% intervals" : "Raw shares, with the errors of the model";
  const limit = more ? ` The ${shown.length} most frequent of ${answer.rows.length} frames.` : "";
  status.textContent = `${kind}, of all ${unit}s that pass the filters.${limit}`;
}

async function show() {
  const status = section.querySelector("[role=status]");
  try {
    fill(await request(section.dataset.figures));
    section.dataset.drawn = "true";
  } catch (error) {
    status.replaceChildren(`The figures cannot be shown: ${error.message} `, smallButton("Try again", show));
    section.dataset.drawn = "failed";
  }
}

if (section) show();
