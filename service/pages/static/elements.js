// Elements of the page: to find, to make, to colour and to move between.

// The element that carries `data-` and this name.
export const find = (name) => document.querySelector(`[data-${name}]`);

export function element(name, attributes = {}, ...content) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...content);
  return made;
}

export function smallButton(words, act) {
  const button = element("button", { type: "button", class: "small" }, words);
  button.addEventListener("click", act);
  return button;
}

const colours = (of) => [...of.classList].filter((name) => name.startsWith("frame-"));

// Gives an element the colour of the frame that another is about, or takes its colour away.
export function recolour(shown, other = null) {
  shown.classList.remove(...colours(shown));
  if (other) shown.classList.add(...colours(other));
}

// Moves the focus from an element to another of its row with the arrow keys; the tab key reaches only one of a row.
export function moveAlong(event, from, row) {
  const place = row.indexOf(from);
  const to = { ArrowRight: place + 1, ArrowLeft: place - 1, Home: 0, End: row.length - 1 }[event.key];
  if (place < 0 || !row[to]) return;
  event.preventDefault();
  row[place].tabIndex = -1;
  row[to].tabIndex = 0;
  row[to].focus();
}
