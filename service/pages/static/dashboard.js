// Filters apply as soon as they change, and are part of the address.
const form = document.querySelector("[data-filters]");

form?.addEventListener("change", () => form.requestSubmit());
form?.addEventListener("formdata", (event) => {
  // Empty fields would only lengthen the address.
  for (const [name, value] of [...event.formData]) if (value === "") event.formData.delete(name);
});
