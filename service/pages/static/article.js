// An article with its framing: choosing another operating point decides again in the browser, and the export follows.
import { decisionOf, drawMap, offerMap } from "./article-map.js";
import { download, embedded, post } from "./data.js";
import { recolour } from "./elements.js";
import { colourEvidence, offerEvidence } from "./evidence.js";

const answer = embedded("answer");
const thresholds = embedded("thresholds");
const decisions = ["present", "uncertain", "absent"];
const sections = [...document.querySelectorAll(".paragraph")].map((section) => ({
  section,
  chips: [...section.querySelectorAll(".chip")],
}));

function decide(unit, chip, point) {
  const limits = thresholds[point]?.[unit]?.[chip.dataset.frame];
  if (!limits) return null;
  const [presentFrom, absentBelow] = limits;
  const score = Number(chip.dataset.score);
  if (presentFrom !== null && score >= presentFrom) return "present";
  return score < absentBelow ? "absent" : "uncertain";
}

function setDecision(chip, decision) {
  if (decision === null) return; // scored by another model, whose limits are not known
  chip.classList.remove(...decisions);
  chip.classList.add(decision);
  chip.querySelector(".decision").textContent = decision;
}

function shade(section, chips) {
  const present = chips.filter((chip) => decisionOf(chip) === "present");
  const strongest = present.sort((a, b) => b.dataset.score - a.dataset.score)[0];
  section.classList.toggle("shaded", Boolean(strongest));
  recolour(section, strongest);
}

function moveTo(point) {
  const byFrame = {};
  for (const { section, chips } of sections) {
    for (const chip of chips) {
      setDecision(chip, decide("paragraphs", chip, point));
      (byFrame[chip.dataset.frame] ??= new Set()).add(decisionOf(chip));
    }
    shade(section, chips);
    colourEvidence(section);
  }
  for (const chip of document.querySelectorAll("[data-summary] .chip")) {
    // A model without limits for articles decides by their paragraphs: present if any is, else uncertain if any is.
    const ofParagraphs = decisions.find((decision) => byFrame[chip.dataset.frame]?.has(decision)) ?? null;
    setDecision(chip, thresholds[point]?.article ? decide("article", chip, point) : thresholds[point] && ofParagraphs);
  }
  drawMap();
}

function chosenPoint() {
  return document.querySelector("[data-points] input:checked")?.value ?? answer.operating_point;
}

// What the page shows: at another operating point than that of the answer, the server decides again.
async function exported(point) {
  if (point === answer.operating_point) return answer;
  const again = await post("/v1/classify", {
    paragraphs: answer.paragraphs.map((paragraph) => paragraph.text),
    operating_point: point,
    thresholds: embedded("own-thresholds"),
    force_language: answer.language,
    explain: false,
  });
  if (again.model.version !== answer.model.version) {
    throw new Error(`Model ${again.model.version} has come into use since this page was opened; open it again.`);
  }
  const paragraphs = answer.paragraphs.map((paragraph, place) => {
    const frames = Object.entries(again.paragraphs[place].frames).map(([key, frame]) => {
      const { evidence } = paragraph.frames[key];
      return [key, evidence ? { ...frame, evidence } : frame];
    });
    return { ...paragraph, frames: Object.fromEntries(frames) };
  });
  return { ...answer, operating_point: point, article: again.article, paragraphs };
}

document.querySelector("[data-export]").addEventListener("click", async () => {
  const status = document.querySelector("[data-export-status]");
  status.textContent = "";
  try {
    const content = await exported(chosenPoint());
    download(`${answer.id || "framing"}.json`, JSON.stringify(content, null, 1), "application/json");
  } catch (error) {
    status.textContent = `Not exported: ${error.message}`;
  }
});

document.querySelector("[data-points]")?.addEventListener("change", () => {
  const point = chosenPoint();
  moveTo(point);
  if (!answer.id) return;
  const address = new URL(location.href);
  if (point === answer.operating_point) address.searchParams.delete("operating_point");
  else address.searchParams.set("operating_point", point);
  history.replaceState(history.state, "", address);
});

const showAbsent = document.querySelector("[data-show-absent]");
const applyAbsent = () => document.body.classList.toggle("few-chips", !showAbsent.checked);
showAbsent.addEventListener("change", applyAbsent);
applyAbsent();
offerEvidence(answer);
offerMap();
moveTo(chosenPoint());

// After a form was sent, keyboard and screen reader continue at the result.
document.getElementById("result")?.focus();
