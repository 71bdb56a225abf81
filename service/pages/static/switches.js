// Buttons that switch something beside the paragraph on and off.
const switchFor = (name) => document.querySelector(`[data-switch="${name}"]`);

export const isOn = (name) => switchFor(name)?.getAttribute("aria-pressed") === "true";

// `remembered` switches are as the coder left them the last time.
export function onSwitch(name, act, { remembered = false } = {}) {
  const button = switchFor(name);
  if (!button) return;
  const place = `framing-coding-${name}`;
  const before = remembered ? localStorage.getItem(place) : null;
  if (before !== null) button.setAttribute("aria-pressed", before);
  button.addEventListener("click", () => {
    button.setAttribute("aria-pressed", String(!isOn(name)));
    if (remembered) localStorage.setItem(place, String(isOn(name)));
    act(isOn(name));
  });
}
