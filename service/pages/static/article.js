// The article view: moving the operating point decides anew from the scores, in the page.
import { save, written } from "./data.js";

const cuts = written("cuts");
const decisions = ["present", "uncertain", "absent"];

function decide(frame, score, point) {
  const cut = cuts?.[point]?.[frame];
  if (!cut) return null;
  const [presentFrom, absentBelow] = cut;
  if (presentFrom !== null && score >= presentFrom) return "present";
  return score < absentBelow ? "absent" : "uncertain";
}

function set(chip, decision) {
  chip.classList.remove(...decisions);
  chip.classList.add(decision);
  chip.querySelector(".decision").textContent = decision;
}

function shade(section) {
  const chips = [...section.querySelectorAll(".chip")];
  const present = chips.filter((chip) => chip.classList.contains("present"));
  const strongest = present.sort((a, b) => b.dataset.score - a.dataset.score)[0];
  section.className = "paragraph";
  if (strongest) section.classList.add("shaded", [...strongest.classList].find((name) => name.startsWith("frame-")));
  const told = new Set(chips.filter((chip) => !chip.classList.contains("absent")).map((chip) => chip.dataset.frame));
  for (const mark of section.querySelectorAll(".evidence")) mark.classList.toggle("quiet", !told.has(mark.dataset.frame));
}

function apply(point) {
  const sections = [...document.querySelectorAll(".paragraph")];
  const found = {};
  for (const section of sections) {
    for (const chip of section.querySelectorAll(".chip")) {
      const decision = decide(chip.dataset.frame, Number(chip.dataset.score), point);
      if (decision) set(chip, decision);
      (found[chip.dataset.frame] ??= new Set()).add(decision);
    }
    shade(section);
  }
  // The roll-up rule of the service: present where any paragraph is, else uncertain where any is.
  for (const chip of document.querySelectorAll("[data-summary] .chip")) {
    const all = found[chip.dataset.frame];
    if (all && !all.has(null)) set(chip, decisions.find((decision) => all.has(decision)));
  }
}

for (const section of document.querySelectorAll(".paragraph")) shade(section);
document.querySelector("[data-points]")?.addEventListener("change", (event) => apply(event.target.value));

document.querySelector("[data-export]")?.addEventListener("click", () => {
  const answer = written("answer");
  save(`${answer.id || "framing"}.json`, JSON.stringify(answer, null, 1), "application/json");
});
// With a large codebook the frames that are there would drown among those that are not.
const absent = document.querySelector("[data-show-absent]");
if (absent) {
  const follow = () => document.body.classList.toggle("few-chips", !absent.checked);
  absent.addEventListener("change", follow);
  follow();
}
document.getElementById("result")?.focus();
