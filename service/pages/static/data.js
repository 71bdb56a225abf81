// Data that the server embedded in the page, requests to its API, and downloads.

export function embedded(id) {
  const element = document.getElementById(id);
  return element ? JSON.parse(element.textContent) : null;
}

export async function request(address, options = {}) {
  const answer = await fetch(address, {
    ...options,
    headers: options.body ? { "Content-Type": "application/json" } : {},
  });
  if (!answer.ok) {
    const problem = await answer.json().catch(() => ({}));
    const error = new Error(problem.detail || `The server answered ${answer.status}.`);
    error.status = answer.status;
    throw error;
  }
  return answer.status === 204 ? null : answer.json();
}

export const post = (address, body) => request(address, { method: "POST", body: JSON.stringify(body) });

export function download(name, content, type) {
  const link = document.createElement("a");
  link.href = content.startsWith("data:") ? content : URL.createObjectURL(new Blob([content], { type }));
  link.download = name;
  link.click();
  if (link.href.startsWith("blob:")) setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

// Fills in the name that was entered the last time.
export function rememberName(inputs) {
  const name = localStorage.getItem("framing-name") || "";
  for (const input of inputs) {
    if (!input.value) input.value = name;
    input.addEventListener("change", () => localStorage.setItem("framing-name", input.value.trim()));
  }
}
