// Writes the names of languages in place of their codes.
const names = new Intl.DisplayNames(["en"], { type: "language", fallback: "code" });

for (const element of document.querySelectorAll("[data-language]")) {
  const code = element.textContent;
  if (names.of(code) !== code) element.textContent = `${names.of(code)} (${code})`;
}

// A list of languages is in the order of their names, after what stands first.
for (const list of document.querySelectorAll("select:has([data-language])")) {
  const options = [...list.querySelectorAll("[data-language]")];
  list.append(...options.sort((a, b) => a.textContent.localeCompare(b.textContent, "en")));
}
