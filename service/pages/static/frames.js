// The frames of the codebook as the coding page names them.
import { element } from "./elements.js";

export const buttons = [...document.querySelectorAll(".frame-button")];
export const everyFrame = buttons.map((button) => button.dataset.frame);

export const nameOf = (frame) => buttons[everyFrame.indexOf(frame)]?.querySelector(".name").textContent || frame;

export function tagFor(frame, stance) {
  return element("span", { class: `tag frame-${everyFrame.indexOf(frame)}` }, `${nameOf(frame)} · ${stance}`);
}

// A decision in words.
export function decided({ frames, unsure }) {
  const names = Object.entries(frames).map(([frame, stance]) => `${nameOf(frame)} (${stance})`);
  return `${names.join(", ") || "No frame"}${unsure ? ", unsure" : ""}`;
}
