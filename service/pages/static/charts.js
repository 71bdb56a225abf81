// Draws each chart of the page from its Vega-Lite specification and the rows that the API returns for it.
import { download, embedded, request } from "./data.js";

const MAX_FRAMES = 8;
const titles = embedded("titles") || {};
const dark = matchMedia("(prefers-color-scheme: dark)");

const percent = (share) => (share === null || share === undefined ? "" : `${(100 * share).toFixed(1)}%`);

function shareRows(answer, shares) {
  const corrected = shares === "corrected";
  return answer.rows.map((row) => ({
    ...row,
    title: titles[row.frame] || row.frame,
    outlet: row.outlet || "no outlet",
    share: corrected ? row.corrected_share : row.raw_share,
  }));
}

function pairRows(answer) {
  const most = Math.max(0, ...answer.pairs.map((pair) => pair.share));
  return answer.pairs.flatMap((pair) => {
    const [title, other] = [titles[pair.frame] || pair.frame, titles[pair.other] || pair.other];
    const row = { ...pair, most };
    return [{ ...row, title, other_title: other }, { ...row, title: other, other_title: title }];
  });
}

// Stances by frame; if a single frame is chosen, by outlet.
function stanceRows(answer) {
  const singleFrame = distinct(answer.rows, "frame") === 1;
  return answer.rows.filter((row) => row.stances).flatMap((row) => {
    const title = titles[row.frame] || row.frame;
    const who = singleFrame ? row.outlet || "no outlet" : title;
    const facts = { title, who, count: row.count };
    return Object.entries(row.stances).map(([stance, figures], place) => ({ ...facts, stance, place, ...figures }));
  });
}

// With a large codebook, only the most frequent frames are drawn.
function mostFrequent(rows) {
  const totals = new Map();
  for (const row of rows) totals.set(row.title, (totals.get(row.title) || 0) + (row.count ?? row.paragraphs ?? 0));
  if (totals.size <= MAX_FRAMES) return [rows, ""];
  const frequent = new Set([...totals].sort((a, b) => b[1] - a[1]).slice(0, MAX_FRAMES).map(([title]) => title));
  const shown = rows.filter((row) => frequent.has(row.title) && (!row.other_title || frequent.has(row.other_title)));
  return [shown, `The ${MAX_FRAMES} most frequent of ${totals.size} frames; choose a frame above for another. `];
}

function note(answer, rows, shares, limits) {
  if (!rows.length) return "No article passes these filters.";
  const notes = [limits];
  if (answer.off_topic_articles) {
    const counted = answer.population === "on_subject" ? "left out" : "counted";
    const off = answer.off_topic_articles;
    notes.push(`${off === 1 ? "1 article is" : `${off} articles are`} about something else: ${counted}.`);
  }
  if (answer.undated_articles && answer.rows?.some((row) => row.period)) {
    const undated = answer.undated_articles;
    notes.push(undated === 1 ? "1 article has no date and stands where it arrived." : `${undated} articles have no date and stand where they arrived.`);
  }
  const unscored = answer.unscored_articles;
  if (unscored) {
    notes.push(`${unscored === 1 ? "1 article has" : `${unscored} articles have`} not been scored by the current model yet and ${unscored === 1 ? "counts" : "count"} nowhere.`);
  }
  if (shares === "corrected") {
    const missing = answer.rows.filter((row) => row.corrected_share === null);
    const borrowed = answer.rows.filter((row) => row.correction === "borrowed").length;
    const needed = Math.max(0, ...missing.map((row) => row.annotations_needed || 0));
    if (missing.length) {
      notes.push(`${missing.length} of ${answer.rows.length} points have too few annotations and are not drawn. With up ` +
        `to ${needed} more coded ${answer.unit}s, each would have an interval of ${100 * answer.width} percentage points.`);
    }
    if (borrowed) {
      notes.push(`${borrowed} of ${answer.rows.length} points have too few annotations and borrow those of all points, ` +
        "which assumes that a score means the same everywhere.");
    }
  } else if (shares === "raw") {
    notes.push("Raw shares contain the errors of the model, and have no interval that shows their size.");
  }
  const weak = [...new Set(answer.rows?.filter((row) => row.reliability_tier === "C").map((row) => titles[row.frame] || row.frame))];
  if (weak.length) notes.push(`Reliability tier C, a hint only: ${weak.join(", ")}.`);
  const open = [...new Set(answer.rows?.filter((row) => row.reliability_tier === "not_validated").map((row) => titles[row.frame] || row.frame))];
  if (open.length) notes.push(`Not validated on your articles: ${open.join(", ")}.`);
  return notes.join(" ").trim();
}

