// Forms below the paragraphs of an article, in which coders annotate them.
import { embedded, post, rememberName } from "./data.js";

const article = embedded("answer").id;
const titles = embedded("titles");

function listItem(annotation) {
  const item = document.createElement("li");
  item.append(`${annotation.coder}: `);
  const frames = Object.entries(annotation.frames);
  for (const [frame, stance] of frames) {
    const tag = document.createElement("span");
    tag.className = "tag";
    tag.textContent = `${titles[frame] || frame} · ${stance}`;
    item.append(tag, " ");
  }
  if (!frames.length) item.append("no frame");
  return item;
}

for (const form of document.querySelectorAll("[data-annotate]")) {
  rememberName([form.elements.coder]);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const section = form.closest("[data-paragraph]");
    const status = form.querySelector(".form-status");
    const frames = {};
    for (const select of form.querySelectorAll("select")) if (select.value) frames[select.name] = select.value;
    const annotation = {
      coder: form.elements.coder.value.trim(),
      article_id: article,
      paragraph: Number(section.dataset.paragraph),
      frames,
      note: form.elements.note.value,
    };
    try {
      const { annotations } = await post("/v1/annotations", annotation);
      const list = section.querySelector(".annotations");
      for (const previous of [...list.children]) if (previous.textContent.trim().startsWith(`${annotation.coder}:`)) previous.remove();
      list.append(listItem(annotations[0]));
      status.textContent = "Saved.";
    } catch (error) {
      status.textContent = `Not saved: ${error.message}`;
    }
  });
}
