// Training runs with live progress; promotions and rollbacks with a reason.
import { post, rememberName, request } from "./data.js";

const panel = document.querySelector("[data-run]");
const steps = { snapshot: "Collecting annotations", check: "Checking the annotations", train: "Training", label_diff: "Comparing decisions", promote: "Deciding" };

function follow(identifier) {
  panel.hidden = false;
  const events = new EventSource(`/v1/training-runs/${identifier}/events`);
  events.addEventListener("run", (event) => {
    const run = JSON.parse(event.data);
    panel.querySelector("progress").value = run.progress;
    panel.querySelector("[data-step]").textContent = run.state === "running" ? steps[run.step] || run.step : run.state;
    if (["succeeded", "failed", "cancelled"].includes(run.state)) {
      events.close();
      location.reload();
    }
  });
  panel.querySelector("[data-cancel]").onclick = () => post(`/v1/training-runs/${identifier}/cancel`, {});
}

function onSubmit(form, act) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const status = form.querySelector(".form-status");
    try {
      await act(Object.fromEntries(new FormData(form)));
    } catch (error) {
      status.textContent = error.message;
    }
  });
}

// Only admins have the form and the progress of a run on the page.
const train = document.querySelector("[data-train]");
if (train) {
  onSubmit(train, async ({ note }) => {
    const run = await post("/v1/training-runs", { note });
    train.querySelector("button").disabled = true;
    follow(run.id);
  });
}

for (const form of document.querySelectorAll("[data-promote]")) {
  onSubmit(form, async ({ reason, by, force }) => {
    await post(`/v1/models/${form.dataset.promote}/promote`, { reason, by, force: force === "true" });
    location.reload();
  });
}
for (const form of document.querySelectorAll("[data-rollback]")) {
  onSubmit(form, async ({ reason, by }) => {
    await post("/v1/models/rollback", { reason, by });
    location.reload();
  });
}
rememberName(document.querySelectorAll('input[name="by"]'));

if (train) {
  const { training_runs: runs } = await request("/v1/training-runs?limit=1");
  if (runs[0] && ["queued", "running"].includes(runs[0].state)) follow(runs[0].id);
}