const COLUMNS = {
  prevalence: [["period", "Period"], ["title", "Frame"], ["share", "Share"], ["low", "Low"], ["high", "High"], ["total", "Counted"], ["annotations", "Annotations"], ["reliability_tier", "Reliability tier"]],
  outlets: [["outlet", "Outlet"], ["title", "Frame"], ["share", "Share"], ["low", "Low"], ["high", "High"], ["total", "Counted"], ["annotations", "Annotations"], ["reliability_tier", "Reliability tier"]],
  pairs: [["title", "Frame"], ["other_title", "With"], ["paragraphs", "Paragraphs"], ["share", "Share"]],
  reliability: [["title", "Frame"], ["mean_score", "Mean score"], ["share", "Share"], ["paragraphs", "Paragraphs"]],
  stances: [["who", "Who"], ["stance", "Stance"], ["share", "Share"], ["low", "Low"], ["high", "High"], ["count", "Paragraphs"]],
  versions: [["version", "Version"], ["short", "Measured on"], ["value", "Macro F1"], ["low", "Low"], ["high", "High"], ["how", "In detail"]],
};
const SHARES = new Set(["share", "low", "high"]);

function fillTable(place, name, rows) {
  const table = document.createElement("table");
  const head = table.createTHead().insertRow();
  for (const [, title] of COLUMNS[name]) {
    const cell = document.createElement("th");
    cell.scope = "col";
    cell.textContent = title;
    head.append(cell);
  }
  const body = table.createTBody();
  for (const row of rows) {
    const line = body.insertRow();
    for (const [column] of COLUMNS[name]) {
      const value = row[column];
      const share = SHARES.has(column) && name !== "versions";
      line.insertCell().textContent = share ? percent(value) : typeof value === "number" && !Number.isInteger(value) ? value.toFixed(2) : value ?? "";
    }
  }
  place.replaceChildren(table);
}

function colours() {
  const style = getComputedStyle(document.documentElement);
  const probe = document.createElement("span");
  document.body.append(probe);
  const colour = (name) => {
    probe.className = "";
    probe.style.color = style.getPropertyValue(name);
    return getComputedStyle(probe).color;
  };
  const theme = { ink: colour("--ink"), faint: colour("--faint"), line: colour("--line") };
  probe.remove();
  return theme;
}

function config(width) {
  const { ink, faint, line } = colours();
  const columns = width < 420 ? 1 : width < 760 ? 2 : 4;
  return {
    background: "transparent",
    font: "system-ui, sans-serif",
    view: { stroke: "transparent" },
    axis: { labelColor: faint, titleColor: faint, gridColor: line, domainColor: line, tickColor: line, labelFontSize: 12, titleFontSize: 12, gridOpacity: 0.6, labelLimit: Math.max(90, width / 4) },
    legend: { labelColor: ink, titleColor: faint, labelFontSize: 12, columns, labelLimit: (0.8 * width) / columns },
    style: { cell: { stroke: "transparent" } },
  };
}

const READERS = { pairs: pairRows, stances: stanceRows };

async function rowsOf(figure) {
  const { chart, source, shares } = figure.dataset;
  if (source.startsWith("#")) return [embedded(source.slice(1)), ""];
  const answer = await request(source);
  const all = READERS[chart] ? READERS[chart](answer) : shareRows(answer, shares);
  const [rows, limits] = mostFrequent(all);
  return [rows, note(answer, rows, READERS[chart] ? "" : shares, limits)];
}

