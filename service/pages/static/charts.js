// Draws each chart of the page from its Vega-Lite specification and the rows that the API returns for it.
import { answerOf, download, embedded, request } from "./data.js";
import { fillLegend, isStep, pointAfter } from "./chart_keys.js";
import { inASentence, notes, questionOf } from "./chart_notes.js";
import { save } from "./chart_pictures.js";
import { distinct, fillTable, mostFrequent, rowsOf, tableAsCsv } from "./chart_rows.js";
import { DRAWING, canHavePanels, isWide, needsPanels, prepared, seriesOf } from "./chart_specs.js";

const dark = matchMedia("(prefers-color-scheme: dark)");
const part = (figure, name) => figure.querySelector(`.chart-${name}`);

async function read(figure) {
  const { chart, source, shares } = figure.dataset;
  const question = { ...questionOf(source), shares };
  const answer = source.startsWith("#") ? null : await request(source);
  const all = answer ? rowsOf(chart, answer, question) : embedded(source.slice(1));
  all.forEach((row, n) => { row.n = n; });
  return { chart, question, answer, all, rows: mostFrequent(all), chosen: "", at: undefined };
}

const isDrawn = (row) => !("share" in row) || row.share !== null;

function say(figure, { lines, more }) {
  part(figure, "note").textContent = lines.join(" ");
  part(figure, "more").hidden = !more.length;
  part(figure, "more").querySelector("p").textContent = more.join(" ");
}

async function draw(figure, state) {
  const plot = figure.querySelector(".plot");
  state.series = await seriesOf(state.chart, state.rows);
  state.panels = state.wantsPanels ?? needsPanels(state.chart, state.series);
  figure.toggleAttribute("data-wide", isWide(state.chart, state.rows, state.panels));
  state.width = plot.clientWidth;
  const spec = await prepared({ ...state, title: figure.querySelector("h2").textContent });
  const drawn = await window.vegaEmbed(plot, spec, {
    ...DRAWING,
    tooltip: { disableDefaultStyle: true },
  });
  state.finalize?.();
  state.finalize = drawn.finalize;
  state.view = drawn.view;
  await mark(figure, state);
  const inLegend = state.panels ? [] : state.series;
  part(figure, "of-legend")?.toggleAttribute("hidden", inLegend.length < 2);
  fillLegend(part(figure, "legend"), inLegend, state.chosen, (name) => {
    state.chosen = name;
    mark(figure, state);
  });
  showSwitches(figure, state);
  // What is drawn while the page is laid out for paper has the colours of a light page.
  figure.dataset.theme = dark.matches && !matchMedia("print").matches ? "dark" : "light";
  figure.dataset.drawn = "true";
}

// Brings out the chosen series, and the point that the keyboard is at.
async function mark(figure, state) {
  await state.view.signal("chosen", state.panels ? "" : state.chosen).signal("at", state.at ? state.at.n : -1).runAsync();
  figure.dataset.chosen = state.panels ? "" : state.chosen;
}

// One drawing after the other: themes and sizes change while a chart is being drawn.
function redraw(figure, state) {
  const next = () => draw(figure, state).catch((error) => fail(figure, error));
  state.drawing = (state.drawing || Promise.resolve()).then(next);
  return state.drawing;
}

function showSwitches(figure, state) {
  const panels = figure.querySelector("[data-panels]");
  panels.hidden = !canHavePanels(state.chart, state.series);
  panels.setAttribute("aria-pressed", String(state.panels));
  panels.onclick = () => {
    state.wantsPanels = !state.panels;
    redraw(figure, state);
  };
  const every = figure.querySelector("[data-every]");
  every.hidden = mostFrequent(state.all).length === state.all.length;
  every.textContent = state.rows === state.all ? "Most frequent frames only" : `All ${distinct(state.all, "title").length} frames`;
  every.onclick = () => {
    state.rows = state.rows === state.all ? mostFrequent(state.all) : state.all;
    fill(figure, state);
    redraw(figure, state);
  };
}

function fill(figure, state) {
  fillTable(part(figure, "table").querySelector(".scroll"), state.chart, state.rows, state.answer?.unit);
}

async function attempt(figure, saving) {
  part(figure, "point").textContent = "";
  try {
    await saving();
  } catch (error) {
    part(figure, "point").textContent = `The file could not be made: ${error.message}`;
  }
}

function saveOnClick(figure, state) {
  const { chart, file: name } = figure.dataset;
  const link = figure.querySelector("a[download$=\".csv\"]");
  // The API names its files after the figures, the page after the chart.
  link?.addEventListener("click", (event) => {
    event.preventDefault();
    attempt(figure, async () => download(link.download, await (await answerOf(link.href)).blob(), "text/csv"));
  });
  for (const button of figure.querySelectorAll("button[data-save]")) {
    button.onclick = () => {
      if (button.dataset.save === "csv") download(`${name}.csv`, tableAsCsv(chart, state.rows, state.answer?.unit), "text/csv");
      else attempt(figure, () => save(figure, state, button.dataset.save));
    };
  }
}

function followKeys(figure, state) {
  const plot = figure.querySelector(".plot");
  plot.tabIndex = 0;
  plot.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") state.at = undefined;
    else if (isStep(event.key)) state.at = pointAfter(state.chart, state.rows.filter(isDrawn), state.at, event.key) || state.at;
    else return;
    event.preventDefault();
    part(figure, "point").textContent = state.at ? inASentence(state.chart, state.at, state.answer) : "";
    mark(figure, state);
  });
}

function fail(figure, error) {
  const note = part(figure, "note");
  note.textContent = `This chart cannot be shown: ${error.message}`;
  note.classList.add("problem");
  const again = figure.querySelector("[data-again]");
  again.hidden = false;
  again.onclick = () => {
    again.hidden = true;
    note.classList.remove("problem");
    note.textContent = "Loading…";
    show(figure);
  };
  figure.dataset.drawn = "failed";
}

async function show(figure) {
  try {
    const state = await read(figure);
    if (state.answer) say(figure, notes(state.answer, state.rows, state.chart in PLAIN ? "" : figure.dataset.shares));
    else say(figure, { lines: [], more: [] });
    fill(figure, state);
    if (!state.rows.some(isDrawn)) {
      figure.dataset.drawn = "empty";
      return;
    }
    await redraw(figure, state);
    followKeys(figure, state);
    saveOnClick(figure, state);
    dark.addEventListener("change", () => redraw(figure, state));
    new ResizeObserver(() => {
      if (Math.abs(figure.querySelector(".plot").clientWidth - state.width) > 4) redraw(figure, state);
    }).observe(figure);
  } catch (error) {
    fail(figure, error);
  }
}

// Charts whose shares are not corrected in any case: their notes say nothing of corrections.
const PLAIN = { pairs: true, stances: true };

document.querySelectorAll(".chart").forEach(show);
