// "Correct this": a code for a paragraph of the article, given in place.
import { post, rememberName, written } from "./data.js";

const article = written("answer").id;
const titles = written("frames");

function line(code) {
  const item = document.createElement("li");
  item.append(`${code.coder}: `);
  const frames = Object.entries(code.frames);
  for (const [frame, stance] of frames) {
    const tag = document.createElement("span");
    tag.className = "tag";
    tag.textContent = `${titles[frame] || frame} · ${stance}`;
    item.append(tag, " ");
  }
  if (!frames.length) item.append("no frame");
  return item;
}

for (const form of document.querySelectorAll("[data-correct]")) {
  rememberName([form.elements.coder]);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const section = form.closest("[data-paragraph]");
    const status = form.querySelector(".form-status");
    const frames = {};
    for (const select of form.querySelectorAll("select")) if (select.value) frames[select.name] = select.value;
    const code = {
      coder: form.elements.coder.value.trim(),
      article_id: article,
      paragraph: Number(section.dataset.paragraph),
      frames,
      note: form.elements.note.value,
    };
    try {
      const { annotations } = await post("/v1/annotations", code);
      const list = section.querySelector(".codes");
      for (const old of [...list.children]) if (old.textContent.trim().startsWith(`${code.coder}:`)) old.remove();
      list.append(line(annotations[0]));
      status.textContent = "Saved.";
    } catch (error) {
      status.textContent = `Not saved: ${error.message}`;
    }
  });
}
