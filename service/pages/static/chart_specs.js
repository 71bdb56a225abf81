// What a specification gets before it is drawn: rows, colours of the theme, sizes, and names at the ends of lines.
import { request } from "./data.js";
import { distinct } from "./chart_rows.js";

// What colours and shapes tell apart, by chart, and the class by which a style sheet knows the colour.
const SERIES = {
  prevalence: { field: "title", className: (place) => `frame-${place}` },
  outlets: { field: "title", className: (place) => `frame-${place}` },
  reliability: { field: "title", className: (place) => `frame-${place}` },
  stances: { field: "stance", className: (_, name) => `stance-${name}` },
  versions: { field: "short", className: (place) => `series-${place % 8}` },
};
const SHAPES = ["circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "triangle-right", "triangle-left"];
const WITH_PANELS = new Set(["prevalence", "outlets", "reliability"]);
// How vega-embed draws. `ast` is Vega's interpreter: the content security policy forbids code made at run time.
export const DRAWING = { ast: true, actions: false, renderer: "canvas", defaultStyle: false };
// More lines than these in one chart cover each other.
const MOST_IN_ONE = 4;
// Narrower charts have no room for names at the ends of lines; the legend has them.
const NARROWEST_WITH_NAMES = 560;

const fetched = new Map();
async function specification(name) {
  if (!fetched.has(name)) fetched.set(name, request(`/assets/charts/${name}.json`));
  try {
    return structuredClone(await fetched.get(name));
  } catch (error) {
    fetched.delete(name); // another try may succeed
    throw error;
  }
}

// Breaks a text into lines between words; a word that is longer than a line stays whole.
export function lines(text, letters) {
  const broken = [""];
  for (const word of text.split(" ")) {
    const line = broken.at(-1);
    if (line && line.length + 1 + word.length > letters) broken.push(word);
    else broken[broken.length - 1] = line ? `${line} ${word}` : word;
  }
  return broken;
}

// Calls `visit` for each channel of each encoding, such as the colour of a layer.
function channels(part, visit) {
  if (Array.isArray(part)) return part.forEach((inside) => channels(inside, visit));
  if (!part || typeof part !== "object") return undefined;
  for (const [name, channel] of Object.entries(part.encoding || {})) visit(name, channel);
  return ["layer", "spec", "vconcat"].forEach((name) => channels(part[name], visit));
}

// The series that are drawn, in the order of the codebook; those of an older model, which it does not have, come last.
export async function seriesOf(chart, rows) {
  if (!SERIES[chart]) return [];
  const { field, className } = SERIES[chart];
  let known = [];
  channels(await specification(chart), (name, channel) => {
    if (name === "color" && channel.field === field) known = channel.scale.domain || known;
  });
  const shown = new Set(distinct(rows, field));
  const all = known.length ? known : [...shown];
  const places = [...all, ...[...shown].filter((name) => !all.includes(name))];
  return places.flatMap((name, place) => (shown.has(name) ? [{
    name,
    className: place < all.length ? className(place, name) : "",
    shape: chart === "stances" ? "square" : SHAPES[place % SHAPES.length],
  }] : []));
}

export const canHavePanels = (chart, series) => WITH_PANELS.has(chart) && series.length > 1;
// More frames than these go together in a table that needs the whole width of the page; so do panels.
const MOST_IN_A_COLUMN = 6;
export const isWide = (chart, rows, panels) => panels || (chart === "pairs" && count(rows, "title") > MOST_IN_A_COLUMN);
export const needsPanels = (chart, series) => WITH_PANELS.has(chart) && series.length > MOST_IN_ONE;

// Reads the colours of the style sheets; `paper`: as they are on a light page, whatever the theme.
function colours(paper) {
  const probe = document.createElement("span");
  probe.style.setProperty("color-scheme", paper ? "light" : getComputedStyle(document.documentElement).colorScheme);
  document.body.append(probe);
  const read = (name, className = "") => {
    probe.className = className;
    probe.style.setProperty("color", `var(${name})`);
    return getComputedStyle(probe).color;
  };
  return { read, done: () => probe.remove(), dark: !paper && matchMedia("(prefers-color-scheme: dark)").matches };
}

const NICE = [0.01, 0.02, 0.05, 0.1, 0.2, 0.25];
function topOf(rows) {
  const most = Math.max(0.02, ...rows.map((row) => Math.max(row.high ?? 0, row.share ?? 0)));
  const step = NICE.find((size) => most / size <= 5) || 0.25;
  return Math.min(1, Math.ceil(most / step - 1e-9) * step);
}

// Where the name of each line stands: at its end, moved up or down so that no name covers another.
function ends(rows, series, top, height) {
  const last = series.flatMap(({ name }) => rows.filter((row) => row.title === name && row.share !== null).slice(-1));
  const gap = (17 / height) * top;
  const places = last.map((row) => ({ title: row.title, place: row.share })).sort((a, b) => a.place - b.place);
  places.forEach((end, n) => { if (n) end.place = Math.max(end.place, places[n - 1].place + gap); });
  let most = top;
  for (const end of places.toReversed()) {
    end.place = Math.min(end.place, most);
    most = end.place - gap;
  }
  return places;
}

const count = (rows, name) => distinct(rows, name).length;
const HEIGHTS = {
  prevalence: () => 300,
  outlets: (rows) => 20 + count(rows, "outlet") * Math.max(32, 14 + 9 * count(rows, "title")),
  pairs: (rows) => 36 * count(rows, "title"),
  stances: (rows) => 20 + 34 * count(rows, "who"),
  reliability: () => 320,
  versions: () => 220,
};
const PANEL_HEIGHTS = { prevalence: () => 120, outlets: (rows) => 32 * count(rows, "outlet"), reliability: () => 150 };

function panelSizes(chart, rows, series, width) {
  const most = width < 440 ? 1 : width < 700 ? 2 : width < 1000 ? 3 : 4;
  const columns = Math.ceil(series.length / Math.ceil(series.length / most)); // rows of much the same length
  const axis = chart === "outlets" ? labelLimit(width) + 14 : chart === "reliability" ? 64 : 50;
  return { columns, width: Math.floor((width - axis - 20 * (columns - 1)) / columns), height: PANEL_HEIGHTS[chart](rows) };
}

const labelLimit = (width) => Math.round(Math.max(90, Math.min(220, 0.4 * width)));
const LETTER = 6.6; // the width of one on an axis, on average
const LETTER_IN_BOLD = 7.4;
// Names of outlets and frames on the axis at the left, each broken into lines that fit.
const LEFT_NAMES = { outlets: "outlet", stances: "who" };
const linesOf = (chart, rows, limit) => Object.fromEntries(
  distinct(rows, LEFT_NAMES[chart] ?? "").filter(Boolean).map((name) => [name, lines(name, Math.floor(limit / LETTER))]),
);
// The table of pairs: names beside it, and slanted names above it that reach beyond its last column.
const SLANT = 0.77;
const NARROWEST_CELL = 34;
const CELL_WITH_LARGE_FIGURES = 44;
function pairSizes(rows, width, paper) {
  const limit = paper ? 300 : Math.round(Math.max(90, Math.min(300, 0.3 * width)));
  const names = Math.min(limit, 14 + LETTER * Math.max(...rows.map(({ title }) => title.length)));
  const cells = count(rows, "title");
  const cell = Math.min(72, Math.max(NARROWEST_CELL, paper ? width / cells : (width - names * (1 + SLANT) - 30) / cells));
  return { limit, width: Math.floor(cell * cells), figure: cell < CELL_WITH_LARGE_FIGURES ? 10 : 12 };
}
const isInterval = ({ encoding }) => Boolean(encoding?.x2?.field === "high" || encoding?.y2?.field === "high");
const isName = ({ data }) => data?.name === "ends";

function withoutLayers(spec, unwanted) {
  if (!spec.layer) return;
  spec.layer = spec.layer.filter((layer) => !unwanted(layer));
  spec.layer.forEach((layer) => withoutLayers(layer, unwanted));
}

// A specification that can be drawn; `width` is that of the place for it.
export async function prepared({ chart, rows, series, panels, width, paper, title }) {
  const spec = await specification(panels ? `${chart}-panels` : chart);
  const palette = colours(paper);
  const { read } = palette;
  // Marks that reach beyond the top of a panel would push its name up.
  const top = topOf(rows) * (panels && chart === "prevalence" ? 1.1 : 1);
  const height = HEIGHTS[chart](rows);
  const names = !panels && chart === "prevalence" && (paper || width >= NARROWEST_WITH_NAMES);
  const longest = Math.max(0, ...series.map(({ name }) => name.length));
  const room = Math.round(Math.min(240, width / 4, 8 + 7 * longest));
  const table = chart === "pairs" ? pairSizes(rows, width, paper) : null;
  const values = {
    top, room, ink: read("--ink"), faint: read("--faint"), low: read("--raised"), high: read("--accent"),
    lines: linesOf(chart, rows, labelLimit(width)), figure: table?.figure ?? 12, low_text: read("--ink"), high_text: read("--on-accent"), turn: palette.dark ? 0.6 : 0.75,
  };
  spec.params = spec.params.map((parameter) => ({ ...parameter, value: values[parameter.name] ?? parameter.value }));
  const scales = {
    color: { domain: series.map(({ name }) => name), range: series.map(({ className }) => read("--frame", className)) },
    shape: { domain: series.map(({ name }) => name), range: series.map(({ shape }) => shape) },
  };
  const legend = paper && !panels && !names ? { orient: "bottom", columns: 3, labelLimit: width / 3.5 } : null;
  channels(spec, (name, channel) => {
    if (channel.field !== SERIES[chart]?.field) return;
    if (scales[name]) Object.assign(channel, { scale: scales[name], legend });
    else if (name.endsWith("Offset")) channel.sort = scales.color.domain; // in every layer, or Vega-Lite warns
  });
  const inner = spec.spec || spec;
  if (!rows.some((row) => typeof row.low === "number")) withoutLayers(inner, isInterval);
  if (!names) withoutLayers(inner, isName);
  // Where a share is missing, a line is broken; elsewhere there is nothing to draw.
  const drawn = chart === "prevalence" ? rows : rows.filter((row) => !("share" in row) || row.share !== null);
  spec.datasets = { rows: drawn, ...(names && { ends: ends(rows, series, top, height) }) };
  if (panels) {
    const sizes = panelSizes(chart, rows, series, width);
    spec.columns = sizes.columns;
    Object.assign(inner, { width: sizes.width, height: sizes.height });
    spec.facet.sort = series.map(({ name }) => name);
    const letters = Math.floor(sizes.width / LETTER_IN_BOLD);
    setParameter(spec, "heads", Object.fromEntries(series.map(({ name }) => [name, lines(name, letters)])));
    Object.assign(spec.facet.header, { labelColor: values.ink, labelLimit: sizes.width });
  } else {
    // Slanted names of the last frame, and names at the ends of lines, reach beyond what Vega could fit into a width.
    Object.assign(spec, { width: names ? width - room - 90 : table ? table.width : width, height });
    if (!names && !table && !paper) spec.autosize = { type: "fit-x", contains: "padding" };
  }
  spec.description = title;
  spec.config = config(values, read("--line"), table?.limit ?? labelLimit(width), paper);
  palette.done();
  return spec;
}

function setParameter(spec, name, value) {
  spec.params.find((parameter) => parameter.name === name).value = value;
}

function config({ ink, faint }, line, limit, paper) {
  return {
    background: paper ? "#ffffff" : "transparent",
    font: "system-ui, sans-serif",
    padding: paper ? 16 : { left: 2, top: 2, bottom: 2, right: 8 }, // half of a mark at the end of an axis lies beyond it
    view: { stroke: "transparent" },
    axis: { labelColor: faint, titleColor: faint, gridColor: line, domainColor: line, tickColor: line, labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal", gridOpacity: 0.6, labelLimit: limit },
    legend: { labelColor: ink, labelFontSize: 12, symbolSize: 80 },
    title: { color: ink, subtitleColor: faint, anchor: "start", fontSize: 16, fontWeight: 600, subtitleFontSize: 12, subtitlePadding: 6, subtitleLineHeight: 16, offset: 14 },
  };
}
