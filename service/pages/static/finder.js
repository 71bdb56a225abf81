// Finds a frame by the first letters of a word in its name, for codebooks with more frames than keys.
import { buttons } from "./frames.js";
import { say } from "./notices.js";

export function openFinder({ field, opener, choose, done }) {
  const words = (button) => button.querySelector(".name").textContent.toLowerCase();
  const fits = (button, typed) => ` ${words(button)}`.replace(/[^\p{L}\p{N}]+/gu, " ").includes(` ${typed}`);
  const offered = () => buttons.filter((button) => !button.closest("li").hidden);

  function matches() {
    const typed = field.value.trim().toLowerCase();
    return typed ? offered().filter((button) => fits(button, typed)) : [];
  }

  function draw() {
    const fitting = matches();
    const [first, ...others] = fitting;
    for (const button of buttons) {
      button.classList.toggle("match", button === first);
      button.closest("li").classList.toggle("unmatched", fitting.length > 0 && !fitting.includes(button));
    }
    if (!field.value.trim()) say("");
    else if (first) say(`Enter chooses ${first.querySelector(".name").textContent}${others.length ? `; ${others.length} more` : ""}.`);
    else say("No frame has a name with a word that begins so.");
  }

  function close() {
    field.value = "";
    draw();
    field.closest("[data-finder]").hidden = true;
    done();
  }

  opener.addEventListener("click", () => {
    field.closest("[data-finder]").hidden = false;
    field.focus();
  });
  field.addEventListener("input", draw);
  field.addEventListener("keydown", (event) => {
    if (event.repeat || !["Enter", "Escape"].includes(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
    const [first] = matches();
    if (event.key === "Enter" && !first) return;
    close();
    if (event.key === "Enter") choose(first.dataset.frame);
  });
}
