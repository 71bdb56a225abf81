// The tabs in which the same coder works: none shows a paragraph that another tab shows or has annotated.
const PATIENCE_MS = 100;

// `yields()` is called if another tab showed the same paragraph first; `hears(kind, key, id)` for everything else.
export function joinTabs(coder, { yields, hears }) {
  const me = Math.random().toString(36).slice(2);
  const channel = new BroadcastChannel(`framing-coding:${coder}`);
  const elsewhere = new Map(); // what other tabs show
  let mine = null;
  let since = 0;

  const tell = (kind, key = null, id = null) => channel.postMessage({ tab: me, kind, key, id, since });
  const wasFirst = (other) => since < other.since || (since === other.since && me < other.tab);

  channel.addEventListener("message", ({ data: other }) => {
    if (other.kind === "asks") tell("shows", mine);
    else if (other.kind === "leaves") elsewhere.delete(other.tab);
    else if (other.kind === "shows") {
      elsewhere.set(other.tab, other.key);
      if (!mine || other.key !== mine) return;
      if (wasFirst(other)) tell("shows", mine);
      else yields();
    } else hears(other.kind, other.key, other.id);
  });
  addEventListener("pagehide", () => tell("leaves"));
  addEventListener("pageshow", (event) => event.persisted && tell("shows", mine));

  return {
    tell,
    shows(key) {
      if (key === mine) return;
      mine = key;
      since = Date.now();
      tell("shows", key);
    },
    isElsewhere: (key) => [...elsewhere.values()].includes(key),
    // Asks the other tabs anew, since one that crashed says nothing, and waits for their answers.
    async ask() {
      elsewhere.clear();
      tell("asks");
      await new Promise((resolve) => setTimeout(resolve, PATIENCE_MS));
    },
  };
}
