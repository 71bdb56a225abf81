// Pictures of charts for paper: on white, with what the page around the chart says of it.
import { download } from "./data.js";
import { captions } from "./chart_notes.js";
import { DRAWING, lines, prepared } from "./chart_specs.js";

const WIDTH = 760;
const LETTERS_IN_A_LINE = 118;
const TITLE_LETTERS = 84;

// The axis with its labels stands beside what `width` counts.
const MARGIN = { outlets: 210, stances: 210, pairs: 210, reliability: 60, versions: 60, prevalence: 0 };

async function forPaper(chart, state, facts) {
  const width = state.panels ? WIDTH : WIDTH - MARGIN[chart];
  const { $schema, params, datasets, config, description, ...chartOnly } = await prepared({ ...state, chart, width, paper: true, title: facts.title });
  const source = {
    data: { values: [{}] },
    mark: { type: "text", align: "left", baseline: "top", fontSize: 11, color: config.axis.labelColor },
    encoding: { text: { value: lines(facts.source, LETTERS_IN_A_LINE) }, x: { value: 0 }, y: { value: 0 } },
    width: WIDTH - 80,
    height: 14,
  };
  const independent = { color: "independent", shape: "independent" };
  return {
    $schema,
    params,
    datasets,
    config,
    description,
    title: { text: lines(facts.title, TITLE_LETTERS), subtitle: facts.subtitle.flatMap((text) => lines(text, LETTERS_IN_A_LINE)) },
    vconcat: [chartOnly, source],
    spacing: 12,
    resolve: { scale: independent, legend: independent },
  };
}

// Drawn beside the page, in an element that nobody sees.
async function drawn(spec) {
  const { view } = await window.vegaEmbed(document.createElement("div"), spec, { ...DRAWING, tooltip: false });
  return view;
}

export async function save(figure, state, kind) {
  const { chart, file, product } = figure.dataset;
  const [title, about] = ["h2", "figcaption p"].map((part) => figure.querySelector(part)?.textContent.trim());
  const facts = { title, ...captions(state, { product, about }) };
  const picture = await drawn(await forPaper(chart, state, facts));
  if (state.chosen) await picture.signal("chosen", state.chosen).runAsync();
  if (kind === "png") download(`${file}.png`, await picture.toImageURL("png", 3));
  else download(`${file}.svg`, await picture.toSVG(), "image/svg+xml");
  picture.finalize();
}
