// The dialogs of the coding page: its keys, the instructions, and returning what waits.
import { find } from "./elements.js";

const instructions = find("instructions");

function showInstructions(frame) {
  if (!instructions.open) instructions.showModal();
  if (frame) instructions.querySelector(`[data-about="${CSS.escape(frame)}"]`).scrollIntoView();
}

// `closed()` is called when any of them closes.
export function openDialogs({ closed, returnAll }) {
  const onClick = (name, act) => find(name)?.addEventListener("click", act);
  onClick("help", () => find("dialog").showModal());
  onClick("show-instructions", () => showInstructions());
  onClick("return", () => find("return-dialog").showModal());
  for (const button of document.querySelectorAll("[data-about-frame]")) {
    button.addEventListener("click", () => showInstructions(button.dataset.aboutFrame));
  }
  for (const dialog of document.querySelectorAll("dialog")) {
    dialog.addEventListener("close", () => {
      closed();
      if (dialog === find("return-dialog") && dialog.returnValue === "return") returnAll();
      dialog.returnValue = "";
    });
  }
}

// In the instructions, the key of a frame leads to the frame, and the key that opened them closes them.
export function pressIn(dialog, control) {
  if (dialog !== instructions || !control) return false;
  if (control === find("show-instructions")) dialog.close();
  else if (control.dataset.frame) showInstructions(control.dataset.frame);
  else return false;
  return true;
}
