// What a reader must know of a chart: the notes above it, the lines of a picture for paper, and a point in words.
import { dayInWords, plural } from "./data.js";
import { distinct, percent, titleOf } from "./chart_rows.js";

const FEW = 3;

// What the address of the data says: which figures were counted, and how.
export function questionOf(source) {
  const parameters = new URLSearchParams(source.split("?")[1] || "");
  const single = Object.fromEntries(parameters);
  const by = (single.by || "").split(",").find((part) => part !== "outlet");
  return { ...single, by, outlets: parameters.getAll("outlet"), frames: parameters.getAll("frame") };
}

const level = (answer) => `${Math.round(100 * answer.confidence)}%`;

// Short sentences, and for those that concern many frames the names for whoever wants them.
export function notes(answer, rows, shares) {
  if (!rows.length) {
    const nothing = answer.rows?.length ? "No paragraph carries any of these frames." : "No article passes these filters.";
    return { lines: [nothing], more: [] };
  }
  const lines = [...counts(answer), ...(shares === "corrected" ? corrections(answer) : []), ...(shares === "raw" ? [RAW] : [])];
  const more = [];
  for (const [tier, few, many] of [
    ["C", (names) => `Reliability tier C, a hint only: ${names}.`, (count) => `${plural(count, "frame")} of reliability tier C, a hint only.`],
    ["not_validated", (names) => `Not validated on your articles: ${names}.`, (count) => `${plural(count, "frame")} not validated on your articles.`],
  ]) {
    const names = distinct((answer.rows || []).filter((row) => row.reliability_tier === tier), "frame").map(titleOf);
    if (names.length > FEW) more.push(few(names.join(", ")));
    if (names.length) lines.push(names.length > FEW ? many(names.length) : few(names.join(", ")));
  }
  return { lines, more };
}

const RAW = "Raw shares contain the errors of the model, and have no interval that shows their size.";

function counts(answer) {
  const lines = [];
  if (answer.off_topic_articles) {
    const counted = answer.population === "on_subject" ? "left out" : "counted";
    const off = answer.off_topic_articles;
    lines.push(`${plural(off, "article")} ${off === 1 ? "is" : "are"} about something else: ${counted}.`);
  }
  if (answer.undated_articles && answer.rows?.some((row) => row.period)) {
    const undated = answer.undated_articles;
    lines.push(`${plural(undated, "article")} ${undated === 1 ? "has no date and stands where it" : "have no date and stand where they"} arrived.`);
  }
  const unscored = answer.unscored_articles;
  if (unscored) {
    lines.push(`${plural(unscored, "article")} ${unscored === 1 ? "has" : "have"} not been scored by the current model yet and ${unscored === 1 ? "counts" : "count"} nowhere.`);
  }
  return lines;
}

function corrections(answer) {
  const lines = [];
  const missing = answer.rows.filter((row) => row.corrected_share === null);
  const borrowed = answer.rows.filter((row) => row.correction === "borrowed").length;
  const needed = Math.max(0, ...missing.map((row) => row.annotations_needed || 0));
  if (missing.length) {
    lines.push(`${missing.length} of ${plural(answer.rows.length, "point")} have too few annotations and are not drawn. With up ` +
      `to ${needed} more coded ${answer.unit}s, each would have an interval of ${100 * answer.width} percentage points.`);
  }
  if (borrowed) {
    lines.push(`${borrowed} of ${plural(answer.rows.length, "point")} have too few annotations and borrow those of all points, ` +
      "which assumes that a score means the same everywhere.");
  }
  return lines;
}

// The lines under the title of a picture, and the one at its foot: whoever sees it elsewhere has no page around it.
export function captions({ chart, answer, rows, question }, { product, about }) {
  if (!answer) return { subtitle: [about, ofModels(chart, rows)].filter(Boolean), source: `Source: ${product}, ${dayInWords(new Date())}.` };
  const subtitle = [filters(question, answer), figures(chart, answer, rows, question)].filter(Boolean);
  const model = `model ${answer.model_version}, codebook version ${answer.codebook_version}`;
  return { subtitle, source: `Source: ${product}, ${model}, ${dayInWords(answer.queried_at)}.` };
}

