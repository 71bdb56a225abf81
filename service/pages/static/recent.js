// The strip of what the coder annotated last: an entry leads back to its paragraph, to be changed.
import { element } from "./elements.js";
import { tagFor } from "./frames.js";
import { keyOf } from "./queue.js";

const SHOWN = 20;

// `entries` are annotations with the text of their paragraph, newest first.
export function openRecent(list, entries, choose) {
  let recent = entries;

  function item(entry) {
    const tags = Object.entries(entry.frames).map(([frame, stance]) => tagFor(frame, stance));
    const remarks = [!tags.length && "no frame", entry.unsure && "unsure", entry.note && "note"].filter(Boolean);
    const decision = element("span", { class: "recent-decision" }, ...tags, remarks.join(" · "));
    const text = element("span", { class: "recent-text" }, entry.text);
    const button = element("button", { type: "button", class: "recent-entry", "data-entry": keyOf(entry) }, text, decision);
    button.addEventListener("click", () => choose(entry));
    return element("li", {}, button);
  }

  // The answers to what was annotated last come while the coder is in the strip already: the focus stays on its entry.
  const draw = () => {
    const focused = list.querySelector(":focus")?.dataset.entry;
    list.replaceChildren(...recent.slice(0, SHOWN).map(item));
    list.closest("section").hidden = !recent.length;
    if (!focused) return;
    const buttons = [...list.querySelectorAll("button")];
    (buttons.find(({ dataset }) => dataset.entry === focused) || buttons[0])?.focus();
  };

  draw();
  return {
    get newest() { return recent[0]; },
    add(entry) {
      recent = [entry, ...recent.filter((other) => keyOf(other) !== keyOf(entry))];
      draw();
    },
    // What the server says of an annotation that is in the strip already, or that another page made.
    update(entry) {
      const place = recent.findIndex((other) => keyOf(other) === keyOf(entry));
      if (place < 0) recent = [entry, ...recent];
      else recent[place] = { ...recent[place], ...entry, text: entry.text || recent[place].text };
      draw();
    },
    remove(key) {
      recent = recent.filter((entry) => keyOf(entry) !== key);
      draw();
    },
    focus: () => list.querySelector("button")?.focus(),
  };
}
