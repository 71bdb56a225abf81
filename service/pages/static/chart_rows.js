// The rows of a chart, made from what the API answers, and the same rows as a table and as CSV.
import { dayInWords, embedded } from "./data.js";

const titles = embedded("titles") || {};
export const titleOf = (frame) => titles[frame] || frame;
export const distinct = (rows, name) => [...new Set(rows.map((row) => row[name]))];

// With a large codebook, only the most frequent frames are drawn until the reader wants all.
const MAX_FRAMES = 12;

const PERIODS = {
  day: dayInWords,
  week: (text) => `week of ${dayInWords(text)}`,
  month: (text) => dayInWords(text).split(" ").slice(1).join(" "),
  year: (text) => dayInWords(text).split(" ").at(-1),
};

function shareRows(answer, { shares, by }) {
  const corrected = shares === "corrected";
  return answer.rows.map((row) => ({
    ...row,
    title: titleOf(row.frame),
    when: row.period && PERIODS[by](row.period),
    outlet: row.outlet || "no outlet",
    share: corrected ? row.corrected_share : row.raw_share,
  }));
}

function pairRows(answer) {
  const most = Math.max(0, ...answer.pairs.map((pair) => pair.share));
  return answer.pairs.flatMap((pair) => {
    const [title, other] = [titleOf(pair.frame), titleOf(pair.other)];
    const row = { ...pair, most };
    return [{ ...row, title, other_title: other }, { ...row, title: other, other_title: title }];
  });
}

// Stances by frame; if a single frame is chosen, by outlet.
function stanceRows(answer) {
  const singleFrame = distinct(answer.rows, "frame").length === 1;
  return answer.rows.filter((row) => row.stances).flatMap((row) => {
    const title = titleOf(row.frame);
    const who = singleFrame ? row.outlet || "no outlet" : title;
    const facts = { title, who, count: row.count };
    return Object.entries(row.stances).map(([stance, figures], place) => ({ ...facts, stance, place, ...figures }));
  });
}

const READERS = { pairs: pairRows, stances: stanceRows };

export const rowsOf = (chart, answer, question) => (READERS[chart] || shareRows)(answer, question);

export function mostFrequent(rows) {
  const totals = new Map();
  for (const row of rows) totals.set(row.title, (totals.get(row.title) || 0) + (row.count ?? row.paragraphs ?? 0));
  if (totals.size <= MAX_FRAMES) return rows;
  const frequent = new Set([...totals].sort((a, b) => b[1] - a[1]).slice(0, MAX_FRAMES).map(([title]) => title));
  return rows.filter((row) => frequent.has(row.title) && (!row.other_title || frequent.has(row.other_title)));
}

const BY_FRAME = [["title", "Frame"], ["share", "Share"], ["low", "Low"], ["high", "High"], ["total", "Counted"], ["annotations", "Annotations"], ["reliability_tier", "Reliability tier"]];
const COLUMNS = {
  prevalence: [["period", "Period"], ...BY_FRAME],
  outlets: [["outlet", "Outlet"], ...BY_FRAME],
  pairs: [["title", "Frame"], ["other_title", "With"], ["count", (unit) => (unit === "article" ? "Articles" : "Paragraphs")], ["share", "Share"]],
  reliability: [["title", "Frame"], ["mean_score", "Mean score"], ["share", "Share"], ["paragraphs", "Paragraphs"]],
  stances: [["who", "Who"], ["stance", "Stance"], ["share", "Share"], ["low", "Low"], ["high", "High"], ["count", "Paragraphs"]],
  versions: [["version", "Version"], ["short", "Measured on"], ["value", "Macro F1"], ["low", "Low"], ["high", "High"], ["how", "In detail"]],
};
const SHARES = new Set(["share", "low", "high"]);

export const percent = (share) => (share === null || share === undefined ? "" : `${(100 * share).toFixed(1)}%`);

function inTable(chart, column, value) {
  if (SHARES.has(column) && chart !== "versions") return percent(value);
  return typeof value === "number" && !Number.isInteger(value) ? value.toFixed(2) : value ?? "";
}

const heads = (chart, unit) => COLUMNS[chart].map(([, title]) => (typeof title === "string" ? title : title(unit)));

export function fillTable(place, chart, rows, unit) {
  const table = document.createElement("table");
  const head = table.createTHead().insertRow();
  for (const title of heads(chart, unit)) {
    const cell = document.createElement("th");
    cell.scope = "col";
    cell.textContent = title;
    head.append(cell);
  }
  const body = table.createTBody();
  for (const row of rows) {
    const line = body.insertRow();
    for (const [column] of COLUMNS[chart]) line.insertCell().textContent = inTable(chart, column, row[column]);
  }
  place.replaceChildren(table);
}

// For charts that the API has no CSV for: the table below the chart, with shares as numbers from 0 to 1.
export function tableAsCsv(chart, rows, unit) {
  const cell = (value) =>
    typeof value === "number" ? value : `"${String(value ?? "").replaceAll('"', '""').replace(/^([=+\-@])/, "'$1")}"`;
  const lines = [heads(chart, unit), ...rows.map((row) => COLUMNS[chart].map(([column]) => row[column]))];
  return lines.map((line) => `${line.map(cell).join(",")}\r\n`).join("");
}
