// Filters apply when their button is pressed, not on each change: an arrow key in a list must not reload the page. Until
// then the form says that it differs from what the page shows.
const form = document.querySelector("[data-filters]");

const changed = (field) => {
  if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
  if (field.type !== "select-one") return field.value !== field.defaultValue;
  const options = [...field.options];
  const shown = options.findIndex((option) => option.defaultSelected);
  return field.selectedIndex !== Math.max(0, shown);
};

function sayWhatDiffers() {
  const fields = [...form.elements].filter((field) => field.name && field.type !== "submit");
  const differs = fields.some(changed);
  form.toggleAttribute("data-differs", differs);
  form.querySelector("[data-unapplied]").textContent = differs ? "Not applied yet." : "";
}

// The line of a picker says which of its choices are ticked.
function sayWhatIsTicked(picker) {
  const boxes = [...picker.querySelectorAll("input[type=checkbox]")];
  const ticked = boxes.filter((box) => box.checked);
  const [only] = ticked;
  const words = ticked.length === 1 ? only.parentElement.textContent.trim() : `${ticked.length} of ${boxes.length}`;
  picker.querySelector("[data-chosen]").textContent = ticked.length ? words : picker.dataset.all;
}

function boundDays() {
  const [from, to] = [form.elements.from, form.elements.to];
  to.min = from.value;
  to.setCustomValidity(from.value && to.value && to.value < from.value ? "The last day is before the first day. Exchange them, or clear one." : "");
}

function refresh() {
  form.querySelectorAll("[data-picker]").forEach(sayWhatIsTicked);
  boundDays();
  sayWhatDiffers();
}

function narrow(list, words) {
  for (const choice of list.querySelectorAll("label")) choice.hidden = !choice.textContent.toLowerCase().includes(words);
}

if (form) {
  form.addEventListener("input", (event) => {
    const { narrow: narrows } = event.target.dataset;
    if (narrows !== undefined) narrow(event.target.closest(".picker-list"), event.target.value.trim().toLowerCase());
    else refresh();
  });
  form.addEventListener("keydown", (event) => {
    const picker = event.target.closest?.("[data-picker]");
    if (event.key === "Escape" && picker?.open) {
      picker.open = false;
      picker.querySelector("summary").focus();
    }
  });
  // Only one list lies over the page.
  document.addEventListener("click", (event) => {
    for (const picker of form.querySelectorAll("[data-picker][open]")) if (!picker.contains(event.target)) picker.open = false;
  });
  form.addEventListener("focusout", (event) => {
    const picker = event.target.closest("[data-picker]");
    if (picker && event.relatedTarget && !picker.contains(event.relatedTarget)) picker.open = false;
  });
  form.addEventListener("formdata", (event) => {
    // Empty fields would only lengthen the address.
    const entries = [...event.formData].filter(([, value]) => value !== "");
    for (const name of new Set(event.formData.keys())) event.formData.delete(name);
    for (const [name, value] of entries) event.formData.append(name, value);
  });
  // A page that the back button brings back shows what its address says, and so must its filters.
  addEventListener("pageshow", (event) => {
    const [navigation] = performance.getEntriesByType("navigation");
    if (event.persisted || navigation?.type === "back_forward" || navigation?.type === "reload") form.reset();
    refresh();
  });
  refresh();
}
