// What the coding page says beside the paragraph: what was annotated, what was rejected, and what is wrong.
import { plural } from "./data.js";
import { element, find } from "./elements.js";
import { decided } from "./frames.js";

const TOAST_MS = 8000;
const EXCERPT = 80;

// An error in words: its sentence if the server answered.
export const reasonOf = (error) => (error.status ? error.message : "The server cannot be reached.");

export function say(sentence) {
  find("notice").textContent = sentence;
}

let toastEnds = null;

export function hideToast() {
  clearTimeout(toastEnds);
  find("toast").replaceChildren();
}

// Shows for a while what was annotated, with a button that undoes it; the button of the page stays.
export function showToast(sentence, undo) {
  const button = element("button", { type: "button" }, "Undo");
  button.addEventListener("click", undo);
  hideToast();
  find("toast").append(sentence, button);
  toastEnds = setTimeout(hideToast, TOAST_MS);
}

export function showRejected({ body, task }, error) {
  const sentence = `The annotation “${decided(body)}” of “${(task?.text || "").slice(0, EXCERPT)}…” was rejected: ${error.message}`;
  find("rejected").append(element("p", {}, sentence));
}

export function signInLink(attributes = {}) {
  const href = `/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`;
  return element("a", { href, ...attributes }, "Sign in again");
}

// Says what is wrong with the network or the session, and what becomes of the annotations that wait to be sent.
export function showTrouble(waiting, sendingError, queueError) {
  const place = find("network");
  const annotations = plural(waiting, "annotation waits", "annotations wait");
  if ((sendingError || queueError)?.status === 401) {
    const safe = waiting ? ` ${annotations} here until then; nothing is lost.` : "";
    place.replaceChildren("Your session has ended. ", signInLink(), ` to continue with this paragraph.${safe}`);
  } else if (sendingError && waiting) place.textContent = `${reasonOf(sendingError)} ${annotations} here and will be sent again.`;
  else if (queueError) place.textContent = `No more paragraphs can be received: ${reasonOf(queueError)} This page tries again by itself.`;
  else place.textContent = "";
}
