// Filters apply as soon as they change; their place is the address bar.
const form = document.querySelector("[data-filters]");

form?.addEventListener("change", () => form.requestSubmit());
form?.addEventListener("formdata", (event) => {
  // What says nothing does not lengthen the address.
  for (const [name, value] of [...event.formData]) if (value === "") event.formData.delete(name);
});
