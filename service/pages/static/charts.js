// Draws each chart of the page: its Vega-Lite specification from the server, its rows from the API.
import { ask, save, written } from "./data.js";

const MOST_FRAMES = 8;
const titles = written("frames") || {};
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

// Whose voice: the frames beside each other, or with one frame chosen its outlets.
function voiceRows(answer) {
  const one = distinct(answer.rows, "frame") === 1;
  return answer.rows.filter((row) => row.stances).flatMap((row) => {
    const title = titles[row.frame] || row.frame;
    const who = one ? row.outlet || "no outlet" : title;
    const facts = { title, who, count: row.count };
    return Object.entries(row.stances).map(([stance, found], place) => ({ ...facts, stance, place, ...found }));
  });
}

// With a large codebook, the frames that are there most.
function mostFrequent(rows) {
  const totals = new Map();
  for (const row of rows) totals.set(row.title, (totals.get(row.title) || 0) + (row.count ?? row.paragraphs ?? 0));
  if (totals.size <= MOST_FRAMES) return [rows, ""];
  const kept = new Set([...totals].sort((a, b) => b[1] - a[1]).slice(0, MOST_FRAMES).map(([title]) => title));
  const shown = rows.filter((row) => kept.has(row.title) && (!row.other_title || kept.has(row.other_title)));
  return [shown, `The ${MOST_FRAMES} most frequent of ${totals.size} frames; choose a frame above for another. `];
}

function note(answer, rows, shares, first) {
  if (!rows.length) return "There is nothing in this selection.";
  const notes = [first];
  if (answer.unscored_articles) notes.push(`${answer.unscored_articles} articles are not scored by this model yet.`);
  if (shares === "corrected") {
    const missing = answer.rows.filter((row) => row.corrected_share === null);
    const borrowed = answer.rows.filter((row) => row.correction === "borrowed").length;
    const needed = Math.max(0, ...missing.map((row) => row.codes_needed || 0));
    if (missing.length) {
      notes.push(`${missing.length} of ${answer.rows.length} points have too few codes and are not drawn; up to ` +
        `${needed} more coded ${answer.unit}s each would give them an interval of ${100 * answer.width} points.`);
    }
    if (borrowed) {
      notes.push(`${borrowed} of ${answer.rows.length} points have too few codes of their own and borrow those of the ` +
        "whole selection, as if a score meant the same everywhere.");
    }
  } else if (shares === "raw") {
    notes.push("Raw shares: the classifier's errors are in them, and no interval tells how large they are.");
  }
  const weak = [...new Set(answer.rows?.filter((row) => row.tier === "C").map((row) => titles[row.frame] || row.frame))];
  if (weak.length) notes.push(`Tier C, a hint at most: ${weak.join(", ")}.`);
  return notes.join(" ").trim();
}

const COLUMNS = {
  prevalence: [["period", "Period"], ["title", "Frame"], ["share", "Share"], ["low", "Low"], ["high", "High"], ["total", "Counted"], ["codes", "Codes"], ["tier", "Tier"]],
  outlets: [["outlet", "Outlet"], ["title", "Frame"], ["share", "Share"], ["low", "Low"], ["high", "High"], ["total", "Counted"], ["codes", "Codes"], ["tier", "Tier"]],
  pairs: [["title", "Frame"], ["other_title", "With"], ["paragraphs", "Paragraphs"], ["share", "Share"]],
  reliability: [["title", "Frame"], ["mean_score", "Mean score"], ["share", "Share"], ["paragraphs", "Paragraphs"]],
  voices: [["who", "Who"], ["stance", "Stance"], ["share", "Share"], ["low", "Low"], ["high", "High"], ["count", "Paragraphs"]],
  versions: [["version", "Version"], ["how", "Judged on"], ["value", "Macro F1"], ["low", "Low"], ["high", "High"]],
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
  const found = { ink: colour("--ink"), faint: colour("--faint"), line: colour("--line") };
  probe.remove();
  return found;
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

const READERS = { pairs: pairRows, voices: voiceRows };

async function rowsOf(figure) {
  const { chart, source, shares } = figure.dataset;
  if (source.startsWith("#")) return [written(source.slice(1)), ""];
  const answer = await ask(source);
  const all = READERS[chart] ? READERS[chart](answer) : shareRows(answer, shares);
  const [rows, first] = mostFrequent(all);
  return [rows, note(answer, rows, READERS[chart] ? "" : shares, first)];
}

// The legend names the frames that are drawn, not the whole codebook.
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

// Charts whose rows are no table of the API give the table that is shown.
function tableAsCsv(figure) {
  const lines = [...figure.querySelectorAll(".chart-table tr")].map((line) =>
    [...line.cells].map((cell) => `"${cell.textContent.replaceAll('"', '""').replace(/^([=+\-@])/, "'$1")}"`).join(","),
  );
  return `${lines.join("\r\n")}\r\n`;
}

const distinct = (rows, name) => new Set(rows.map((row) => row[name])).size;
const HEIGHTS = {
  outlets: (rows) => 20 + distinct(rows, "outlet") * (14 + 8 * distinct(rows, "title")),
  pairs: (rows) => 36 * distinct(rows, "title"),
  voices: (rows) => 20 + 34 * distinct(rows, "who"),
};

async function draw(figure, rows) {
  const plot = figure.querySelector(".plot");
  const name = figure.dataset.chart;
  const spec = await ask(`/assets/charts/${name}.json`);
  trim(spec.layer, new Set(rows.map((row) => row.title)));
  spec.datasets = { rows: rows.filter((row) => !("share" in row) || row.share !== null) };
  if (HEIGHTS[name]) spec.height = HEIGHTS[name](rows);
  const intervals = rows.some((row) => typeof row.low === "number");
  if (!intervals) spec.layer = spec.layer.filter(({ encoding }) => !encoding?.x2 && !encoding?.y2);
  spec.description = figure.querySelector("h2").textContent;
  if (name === "pairs") delete spec.layer?.[1]?.mark?.color;
  const result = await window.vegaEmbed(plot, spec, {
    ast: true, // the interpreter: the page's policy forbids code made at run time
    actions: false,
    renderer: "canvas",
    defaultStyle: false,
    config: config(plot.clientWidth),
    tooltip: { disableDefaultStyle: true },
  });
  for (const button of figure.querySelectorAll("[data-save]")) {
    button.onclick = async () => {
      const { view } = result;
      if (button.dataset.save === "csv") save(`${name}.csv`, tableAsCsv(figure), "text/csv");
      else if (button.dataset.save === "png") save(`${name}.png`, await view.toImageURL("png", 2));
      else save(`${name}.svg`, await view.toSVG(), "image/svg+xml");
    };
  }
  figure.dataset.drawn = "true";
}

async function show(figure) {
  const told = figure.querySelector(".chart-note");
  try {
    const [rows, text] = await rowsOf(figure);
    told.textContent = text;
    fillTable(figure.querySelector(".chart-table .scroll"), figure.dataset.chart, rows);
    if (!rows.some((row) => !("share" in row) || row.share !== null)) {
      figure.dataset.drawn = "empty";
      return;
    }
    await draw(figure, rows);
    dark.addEventListener("change", () => draw(figure, rows));
  } catch (error) {
    told.textContent = `This chart cannot be shown: ${error.message}`;
    told.classList.add("problem");
    figure.dataset.drawn = "failed";
  }
}

document.querySelectorAll(".chart").forEach(show);
