// What a promotion would change: the server compares by pieces of a few seconds, which are added up here.
import { embedded, plural, request } from "./data.js";
import { element } from "./elements.js";

const PARAGRAPHS = 500;
const EXAMPLES = 20;
const titles = embedded("titles") ?? {};
const places = embedded("places") ?? {};

export function offerComparisons() {
  for (const place of document.querySelectorAll("[data-changes]")) {
    place.querySelector("[data-compare]").addEventListener("click", () => compare(place));
  }
}

async function compare(place) {
  const [button, bar, status] = ["[data-compare]", "progress", "[role=status]"].map((name) => place.querySelector(name));
  button.disabled = true;
  bar.hidden = false;
  bar.value = 0;
  try {
    const sum = await comparison(place.dataset.changes, (paragraphs) => {
      bar.value = paragraphs;
      status.textContent = `Compared ${plural(paragraphs, "paragraph")}…`;
    });
    status.textContent = inWords(sum);
    place.querySelector("[data-table]").replaceChildren(...(sum.paragraphs ? [table(sum)] : []));
    // What the run found when it was trained is older than this.
    place.parentElement.querySelector("[data-changes-of-run]")?.remove();
  } catch (error) {
    status.textContent = `The comparison failed: ${error.message}`;
  } finally {
    bar.hidden = true;
    button.disabled = false;
    button.focus();
  }
}

// Adds up the answers of the server until the newest paragraphs were compared.
async function comparison(version, report) {
  let sum = null;
  let cursor = null;
  do {
    const left = PARAGRAPHS - (sum?.paragraphs ?? 0);
    const query = new URLSearchParams({ paragraphs: left, examples: EXAMPLES, ...(cursor && { cursor }) });
    const piece = await request(`/v1/models/${version}/changes?${query}`);
    if (sum && piece.champion !== sum.champion) throw new Error(`${piece.champion} became the current model meanwhile. Load the page again.`);
    sum = sum ? added(sum, piece) : piece;
    cursor = piece.next;
    report(sum.paragraphs);
  } while (cursor && sum.paragraphs < PARAGRAPHS);
  return sum;
}

function added(sum, piece) {
  const frames = sum.frames.map((frame) => {
    const other = piece.frames.find(({ frame: key }) => key === frame.frame);
    const changes = frame.changes.map((change) => ({ ...change }));
    for (const more of other.changes) {
      const same = changes.find(({ before, after }) => before === more.before && after === more.after);
      if (same) same.paragraphs += more.paragraphs;
      else changes.push({ ...more });
    }
    return {
      ...frame,
      changes: changes.sort((a, b) => b.paragraphs - a.paragraphs),
      examples: [...frame.examples, ...other.examples].sort((a, b) => isAboutPresence(b) - isAboutPresence(a)).slice(0, EXAMPLES),
      present_before: frame.present_before + other.present_before,
      present_after: frame.present_after + other.present_after,
    };
  });
  const counts = Object.fromEntries(["articles", "paragraphs", "changed_paragraphs", "left_out"].map((name) => [name, sum[name] + piece[name]]));
  return { ...sum, ...counts, frames };
}

// Whether a frame comes to be present, or no longer is: the changes that somebody who reads the answers sees first.
function isAboutPresence({ before, after }) {
  return before === "present" || after === "present";
}

function inWords(sum) {
  if (!sum.paragraphs) return "No article is stored that both models could be compared on.";
  const share = ((100 * sum.changed_paragraphs) / sum.paragraphs).toFixed(1);
  const many = sum.changed_paragraphs ? `${plural(sum.changed_paragraphs, "paragraph")} (${share}%) would get another decision on some frame` : "No decision would change";
  const sentences = [`${many}, of ${plural(sum.paragraphs, "paragraph")} in the ${plural(sum.articles, "article")} stored last, at the balanced operating point.`];
  const present = sum.frames.flatMap(({ changes }) => changes).filter(isAboutPresence).reduce((count, change) => count + change.paragraphs, 0);
  if (sum.changed_paragraphs) sentences.push(`${plural(present, "decision")} would change from or to present.`);
  if (sum.left_out) sentences.push(`${plural(sum.left_out, "article")} of more than 200 paragraphs ${sum.left_out === 1 ? "is" : "are"} left out.`);
  for (const [frames, version] of [[sum.only_version, sum.version], [sum.only_champion, sum.champion]]) {
    if (frames.length) sentences.push(`Only ${version} knows ${frames.map((key) => titles[key] ?? key).join(", ")}.`);
  }
  return sentences.join(" ");
}

function table(sum) {
  const head = element("thead", {}, element("tr", {}, ...["Frame", "Decisions that change"].map((name) => element("th", {}, name))));
  const body = element("tbody", {}, ...sum.frames.map(row));
  return element("div", { class: "scroll whole", tabindex: "0", role: "region", "aria-label": `What ${sum.version} would change` }, element("table", { class: "changes" }, head, body));
}

function row(frame) {
  const counts = frame.changes.map(({ before, after, paragraphs }) => `${before} → ${after}: ${paragraphs.toLocaleString("en")}`).join(", ");
  const present = ` · present in ${frame.present_before.toLocaleString("en")} → ${frame.present_after.toLocaleString("en")}`;
  const cell = element("td", {}, element("p", {}, counts || "none", element("span", { class: "faint" }, present)));
  if (frame.examples.length) {
    cell.append(element("details", {}, element("summary", {}, plural(frame.examples.length, "example")), element("ul", { class: "flips" }, ...frame.examples.map(flip))));
  }
  const title = element("th", { scope: "row" }, element("span", { class: "swatch", "aria-hidden": "true" }), titles[frame.frame] ?? frame.frame);
  return element("tr", { class: `frame-${places[frame.frame] ?? -1}` }, title, cell);
}

function flip(example) {
  const scores = `${example.before} → ${example.after} · score ${example.champion_score.toFixed(2)} → ${example.version_score.toFixed(2)} · `;
  const link = element("a", { href: `/articles/${example.article_id}#paragraph-${example.paragraph}` }, example.title || "untitled article");
  return element("li", {}, element("blockquote", {}, example.text), element("p", { class: "faint" }, scores, link, example.outlet ? ` · ${example.outlet}` : ""));
}
