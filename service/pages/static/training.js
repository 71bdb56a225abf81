// Starting a training run, and its progress step by step.
import { post, request } from "./data.js";

const ENDED = ["succeeded", "failed", "cancelled"];

// Calls `act` with the fields of a form; what goes wrong is said beside it, and it cannot be sent twice meanwhile.
export function onSubmit(form, act) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const status = form.querySelector(".form-status");
    const buttons = form.querySelectorAll("button:not([type='button'])");
    status.textContent = "";
    for (const button of buttons) button.disabled = true;
    try {
      await act(Object.fromEntries(new FormData(form)));
    } catch (error) {
      status.textContent = error.message;
      for (const button of buttons) button.disabled = false;
      buttons[0].focus();
    }
  });
}

// Only admins have the form and the progress of a run on the page. `ended` gets a sentence and the version made.
export async function followTraining(ended) {
  const form = document.querySelector("[data-train]");
  if (!form) return;
  onSubmit(form, async ({ note, pull }) => {
    const run = await post("/v1/training-runs", pull ? { note, pull: Number(pull) } : { note });
    follow(form, run, ended);
  });
  const { training_runs: runs } = await request("/v1/training-runs?limit=1").catch(() => ({ training_runs: [] }));
  if (runs[0] && !ENDED.includes(runs[0].state)) follow(form, runs[0], ended);
}

function follow(form, run, ended) {
  const panel = document.querySelector("[data-run]");
  const cancel = panel.querySelector("[data-cancel]");
  const status = panel.querySelector("[data-step]");
  panel.hidden = false;
  for (const button of form.querySelectorAll("button")) button.disabled = true;
  show(panel, run);
  const events = new EventSource(`/v1/training-runs/${run.id}/events`);
  events.addEventListener("run", (event) => {
    const now = JSON.parse(event.data);
    show(panel, now);
    if (!ENDED.includes(now.state)) return;
    events.close();
    ended(now.outcome, now.version);
  });
  events.addEventListener("error", async () => {
    if (events.readyState !== EventSource.CLOSED) {
      status.textContent = "The connection to the server is broken; it is tried again.";
      return;
    }
    // The browser does not say why it gave up, but the server does.
    const why = await request(`/v1/training-runs/${run.id}`).then(() => "load the page again", (error) => error.message);
    status.textContent = `The progress cannot be followed any longer: ${why}`;
  });
  cancel.onclick = async () => {
    cancel.disabled = true;
    try {
      await post(`/v1/training-runs/${run.id}/cancel`, {});
      status.textContent = "The run stops soon.";
    } catch (error) {
      cancel.disabled = false;
      status.textContent = error.message;
    }
  };
}

function show(panel, run) {
  if (run.state === "running") document.querySelector("[data-no-worker]")?.remove();
  panel.querySelector("progress").value = run.progress;
  panel.querySelector("[data-share]").textContent = `${Math.round(run.progress * 100)}%`;
  panel.querySelector("[data-line]").textContent = run.log.at(-1) ?? "";
  const items = [...panel.querySelectorAll("[data-of-step]")];
  const place = run.state === "queued" ? -1 : items.findIndex((item) => item.dataset.ofStep === run.step);
  for (const [number, item] of items.entries()) {
    item.classList.toggle("done", number < place);
    if (number === place) item.setAttribute("aria-current", "step");
    else item.removeAttribute("aria-current");
  }
  const sentence = run.state === "running" ? `${items[place]?.textContent ?? "Starting"}…` : run.outcome;
  const status = panel.querySelector("[data-step]");
  if (status.textContent !== sentence) status.textContent = sentence; // said aloud once for each step
}
