// The paragraphs that wait for the coder in this page: enough to continue for a while without a network.
import { request } from "./data.js";

const WANTED = 40;
const FEWEST = 30; // with fewer, more are requested; where there were not so many, with half of them
const RETRY_MS = 3000;
const PATIENCE_MS = 20000;

export const keyOf = (task) => `${task.article_id}:${task.paragraph}`;

// `arrived()` is called after each answer, `failed(error)` after a request without an answer; with null, once there is an answer.
export function openQueue({ coder, whole, later, arrived, failed }) {
  const annotated = new Set(); // keys of what this coder has annotated since the page was opened, in any tab
  let tasks = [];
  let fewer = ""; // why fewer are waiting than were requested
  let returned = null; // how many the coder has returned
  let filling = false;
  let fewest = FEWEST;

  const signal = () => AbortSignal.timeout(PATIENCE_MS);
  const named = `coder=${encodeURIComponent(coder)}`;
  const drawn = () =>
    later
      ? request(`/v1/coding-queue?n=${WANTED}&later_frames=true&${named}`, { signal: signal() })
      : request("/v1/coding-queue", { method: "POST", body: JSON.stringify({ coder, n: WANTED, whole, training: true }), signal: signal() });

  async function fill() {
    if (filling || returned !== null) return;
    filling = true;
    try {
      const { tasks: drawnTasks, fewer_because: why } = await drawn();
      if (returned !== null) return;
      const known = new Set(tasks.map(keyOf));
      tasks.push(...drawnTasks.filter((task) => !known.has(keyOf(task)) && !annotated.has(keyOf(task))));
      fewer = why || "";
      fewest = tasks.length < WANTED ? Math.ceil(tasks.length / 2) : FEWEST;
      failed(null);
      arrived();
    } catch (error) {
      failed(error);
      setTimeout(fill, RETRY_MS);
    } finally {
      filling = false;
    }
  }

  const fillIfFew = () => tasks.length < fewest && fill();

  return {
    fill,
    get length() { return tasks.length; },
    get fewer() { return fewer; },
    get returned() { return returned; },
    // The first paragraph that no other tab shows.
    first: (isElsewhere) => tasks.find((task) => !isElsewhere(keyOf(task))) || null,
    following: (count) => tasks.slice(1, count + 1),
    take(key) {
      annotated.add(key);
      tasks = tasks.filter((task) => keyOf(task) !== key);
      fillIfFew();
    },
    // Leads to the paragraph again, for example because its annotation was undone.
    bringBack(task) {
      annotated.delete(keyOf(task));
      tasks = [task, ...tasks.filter((other) => keyOf(other) !== keyOf(task))];
    },
    allow: (key) => annotated.delete(key),
    exclude: (key) => annotated.add(key),
    // Puts a paragraph behind all others.
    postpone(task) {
      tasks = [...tasks.filter((other) => other !== task), task];
    },
    // Returns all that wait to the pool, for other coders to receive; nothing is drawn until the page is loaded again.
    async returnAll() {
      const answer = await request(`/v1/coding-queue?${named}`, { method: "DELETE", signal: signal() });
      tasks = [];
      fewer = "";
      returned = answer.returned;
    },
  };
}
