// The bar at the bottom of the screen, which covers what lies under it: the browser must know its height, so that it
// scrolls what gets the focus above it.
const bar = document.querySelector(".sticky-bar");

function tell() {
  document.documentElement.style.setProperty("--bar-height", `${bar.offsetHeight}px`);
}

export const measureBar = () => new ResizeObserver(tell).observe(bar);
