// Marks the words of the codebook's concepts in a paragraph, on demand.
const WORD = /[\p{L}\p{N}]+(?:['’-][\p{L}\p{N}]+)*/gu;

// `concepts` are words by the name of their concept, separated by spaces.
export function openWords(concepts, { place, legend }) {
  const conceptsOf = new Map();
  for (const [concept, words] of Object.entries(concepts)) {
    for (const word of words.toLowerCase().split(" ")) conceptsOf.set(word, [...(conceptsOf.get(word) || []), concept]);
  }

  function marked(text) {
    const nodes = [];
    const words = new Map(); // those in the text, by concept
    let end = 0;
    for (const { 0: word, index } of text.matchAll(WORD)) {
      const own = conceptsOf.get(word.toLowerCase());
      if (!own) continue;
      const mark = document.createElement("mark");
      mark.textContent = word;
      mark.title = own.join(", ");
      nodes.push(text.slice(end, index), mark);
      end = index + word.length;
      for (const concept of own) words.set(concept, new Set(words.get(concept)).add(word.toLowerCase()));
    }
    return { nodes: [...nodes, text.slice(end)], words };
  }

  return function showText(text, on) {
    const { nodes, words } = on ? marked(text) : { nodes: [text], words: new Map() };
    place.replaceChildren(...nodes);
    const listed = [...words].map(([concept, own]) => `${concept}: ${[...own].join(", ")}`);
    legend.textContent = on ? `Concepts in this paragraph: ${listed.join("; ") || "none"}.` : "";
  };
}