// Every frame has bins of the same paragraphs; the versions name theirs in the legend.
const ofModels = (chart, rows) => (chart === "reliability" ? `n = ${plural(sum(rows.filter((row) => row.title === rows[0].title), "paragraphs"), "paragraph")}.` : "");

const POINTS = { high_precision: "high precision", balanced: "balanced", high_recall: "high recall" };

function filters(question, answer) {
  const { from, to } = question;
  const span = from && to ? `${dayInWords(from)} to ${dayInWords(to)}` : from ? `from ${dayInWords(from)}` : to ? `until ${dayInWords(to)}` : "all days";
  const parts = [span, question.outlets.length ? `outlets: ${question.outlets.join(", ")}` : "all outlets"];
  if (question.frames.length) parts.push(`frames: ${question.frames.map(titleOf).join(", ")}`);
  if (answer.population === "on_subject") parts.push("articles about the subject of the codebook");
  if (answer.dedup) parts.push("each story counted once");
  if (question.operating_point) parts.push(`operating point: ${POINTS[question.operating_point]}`);
  return `${capital(parts.join("; "))}.`;
}

const capital = (text) => text[0].toUpperCase() + text.slice(1);

function figures(chart, answer, rows, question) {
  const cells = [...new Map((answer.rows || []).map((row) => [`${row.period} ${row.outlet}`, row])).values()];
  const articles = plural(answer.articles ?? sum(cells, "articles"), "article");
  const paragraphs = answer.paragraphs ?? sum(cells, "total");
  let counted = question.unit === "article" ? articles : `${plural(paragraphs, "paragraph")} in ${articles}`;
  if (chart === "stances") counted = `${plural(sum(answer.rows, "count"), "frame")} in the paragraphs of ${articles}`;
  return `n = ${counted}. ${method(chart, answer, question)}`;
}

const sum = (rows, name) => rows.reduce((total, row) => total + (row[name] || 0), 0);

function method(chart, answer, question) {
  if (chart === "pairs") return "Raw shares: the decisions of the model, not corrected.";
  if (chart === "stances") return "Estimated from calibrated scores, not corrected.";
  if (question.correct === "false") return "Raw shares: the decisions of the model, not corrected, without intervals.";
  const drawn = answer.rows.filter((row) => row.corrected_share !== null);
  const borrowed = drawn.filter((row) => row.correction === "borrowed").length;
  const how = !borrowed ? "corrected by annotations" : borrowed === drawn.length ? "with a borrowed correction" : `corrected by annotations; the correction of ${borrowed} of ${plural(drawn.length, "point")} is borrowed`;
  return `Shares ${how}, with ${level(answer)} intervals.`;
}

const interval = (row, scale) => (typeof row.low === "number" ? ` (${scale.level} interval ${scale.figure(row.low)} to ${scale.figure(row.high)})` : "");
const CORRECTIONS = { annotations: ", corrected by annotations", borrowed: ", with a borrowed correction", off: ", raw", too_few_annotations: "" };
const ofShare = (row, scale) => `${percent(row.share)}${interval(row, scale)} of ${plural(row.total, scale.unit)}${CORRECTIONS[row.correction]}`;

const SENTENCES = {
  prevalence: (row, scale) => `${row.title}, ${row.when}: ${ofShare(row, scale)}`,
  outlets: (row, scale) => `${row.outlet}, ${row.title}: ${ofShare(row, scale)}`,
  pairs: (row, scale) => `${row.title} with ${row.other_title}: ${percent(row.share)}, ${plural(row.count, scale.unit)}`,
  stances: (row, scale) => `${row.who}, ${row.stance}: ${percent(row.share)}${interval(row, scale)} of ${plural(row.count, "paragraph")}`,
  reliability: (row) => `${row.title}, mean score ${row.mean_score.toFixed(2)}: ${percent(row.share)} of ${plural(row.paragraphs, "paragraph")} carry the frame`,
  versions: (row, scale) => `${row.version}, ${row.short}: macro F1 ${scale.figure(row.value)}${interval(row, scale)}`,
};

// A point in words, for readers who go through a chart with the keyboard.
export function inASentence(chart, row, answer) {
  const figure = chart === "versions" ? (value) => value.toFixed(2) : percent;
  return `${SENTENCES[chart](row, { figure, unit: answer?.unit || "paragraph", level: answer ? level(answer) : "95%" })}.`;
}
