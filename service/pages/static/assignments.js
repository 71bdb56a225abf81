// Assigning paragraphs to coders, ending and extending assignments, and choosing what coders train with.
import { plural, post, request } from "./data.js";
import { reloadWith, showOutcome } from "./outcomes.js";

const SUPPLY_MS = 300; // after the last change of the form
const form = document.querySelector("[data-assign]");
const many = (name) => [...form.querySelectorAll(`input[name="${name}"]:checked`)].map((box) => box.value);
const number = (name) => (form.elements[name].value === "" ? null : Number(form.elements[name].value));

// Puts the sentence of an error beside the field that it is about.
function showFault(place, error, fields = []) {
  for (const fault of place.querySelectorAll("[data-fault]")) fault.textContent = "";
  if (!error) return;
  const [first] = error.fields || [];
  const names = [...(first ? [first.pointer.split("/")[1]] : []), ...fields];
  const beside = names.map((name) => place.querySelector(`[data-fault="${name}"]`)).find(Boolean);
  const shown = beside || place.querySelector('[data-fault="all"]');
  shown.textContent = first?.detail || error.message;
  shown.closest("details")?.setAttribute("open", "");
}

function coders() {
  const others = form.elements.others.value.split(",").map((name) => name.trim());
  return [...new Set([...many("coders"), ...others.filter(Boolean)])];
}

function wanted() {
  const outlets = many("outlets");
  return {
    coders: coders(),
    n: number("n") ?? 0,
    whole: form.elements.whole.value === "true",
    coders_each: number("coders_each") ?? 1,
    training: number("training") ?? 0,
    outlets: outlets.length ? outlets : null,
    from: form.elements.from.value || null,
    to: form.elements.to.value || null,
    due: form.elements.due.value || null,
    note: form.elements.note.value.trim(),
  };
}

// Faults that the server need not see, in the page's own words.
function faultOf(body) {
  if (!body.coders.length) return { message: "Choose at least one coder, or enter a name.", fields: [{ pointer: "/coders" }] };
  const numbers = { n: "How many", coders_each: "Coders for each", training: "Training paragraphs" };
  for (const [name, label] of Object.entries(numbers)) {
    const field = form.elements[name];
    if (!field.checkValidity()) return { message: `${label}: enter a whole number from ${field.min} to ${field.max}.`, fields: [{ pointer: `/${name}` }] };
  }
  return null;
}

function outcomeOf(answer) {
  const units = answer.drawn ? plural(answer.drawn, answer.whole ? "whole article" : "paragraph") : "";
  const training = answer.training ? `${plural(answer.training, "paragraph")} to train with for each coder` : "";
  const what = [units, training].filter(Boolean).join(", and ");
  return `Assigned to ${plural(answer.coders.length, "coder")}: ${what}. ${answer.fewer_because || ""}`.trim();
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const body = wanted();
  const fault = faultOf(body);
  showFault(form, fault);
  if (fault) return;
  const button = form.querySelector(".primary");
  button.disabled = true; // a second click would draw once more
  try {
    reloadWith(outcomeOf(await post("/v1/assignments", body)));
  } catch (error) {
    button.disabled = false;
    showFault(form, error);
  }
});

let latest = null;

// Says what is left to draw in the articles that the form names.
async function tellSupply() {
  const { outlets, from, to, whole } = wanted();
  const place = form.querySelector("[data-supply]");
  const query = new URLSearchParams([...(outlets || []).map((outlet) => ["outlet", outlet]), ...(from ? [["from", from]] : []), ...(to ? [["to", to]] : [])]);
  const mine = (latest = query.toString() + whole);
  try {
    const supply = await request(`/v1/assignments/supply?${query}`);
    if (mine !== latest) return;
    const units = whole ? plural(supply.articles, "article") : plural(supply.paragraphs, "paragraph");
    const gold = supply.gold_items ? plural(supply.gold_items, "gold item") : "no gold item";
    place.textContent = `To draw from: ${units} that nobody has received. To train with: ${gold}.`;
  } catch (error) {
    if (mine === latest) place.textContent = error.message;
  }
}

let soon = null;
form.addEventListener("input", ({ target }) => {
  if (!["outlets", "from", "to", "whole"].includes(target.name)) return;
  clearTimeout(soon);
  soon = setTimeout(tellSupply, SUPPLY_MS);
});

for (const change of document.querySelectorAll("[data-change]")) {
  change.addEventListener("submit", async (event) => {
    event.preventDefault();
    const due = change.elements.due.value || null;
    try {
      await request(`/v1/assignments/${change.dataset.change}`, { method: "PATCH", body: JSON.stringify({ due }) });
      reloadWith("The last day was changed.");
    } catch (error) {
      showFault(change, error, ["due"]);
    }
  });
}

const dialog = document.querySelector("[data-end-dialog]");
let ending = null;
for (const button of document.querySelectorAll("[data-ends]")) {
  button.addEventListener("click", () => {
    ending = button;
    dialog.showModal();
    dialog.querySelector(".primary").focus(); // not on what cannot be undone
  });
}
dialog.addEventListener("close", async () => {
  const ends = dialog.returnValue === "end";
  dialog.returnValue = "";
  if (!ends) return;
  try {
    const { returned } = await post(`/v1/assignments/${ending.dataset.ends}/end`);
    reloadWith(`The assignment has ended. ${returned ? `${plural(returned, "paragraph")} went back to the pool.` : "Nothing was left to go back to the pool."}`);
  } catch (error) {
    showFault(ending.closest("form"), error, ["due"]);
  }
});

for (const item of document.querySelectorAll("[data-gold]")) {
  item.addEventListener("submit", async (event) => {
    event.preventDefault();
    const { article, paragraph } = item.dataset;
    try {
      await post("/v1/gold-items", { article_id: article, paragraph: Number(paragraph), explanation: item.elements.explanation.value.trim() });
      reloadWith("Coders can now train with the paragraph.");
    } catch (error) {
      showFault(item, error);
    }
  });
}

for (const button of document.querySelectorAll("[data-withdraw]")) {
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      await request(`/v1/gold-items/${button.dataset.withdraw}`, { method: "DELETE" });
    } catch (error) {
      // Another admin, or another tab, may have withdrawn it before.
      if (error.status !== 404) {
        button.disabled = false;
        showFault(button.closest("li"), error);
        return;
      }
    }
    reloadWith("No coder receives the gold item any longer.");
  });
}

showOutcome();
tellSupply();
