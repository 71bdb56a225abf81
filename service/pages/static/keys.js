// The keyboard of the coding page: a key presses the button that names it in `data-key`.

// The letter or the figure of a key, also with caps lock, and where the layout has other letters or needs Shift for figures.
function nameOf(event) {
  if (event.key.length > 1 || /^[a-z0-9?/]$/.test(event.key)) return event.key;
  if (/^[A-Z]$/.test(event.key)) return event.key.toLowerCase();
  const [, letter, figure] = event.code.match(/^Key([A-Z])$|^Digit(\d)$/) || [];
  return letter?.toLowerCase() || (event.shiftKey ? "" : figure) || event.key;
}

const isText = (target) => /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) && target.type !== "checkbox";

const press = (control) => (isText(control) ? control.focus() : control.click());

// `save()` is what Enter does, `leave()` what Escape does, and `pressIn(dialog, control)` what a key does in a dialog.
export function listen({ save, leave, pressIn }) {
  const byKey = new Map([...document.querySelectorAll("[data-key]")].map((button) => [button.dataset.key, button]));

  // Enter on a control that the coder has moved to does what the control says; on a frame it saves, as everywhere.
  const hasOwnEnter = (target) => target.closest("button, a, summary") && !target.matches(".frame-button, [data-save]");

  document.addEventListener("keydown", (event) => {
    if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    const name = nameOf(event);
    const text = isText(event.target);
    // A key that is held down repeats itself: nobody has read the paragraphs that would be annotated.
    if (event.repeat) {
      if (name === "Enter" || (!text && byKey.has(name))) event.preventDefault();
      return;
    }
    const dialog = document.querySelector("dialog[open]");
    if (dialog) {
      if (pressIn(dialog, byKey.get(name))) event.preventDefault();
      return;
    }
    if (event.defaultPrevented || (name === "Escape" && document.querySelector(":popover-open"))) return;
    if (name === "Enter" && !hasOwnEnter(event.target)) {
      event.preventDefault();
      save();
    } else if (name === "Escape") {
      leave();
    } else if (!text && name !== "Enter" && byKey.has(name)) {
      event.preventDefault();
      press(byKey.get(name));
    }
  });
}
