// Dialogs that say what a promotion or a way back does, what became of a run, and how far rescoring is.
import { offerComparisons } from "./changes.js";
import { plural, post, rememberName, request } from "./data.js";
import { reloadWith, showOutcome } from "./outcomes.js";
import { followTraining, onSubmit } from "./training.js";

const RESCORING_SECONDS = 3;

for (const button of document.querySelectorAll("[data-opens]")) {
  button.addEventListener("click", () => document.getElementById(button.dataset.opens).showModal());
}
for (const button of document.querySelectorAll("[data-closes]")) {
  button.addEventListener("click", () => button.closest("dialog").close());
}

for (const form of document.querySelectorAll("[data-promote]")) {
  onSubmit(form, async ({ reason, by, force }) => {
    const version = form.dataset.promote;
    await post(`/v1/models/${version}/promote`, { reason, by, force: force === "true" });
    reloadWith(`${version} is the current model from now on.`, version);
  });
}
for (const form of document.querySelectorAll("[data-rollback]")) {
  onSubmit(form, async ({ reason, by }) => {
    const { version } = await post("/v1/models/rollback", { reason, by });
    reloadWith(`${version} is the current model again.`, version);
  });
}
rememberName(document.querySelectorAll('input[name="by"]:not([type="hidden"])'));

// A link to a version whose section is folded away opens what it lies in, and takes the focus along.
function openTarget() {
  const target = document.getElementById(location.hash.slice(1));
  if (!target?.matches(".version")) return;
  target.closest("details")?.setAttribute("open", "");
  target.scrollIntoView();
  target.querySelector("h2").focus();
}

function duration(seconds) {
  if (seconds < 90) return plural(Math.max(1, Math.round(seconds)), "second");
  return seconds < 5400 ? plural(Math.round(seconds / 60), "minute") : plural(Math.round(seconds / 3600), "hour");
}

// Says how many stored articles the current model has still to score; nothing where it has scored all of them.
async function watchRescoring() {
  const place = document.querySelector("[data-rescoring]");
  const known = await request("/v1/models/rescoring").catch(() => null);
  if (!known) return;
  if (known.articles > 1) {
    for (const count of document.querySelectorAll("[data-stored]")) count.textContent = `Those of the ${plural(known.articles, "stored article")}`;
  }
  if (!place || !known.version) return;
  place.hidden = known.scored >= known.articles;
  if (place.hidden) return;
  const left = known.seconds_left === null ? "" : `; about ${duration(known.seconds_left)} left`;
  const waiting = known.articles - known.scored;
  place.textContent = `${known.version} has still to score ${plural(waiting, "stored article")} of ${known.articles.toLocaleString("en")}${left}. Until then, they do not count on the dashboard.`;
  setTimeout(watchRescoring, RESCORING_SECONDS * 1000);
}

document.addEventListener("click", (event) => {
  const link = event.target.closest('a[href^="#v"]');
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault(); // the browser would take the focus away from the heading again
  if (link.hash !== location.hash) history.pushState(null, "", link.hash);
  openTarget();
});
addEventListener("hashchange", openTarget);
if (!showOutcome()) openTarget();
offerComparisons();
watchRescoring();
followTraining(reloadWith);
