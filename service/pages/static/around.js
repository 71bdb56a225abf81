// The article around a paragraph, and what the model decided about the paragraph.
import { request } from "./data.js";
import { nameOf } from "./frames.js";
import { reasonOf } from "./notices.js";

const KEPT = 60;
const PATIENCE_MS = 20000;
const articles = new Map(); // by id; the latest at the end

// The article of a paragraph, requested once; a failure is not kept, so that the next call tries again.
function articleOf(task) {
  const id = task.article_id;
  const known = articles.get(id);
  if (known) return known;
  const article = request(`/v1/articles/${id}?explain=false`, { signal: AbortSignal.timeout(PATIENCE_MS) });
  articles.set(id, article);
  article.catch(() => articles.delete(id));
  if (articles.size > KEPT) articles.delete(articles.keys().next().value);
  return article;
}

// Requests the articles of the next paragraphs one after the other, so that they are there when the network is not.
export async function prefetch(tasks) {
  for (const task of tasks) await articleOf(task);
}

// Shows the paragraphs before and after, or with `open` the whole article; says so where they cannot be had.
export function openSurroundings({ before, after, problem, retry }) {
  let task = null;
  let open = false;

  const paragraphsAs = (place, paragraphs) =>
    place.replaceChildren(
      ...paragraphs.map(({ text }) => {
        const paragraph = document.createElement("p");
        paragraph.textContent = text;
        return paragraph;
      }),
    );

  function draw({ paragraphs }) {
    const place = paragraphs.findIndex((paragraph) => paragraph.index === task.paragraph);
    paragraphsAs(before, paragraphs.slice(open ? 0 : Math.max(place - 1, 0), Math.max(place, 0)));
    paragraphsAs(after, place < 0 ? [] : paragraphs.slice(place + 1, open ? undefined : place + 2));
    for (const side of [before, after]) side.classList.toggle("open", open);
  }

  async function load() {
    const wanted = task;
    problem.hidden = true;
    try {
      const article = await articleOf(wanted);
      if (task === wanted) draw(article);
    } catch (error) {
      if (task !== wanted) return;
      problem.hidden = false;
      problem.firstElementChild.textContent = `The text around this paragraph could not be loaded: ${reasonOf(error)}`;
    }
  }

  retry.addEventListener("click", load);
  return {
    show(shown) {
      if (shown !== task) for (const side of [before, after]) side.replaceChildren();
      task = shown;
      problem.hidden = true;
      if (task) load();
    },
    toggle(wanted) {
      open = wanted;
      if (task) load();
    },
  };
}

// The line that says what the model decided. It belongs to one paragraph and is emptied before any other is shown.
export function openGuess(line) {
  let turn = 0;

  function clear() {
    turn += 1;
    line.textContent = "";
  }

  async function tell(task, lead) {
    clear();
    const mine = turn;
    const article = await articleOf(task).catch(() => null);
    if (mine !== turn) return;
    const paragraph = article?.paragraphs.find(({ index }) => index === task.paragraph);
    if (!paragraph) {
      line.textContent = `${lead} could not be loaded.`;
      return;
    }
    const notAbsent = Object.entries(paragraph.frames).filter(([, frame]) => frame.decision !== "absent");
    const names = notAbsent.map(([key, frame]) => `${nameOf(key)} (${frame.decision}, ${frame.score.toFixed(2)})`);
    line.textContent = `${lead}: ${names.join(", ") || "no frame"}.`;
  }

  return { clear, tell };
}