// Limits the legend to the frames that are drawn.
function trim(encoded, shown) {
  if (Array.isArray(encoded)) return encoded.forEach((part) => trim(part, shown));
  if (!encoded || typeof encoded !== "object") return undefined;
  if (encoded.scale?.domain && encoded.scale.range && encoded.field === "title") {
    const { domain, range } = encoded.scale;
    encoded.scale.range = range.filter((_, place) => shown.has(domain[place]));
    encoded.scale.domain = domain.filter((title) => shown.has(title));
  }
  return Object.values(encoded).forEach((part) => trim(part, shown));
}

// For charts that the API has no CSV for: the table below the chart, with shares as numbers from 0 to 1.
function tableAsCsv(name, rows) {
  const cell = (value) =>
    typeof value === "number" ? value : `"${String(value ?? "").replaceAll('"', '""').replace(/^([=+\-@])/, "'$1")}"`;
  const lines = [COLUMNS[name].map(([, title]) => title), ...rows.map((row) => COLUMNS[name].map(([column]) => row[column]))];
  return lines.map((line) => `${line.map(cell).join(",")}\r\n`).join("");
}

const distinct = (rows, name) => new Set(rows.map((row) => row[name])).size;
const HEIGHTS = {
  outlets: (rows) => 20 + distinct(rows, "outlet") * (14 + 8 * distinct(rows, "title")),
  pairs: (rows) => 36 * distinct(rows, "title"),
  stances: (rows) => 20 + 34 * distinct(rows, "who"),
};

async function draw(figure, rows) {
  const plot = figure.querySelector(".plot");
  const name = figure.dataset.chart;
  const spec = await request(`/assets/charts/${name}.json`);
  trim(spec.layer, new Set(rows.map((row) => row.title)));
  spec.datasets = { rows: rows.filter((row) => !("share" in row) || row.share !== null) };
  if (HEIGHTS[name]) spec.height = HEIGHTS[name](rows);
  const intervals = rows.some((row) => typeof row.low === "number");
  if (!intervals) spec.layer = spec.layer.filter(({ encoding }) => !encoding?.x2 && !encoding?.y2);
  spec.description = figure.querySelector("h2").textContent;
  if (name === "pairs") delete spec.layer?.[1]?.mark?.color;
  const result = await window.vegaEmbed(plot, spec, {
    ast: true, // Vega's interpreter: the content security policy forbids code that is generated at run time
    actions: false,
    renderer: "canvas",
    defaultStyle: false,
    config: config(plot.clientWidth),
    tooltip: { disableDefaultStyle: true },
  });
  for (const button of figure.querySelectorAll("[data-save]")) {
    button.onclick = async () => {
      const { view } = result;
      if (button.dataset.save === "csv") download(`${name}.csv`, tableAsCsv(name, rows), "text/csv");
      else if (button.dataset.save === "png") download(`${name}.png`, await view.toImageURL("png", 2));
      else download(`${name}.svg`, await view.toSVG(), "image/svg+xml");
    };
  }
  figure.dataset.drawn = "true";
}

async function show(figure) {
  const status = figure.querySelector(".chart-note");
  try {
    const [rows, text] = await rowsOf(figure);
    status.textContent = text;
    fillTable(figure.querySelector(".chart-table .scroll"), figure.dataset.chart, rows);
    if (!rows.some((row) => !("share" in row) || row.share !== null)) {
      figure.dataset.drawn = "empty";
      return;
    }
    await draw(figure, rows);
    dark.addEventListener("change", () => draw(figure, rows));
  } catch (error) {
    status.textContent = `This chart cannot be shown: ${error.message}`;
    status.classList.add("problem");
    figure.dataset.drawn = "failed";
  }
}

document.querySelectorAll(".chart").forEach(show);
