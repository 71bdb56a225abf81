// An article with its framing: choosing another operating point recomputes the decisions in the browser.
import { download, embedded } from "./data.js";

const thresholds = embedded("thresholds");
const decisions = ["present", "uncertain", "absent"];

function decide(unit, frame, score, point) {
  const pair = thresholds?.[point]?.[unit]?.[frame];
  if (!pair) return null;
  const [presentFrom, absentBelow] = pair;
  if (presentFrom !== null && score >= presentFrom) return "present";
  return score < absentBelow ? "absent" : "uncertain";
}

function setDecision(chip, decision) {
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
  const notAbsent = chips.filter((chip) => !chip.classList.contains("absent")).map((chip) => chip.dataset.frame);
  for (const mark of section.querySelectorAll(".evidence")) {
    mark.classList.toggle("quiet", !notAbsent.includes(mark.dataset.frame));
  }
}

function moveTo(point) {
  const sections = [...document.querySelectorAll(".paragraph")];
  const decisionsByFrame = {};
  for (const section of sections) {
    for (const chip of section.querySelectorAll(".chip")) {
      const decision = decide("paragraphs", chip.dataset.frame, Number(chip.dataset.score), point);
      if (decision) setDecision(chip, decision);
      (decisionsByFrame[chip.dataset.frame] ??= new Set()).add(decision);
    }
    shade(section);
  }
  for (const chip of document.querySelectorAll("[data-summary] .chip")) {
    const ofArticle = decide("article", chip.dataset.frame, Number(chip.dataset.score), point);
    // A model without cuts of articles decides by their paragraphs: present if any is, else uncertain if any is.
    const decided = decisionsByFrame[chip.dataset.frame];
    if (ofArticle) setDecision(chip, ofArticle);
    else if (decided && !decided.has(null)) setDecision(chip, decisions.find((decision) => decided.has(decision)));
  }
}

for (const section of document.querySelectorAll(".paragraph")) shade(section);
document.querySelector("[data-points]")?.addEventListener("change", (event) => moveTo(event.target.value));

document.querySelector("[data-export]")?.addEventListener("click", () => {
  const answer = embedded("answer");
  download(`${answer.id || "framing"}.json`, JSON.stringify(answer, null, 1), "application/json");
});

// With a large codebook, absent frames are hidden: there are many of them.
const showAbsent = document.querySelector("[data-show-absent]");
if (showAbsent) {
  const apply = () => document.body.classList.toggle("few-chips", !showAbsent.checked);
  showAbsent.addEventListener("change", apply);
  apply();
}

// After a form was sent, keyboard and screen reader continue at the result.
document.getElementById("result")?.focus();
