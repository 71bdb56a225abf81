// What an action has done, on a page that is loaded again because nearly all of it has changed.
const PLACE = "framing-outcome";

// `target` is the id of the part of the page that the sentence leads to.
export function reloadWith(sentence, target = "") {
  sessionStorage.setItem(PLACE, JSON.stringify({ sentence, target }));
  location.reload();
}

// Shows the sentence that was left before the page was loaded again; false if there is none.
export function showOutcome() {
  const stored = sessionStorage.getItem(PLACE);
  if (!stored) return false;
  sessionStorage.removeItem(PLACE);
  const { sentence, target } = JSON.parse(stored);
  const place = document.querySelector("[data-outcome]");
  place.hidden = false;
  place.textContent = sentence;
  if (target && document.getElementById(target)) {
    const link = document.createElement("a");
    link.href = `#${target}`;
    link.textContent = `See ${target}`;
    place.append(" ", link);
  }
  place.focus();
  return true;
}
