// Elements: made, never written as markup, so that nothing of what is shown can become any.

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 240;
const HEIGHT = 64;

/** Makes an element; `children` are elements or texts. */
export function element(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

function drawn(name, attributes, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

function fill(made, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(key, value);
    else if (value !== false && value != null) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

/** A row of a table. */
export function row(...cells) {
  return element("tr", {}, ...cells.map((cell) => (cell instanceof HTMLTableCellElement ? cell : element("td", {}, cell))));
}

/** A table with these heads. */
export function table(heads, rows) {
  const head = element("tr", {}, ...heads.map((text) => element("th", { scope: "col" }, text)));
  return element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows));
}

/** Puts `rows` into a table's body. What says the same stays, and with it the focus: a button must outlive a look. */
export function redraw(body, rows) {
  const before = [...body.rows];
  rows.forEach((made, number) => {
    const old = before[number];
    if (!old) body.append(made);
    else if (old.cells.length !== made.cells.length) old.replaceWith(made);
    else keepEqual([...old.cells], [...made.cells]);
  });
  for (const gone of before.slice(rows.length)) gone.remove();
}

function keepEqual(cells, made) {
  cells.forEach((cell, number) => cell.isEqualNode(made[number]) || cell.replaceWith(made[number]));
}

/** A short word with a colour: good, warn, bad or plain. */
export function mark(text, kind) {
  return element("span", { class: `mark ${kind}` }, text);
}

/** Lines over time, each with its latest value: `lines` are `{ name, values, bad }`. */
export function plot(title, lines, write) {
  const most = Math.max(0, ...lines.flatMap((line) => line.values.filter((value) => value !== null)));
  const picture = drawn(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": title },
    ...lines.map((line, number) => drawn("polyline", { class: shade(line, number), points: points(line.values, most) })),
  );
  const legend = lines.map((line, number) =>
    element("li", { class: shade(line, number) }, `${line.name} `, element("b", {}, write(line.values.at(-1) ?? null))),
  );
  return element(
    "figure",
    {},
    element("figcaption", {}, title, element("span", { class: "hint" }, ` up to ${write(most)}`)),
    picture,
    element("ul", {}, ...legend),
  );
}

/** One small line without words. */
export function spark(values) {
  const most = Math.max(1, ...values);
  return drawn(
    "svg",
    { class: "spark", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" },
    drawn("polyline", { class: "line0", points: points(values, most) }),
  );
}

function shade(line, number) {
  return line.bad ? "bad" : `line${number}`;
}

/** The newest value is at the right edge; where there was none, the line goes straight on. */
function points(values, most) {
  const step = WIDTH / 90;
  return values
    .map((value, number) => [WIDTH - (values.length - 1 - number) * step, value])
    .filter(([, value]) => value !== null)
    .map(([x, value]) => `${x.toFixed(1)},${(HEIGHT - 2 - (most ? value / most : 0) * (HEIGHT - 4)).toFixed(1)}`)
    .join(" ");
}

/** A number as people read it. */
export function count(value) {
  if (value === null) return "–";
  if (value >= 100 || Number.isInteger(value)) return Math.round(value).toLocaleString("en");
  return value.toFixed(value >= 10 ? 1 : 2);
}

/** Seconds as people read them. */
export function duration(seconds) {
  if (seconds === null) return "–";
  return seconds < 1 ? `${count(seconds * 1000)} ms` : `${count(seconds)} s`;
}

/** Bytes as people read them. */
export function bytes(value) {
  return value === null ? "–" : `${count(value / 1024 / 1024)} MiB`;
}

/** A time of our interfaces, Unix milliseconds. */
export function time(millis) {
  return millis == null ? "–" : new Date(millis).toLocaleString("sv");
}
