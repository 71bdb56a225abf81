// Data that the server embedded in the page, requests to its API, and downloads.

export function embedded(id) {
  const element = document.getElementById(id);
  return element ? JSON.parse(element.textContent) : null;
}

// A number with its noun: "1 paragraph", "1,204 paragraphs"; `several` is a plural without s, such as "stories".
export function plural(number, noun, several = `${noun}s`) {
  return `${number.toLocaleString("en")} ${number === 1 ? noun : several}`;
}

// The only forms of dates on the pages, as the server writes them: "3 March 2026" and "3 March 2026, 14:05", in UTC.
export const dayInWords = (moment) => new Date(moment).toLocaleDateString("en-GB", { dateStyle: "long", timeZone: "UTC" });
export const momentInWords = (moment) => `${dayInWords(moment)}, ${new Date(moment).toISOString().slice(11, 16)}`;

// The server would say how programs send a key.
const SESSION_ENDED = "Your session has ended. Sign in again in another tab, then try again here.";

// The answer of the server; an error has its status, and the pointers of fields with what is wrong with them.
export async function answerOf(address, options = {}) {
  const headers = options.body ? { "Content-Type": "application/json" } : {};
  const answer = await fetch(address, { ...options, headers }).catch(() => {
    throw new Error("The server cannot be reached."); // browsers only say that something failed
  });
  if (answer.ok) return answer;
  const problem = answer.status === 401 ? { detail: SESSION_ENDED } : await answer.json().catch(() => ({}));
  const error = new Error(problem.detail || `The server answered ${answer.status}.`);
  throw Object.assign(error, { status: answer.status, fields: problem.errors || [] });
}

export async function request(address, options = {}) {
  const answer = await answerOf(address, options);
  return answer.status === 204 ? null : answer.json();
}

export const post = (address, body) => request(address, { method: "POST", body: JSON.stringify(body) });

export function download(name, content, type) {
  const link = document.createElement("a");
  link.href = String(content).startsWith("data:") ? content : URL.createObjectURL(new Blob([content], { type }));
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
