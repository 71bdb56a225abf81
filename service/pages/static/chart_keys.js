// The legend of a chart, whose entries bring a series out, and the way of the keyboard from point to point.
import { element } from "./elements.js";

const SYMBOLS = {
  circle: "M6 1a5 5 0 1 0 .01 0z",
  square: "M1.5 1.5h9v9h-9z",
  "triangle-up": "M6 1l5 9.5H1z",
  "triangle-down": "M1 1.5h10L6 11z",
  "triangle-right": "M1.5 1L11 6 1.5 11z",
  "triangle-left": "M10.5 1L1 6l9.5 5z",
  diamond: "M6 .5L11 6 6 11.5 1 6z",
  cross: "M4 1h4v3h3v4H8v3H4V8H1V4h3z",
};

function symbol(shape) {
  const space = "http://www.w3.org/2000/svg";
  const drawing = document.createElementNS(space, "svg");
  drawing.setAttribute("viewBox", "0 0 12 12");
  drawing.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(space, "path");
  path.setAttribute("d", SYMBOLS[shape]);
  drawing.append(path);
  return drawing;
}

// One button for each series; `choose` gets the name of the one pressed, or nothing if it was pressed again.
export function fillLegend(place, series, chosen, choose) {
  place.hidden = series.length < 2;
  place.replaceChildren(...series.map(({ name, className, shape }) => {
    const attributes = { type: "button", class: `legend-entry ${className}`, "aria-pressed": String(name === chosen) };
    const button = element("button", attributes, symbol(shape), name);
    button.addEventListener("click", () => {
      const next = button.getAttribute("aria-pressed") === "true" ? "" : name;
      for (const entry of place.children) entry.setAttribute("aria-pressed", String(entry === button && Boolean(next)));
      choose(next);
    });
    return button;
  }));
}

// The fields along which the arrow keys go: left and right, up and down.
const WAYS = {
  prevalence: ["period", "title"],
  outlets: ["title", "outlet"],
  pairs: ["other_title", "title"],
  stances: ["stance", "who"],
  reliability: ["mean_score", "title"],
  versions: ["version", "short"],
};
const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [1, -1], ArrowDown: [1, 1] };

// The point that a key leads to from another; undefined if the key leads nowhere.
export function pointAfter(chart, rows, from, key) {
  if (!from) return rows[0];
  const along = rows.filter((row) => row[WAYS[chart][1]] === from[WAYS[chart][1]]);
  if (key === "Home") return along[0];
  if (key === "End") return along.at(-1);
  const [way, step] = STEPS[key];
  if (way === 0) return along[along.indexOf(from) + step];
  const lines = [...new Set(rows.map((row) => row[WAYS[chart][1]]))];
  const next = lines[lines.indexOf(from[WAYS[chart][1]]) + step];
  const there = rows.filter((row) => row[WAYS[chart][1]] === next);
  return there.find((row) => row[WAYS[chart][0]] === from[WAYS[chart][0]]) || there[Math.min(along.indexOf(from), there.length - 1)];
}

export const isStep = (key) => key in STEPS || key === "Home" || key === "End";
