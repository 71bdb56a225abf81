// Gold items, by which a coder trains: what the coder sees is compared at once with what was adjudicated. It also says
// how much of what was assigned is left.
import { plural, request } from "./data.js";
import { element, find } from "./elements.js";
import { nameOf } from "./frames.js";

const PATIENCE_MS = 20000;
const LEFT_MS = 800; // after the last annotation
const { coder } = find("coder").dataset;

function frameRow({ frame, yours, adjudicated, right }) {
  const cells = [yours, adjudicated].map((stance) => element("td", {}, stance || "absent"));
  return element("tr", { class: right ? "" : "wrong" }, element("th", { scope: "row" }, nameOf(frame)), ...cells);
}

function showFeedback(task, feedback) {
  const stances = feedback.frames.every(({ yours, adjudicated }) => yours === adjudicated);
  let verdict = "The adjudicator decided otherwise";
  if (feedback.right) verdict = stances ? "As the adjudicator decided" : "The same frames; another stance";
  find("gold-verdict").textContent = `Training: ${verdict[0].toLowerCase()}${verdict.slice(1)}`;
  find("gold-text").textContent = task.text;
  find("gold-frames").replaceChildren(...feedback.frames.map(frameRow));
  find("gold-frames").closest(".scroll").hidden = !feedback.frames.length;
  find("gold-none").hidden = Boolean(feedback.frames.length);
  find("gold-why").textContent = feedback.note && `Why: ${feedback.note}`;
  find("gold-explanation").textContent = feedback.explanation;
  const { score } = feedback;
  const again = feedback.counted ? "" : " You had answered this item before; the first answer counts.";
  find("gold-score").textContent = `As adjudicated so far: ${score.right} of ${plural(score.answered, "paragraph")}.${again} This is no annotation: it neither trains a model nor corrects a chart.`;
  find("gold-dialog").showModal();
  find("gold-dialog").querySelector("form button").focus();
}

// Sends what the coder sees in a gold item and shows what was adjudicated; raises the error of the request.
export async function answerGold(task, { frames }) {
  const feedback = await request(`/v1/gold-items/${task.gold_item}/answers`, {
    method: "POST",
    body: JSON.stringify({ coder, frames }),
    signal: AbortSignal.timeout(PATIENCE_MS),
  });
  showFeedback(task, feedback);
  tellLeftSoon();
}

async function tellLeft() {
  const { assignments } = await request(`/v1/assignments?coder=${encodeURIComponent(coder)}`).catch(() => ({ assignments: [] }));
  for (const assignment of assignments) {
    const place = document.querySelector(`[data-assignment="${assignment.id}"] [data-left]`);
    const share = assignment.coders.find((entry) => entry.coder === coder);
    if (!place || !share) continue;
    const parts = [share.waiting && `${plural(share.waiting, "paragraph")} left`, share.training_left && `${plural(share.training_left, "paragraph")} to train with`];
    place.textContent = parts.filter(Boolean).join(", and ") || "all done";
  }
}

let soon = null;

function tellLeftSoon() {
  if (!find("assigned")) return;
  clearTimeout(soon);
  soon = setTimeout(tellLeft, LEFT_MS);
}

document.addEventListener("annotation-stored", tellLeftSoon);
