// What a coder decided, on its way to the server. It stays in the browser until the server has it, so that none is lost
// with the network, the session or the page. Each entry has a place of its own in the storage, so that two tabs that
// write at the same time do not overwrite each other's.
import { request } from "./data.js";

const RETRY_MS = 3000;
const PATIENCE_MS = 20000; // a network that neither answers nor fails
const TEMPORARY = [401, 403, 408, 429]; // accepted later, once the coder has signed in again or waited

// `stored(entry, answer)`, `rejected(entry, error)` and `changed()` hear what becomes of the entries.
export function openOutbox(coder, { stored, rejected, changed }) {
  const prefix = `framing-outbox:${encodeURIComponent(coder)}/`;
  const ids = new Map(); // of the annotations that the server has stored, by key
  let added = 0;
  let busy = false;
  let sending = null;
  let retry = null;
  let error = null;

  const all = () =>
    Object.keys(localStorage)
      .filter((name) => name.startsWith(prefix))
      .sort()
      .map((name) => ({ name, ...JSON.parse(localStorage.getItem(name)) }))
      .filter((entry) => entry.key); // another tab may remove one at any moment
  const write = ({ name, ...entry }) => localStorage.setItem(name, JSON.stringify(entry));
  const remove = (entry) => localStorage.removeItem(entry.name);

  function keep(entry) {
    const order = [String(Date.now()).padStart(15, "0"), String(added++).padStart(6, "0"), Math.random().toString(36).slice(2, 8)];
    write({ name: prefix + order.join("-"), ...entry });
  }

  function add(entry) {
    keep(entry);
    changed();
    return send();
  }

  // Takes back what was annotated, whether the server has it already or not.
  const withdraw = (key) => add({ key, withdrawn: true, id: ids.get(key) || null });

  // An entry that was never sent need not be, if a later one says something else of the same frames.
  function superseded(entry, entries) {
    const covers = (other) => JSON.stringify(other.body?.covered);
    return (
      !entry.tried &&
      !entry.withdrawn &&
      entries.some((later) => later.name > entry.name && later.key === entry.key && (later.withdrawn || covers(later) === covers(entry)))
    );
  }

  function next() {
    const entries = all();
    for (const entry of entries) {
      if (!superseded(entry, entries)) return entry;
      remove(entry);
    }
    return null;
  }

  async function deliver(entry) {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    if (entry.withdrawn) {
      const id = ids.get(entry.key) || entry.id;
      if (id) await request(`/v1/annotations/${id}`, { method: "DELETE", signal });
      ids.delete(entry.key);
      return;
    }
    // From here on the server may have it, even if no answer arrives: it must be sent again before it can be withdrawn.
    write({ ...entry, tried: true });
    const { annotations } = await request("/v1/annotations", { method: "POST", body: JSON.stringify(entry.body), signal });
    note(entry.key, annotations[0].id);
    stored(entry, annotations[0]);
  }

  // Remembers the id under which the server has an annotation; another tab may have sent it.
  function note(key, id) {
    ids.set(key, id);
    for (const entry of all()) if (entry.key === key && entry.withdrawn && !entry.id) write({ ...entry, id });
  }

  // Sends everything in order; what is added during that time is sent too.
  async function drain() {
    for (let entry = next(); entry; entry = next()) {
      try {
        await deliver(entry);
        error = null;
      } catch (problem) {
        if (!problem.status || problem.status >= 500 || TEMPORARY.includes(problem.status)) {
          error = problem;
          busy = false;
          clearTimeout(retry);
          retry = setTimeout(send, RETRY_MS);
          changed();
          return;
        }
        if (!entry.withdrawn) rejected(entry, problem); // for example because the paragraph has been deleted
      }
      remove(entry);
      changed();
    }
    busy = false;
    error = null;
  }

  function send() {
    if (!busy) {
      busy = true;
      // A single tab sends at a time. Browsers have locks on https and on this machine only.
      sending = navigator.locks ? navigator.locks.request(prefix, drain) : drain();
    }
    return sending;
  }

  // An earlier release kept all entries in one place.
  for (const { key, ...body } of JSON.parse(localStorage.getItem(`framing-outbox-${coder}`) || "[]")) keep({ key, body });
  localStorage.removeItem(`framing-outbox-${coder}`);
  addEventListener("online", send);

  return { add, withdraw, send, note, all, get error() { return error; } };
}
