// What the coder has chosen for the paragraph on the screen: frames with their stances, a note, and whether in doubt.
// It is kept by paragraph for as long as the tab is open, so that signing in again or a look at another paragraph loses
// nothing.
import { buttons } from "./frames.js";

const MOST_DRAFTS = 20;

export function openChoices({ coder, stances, note, unsure, changed }) {
  const place = `framing-drafts:${coder}`;
  let key = null;
  let frames = {};
  let offered = []; // the frames to decide about

  const drafts = () => JSON.parse(sessionStorage.getItem(place) || "{}");
  const decision = () => ({ frames: { ...frames }, note: note.value.trim(), unsure: unsure.checked });

  function keep() {
    if (!key) return;
    const { [key]: _, ...others } = drafts();
    const latest = Object.entries(others).slice(1 - MOST_DRAFTS);
    sessionStorage.setItem(place, JSON.stringify({ ...Object.fromEntries(latest), [key]: decision() }));
  }

  function draw() {
    for (const button of buttons) {
      const stance = frames[button.dataset.frame];
      button.setAttribute("aria-pressed", String(Boolean(stance)));
      button.querySelector("[data-stance]").textContent = stance || "absent";
      button.closest("li").hidden = !offered.includes(button.dataset.frame);
    }
    changed();
  }

  function press(frame) {
    if (!key || !offered.includes(frame)) return;
    const next = stances[stances.indexOf(frames[frame]) + 1];
    if (next) frames[frame] = next;
    else delete frames[frame];
    keep();
    draw();
  }

  for (const button of buttons) button.addEventListener("click", () => press(button.dataset.frame));
  note.addEventListener("input", keep);
  unsure.addEventListener("change", keep);

  return {
    decision,
    press,
    get any() { return Object.keys(frames).length > 0; },
    // Begins a paragraph with what was chosen for it before, else with what is stored of it, else with nothing.
    begin(paragraph, offeredFrames, stored = null) {
      key = paragraph;
      offered = offeredFrames;
      const start = drafts()[key] || stored || { frames: {}, note: "", unsure: false };
      // A frame that is not in the codebook any more has no button with which it could be taken away.
      frames = Object.fromEntries(Object.entries(start.frames).filter(([frame]) => offered.includes(frame)));
      note.value = start.note;
      unsure.checked = start.unsure;
      draw();
    },
    forget(paragraph) {
      const { [paragraph]: _, ...others } = drafts();
      sessionStorage.setItem(place, JSON.stringify(others));
    },
    // Begins with this decision when the paragraph comes up.
    preset(paragraph, chosen) {
      sessionStorage.setItem(place, JSON.stringify({ ...drafts(), [paragraph]: chosen }));
    },
  };
}
