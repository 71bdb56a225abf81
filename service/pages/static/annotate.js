// Forms below the paragraphs of an article, in which coders annotate them.
import { embedded, post, rememberName } from "./data.js";
import { element } from "./elements.js";

const article = embedded("answer").id;
const titles = embedded("titles");
const places = embedded("places");

const tag = (frame, stance) =>
  element("span", { class: `tag frame-${places[frame] ?? -1}` }, `${titles[frame] || frame} · ${stance}`);

// As the server writes a line of an annotation (annotation_line in reading.html).
function listItem(annotation) {
  const { coder, role } = annotation;
  const item = element("li", { "data-coder": coder, "data-role": role }, coder);
  if (role === "adjudicator") item.append(" (adjudicator)");
  if (annotation.unsure) item.append(" (unsure)");
  item.append(": ");
  const frames = Object.entries(annotation.frames);
  for (const [frame, stance] of frames) item.append(tag(frame, stance), " ");
  if (!frames.length) item.append(element("span", { class: "faint" }, "no frame"), " ");
  if (annotation.note) item.append(element("span", { class: "faint note" }, annotation.note));
  return item;
}

function isSame(item, annotation) {
  return item.dataset.coder === annotation.coder && item.dataset.role === annotation.role;
}

for (const form of document.querySelectorAll("[data-annotate]")) {
  // A frame may be called like one of these, so they are not looked up in form.elements.
  const [coder, note, unsure] = ["coder", "note", "unsure"].map((name) => form.querySelector(`input[name=${name}]`));
  rememberName([coder]);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const section = form.closest("[data-paragraph]");
    const status = form.querySelector(".form-status");
    const chosen = [...form.querySelectorAll("[data-choice]")].filter((select) => select.value);
    const request = {
      coder: coder.value.trim(),
      article_id: article,
      paragraph: Number(section.dataset.paragraph),
      frames: Object.fromEntries(chosen.map((select) => [select.name, select.value])),
      note: note.value,
      unsure: unsure.checked,
    };
    try {
      const { annotations } = await post("/v1/annotations", request);
      const list = section.querySelector(".annotations");
      for (const item of [...list.children]) if (isSame(item, annotations[0])) item.remove();
      list.append(listItem(annotations[0]));
      status.textContent = "Saved.";
    } catch (error) {
      status.textContent = `Not saved: ${error.message}`;
    }
  });
}
