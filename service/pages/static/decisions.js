// The decisions of coders about a paragraph as a table: a row for each frame that anybody sees, a column for each coder.
import { element, smallButton } from "./elements.js";
import { everyFrame, nameOf } from "./frames.js";

// The parts of the table; `take` is called with the place of the coder whose decision the reader takes over.
export function decisionsTable(task, take) {
  const deciding = [...(task.settled ? [task.settled] : []), ...task.annotations];
  return [heading(task, take), body(task, deciding)];
}

function heading(task, take) {
  const row = line(cell("th", "Frame"));
  if (task.settled) row.append(cell("th", `${task.settled.coder} (adjudicator)`));
  task.annotations.forEach(({ coder, unsure }, place) => {
    const button = smallButton("Take", () => take(place));
    button.setAttribute("aria-label", `Decide as ${coder} did`);
    const mark = unsure ? [" ", element("span", { class: "badge" }, "unsure")] : [];
    row.append(cell("th", coder, ...mark, " ", button));
  });
  for (const head of row.cells) head.scope = "col";
  return section("thead", row);
}

function body(task, deciding) {
  const seen = everyFrame.filter((frame) => deciding.some(({ frames }) => frames[frame]));
  const rows = seen.map((frame) => {
    const row = line(cell("th", nameOf(frame)), ...deciding.map((decision) => decisionCell(decision, frame)));
    row.classList.toggle("differs", [...task.presence, ...task.stance].includes(frame));
    return row;
  });
  if (!seen.length) rows.push(line(cell("th", "Any frame"), ...deciding.map(() => marked("absent", "absent"))));
  if (deciding.some(({ note }) => note)) rows.push(line(cell("th", "Note"), ...deciding.map(({ note }) => marked(note, "note"))));
  for (const row of rows) row.cells[0].scope = "row";
  return section("tbody", ...rows);
}

function decisionCell({ frames, covered }, frame) {
  if (frames[frame]) return cell("td", frames[frame]);
  return covered.includes(frame) ? marked("absent", "absent") : marked("not asked", "not-asked");
}

const marked = (text, name) => element("td", { class: name }, text);
const cell = (kind, ...content) => element(kind, {}, ...content);
const line = (...cells) => element("tr", {}, ...cells);
const section = (kind, ...rows) => element(kind, {}, ...rows);
