"use strict";
// All code of a page at once; each cell opens and closes by itself without this.
for (const button of document.querySelectorAll("[data-toggle=code]")) {
  const cells = document.querySelectorAll("details.code");
  button.hidden = cells.length === 0;
  button.addEventListener("click", () => {
    const open = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(open));
    button.textContent = open ? "Hide all code" : "Show all code";
    for (const cell of cells) cell.open = open;
  });
}
// Numbers are written as Python does.
const isMissing = (text) => text === "" || text === "nan";
const asNumber = (text) => Number(text.replace("inf", "Infinity"));
// A click on a heading of a table sorts by that column.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const key = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent.trim();
      const compare = (a, b) => {
        const [x, y] = [key(a), key(b)];
        if (isMissing(x) || isMissing(y)) return isMissing(x) - isMissing(y); // comes last
        const [one, other] = [asNumber(x), asNumber(y)];
        const order = isNaN(one) || isNaN(other) ? x.localeCompare(y) : one - other || 0;
        return down ? -order : order;
      };
      const body = table.tBodies[0];
      body.append(...[...body.rows].sort(compare));
    });
  });
}
// Each table can be saved as CSV, with all digits; a cell over several rows or columns fills them all.
const cellsOf = (table) => {
  const grid = [...table.rows].map(() => []);
  [...table.rows].forEach((row, y) => {
    for (const cell of row.cells) {
      const text = cell.dataset.value ?? cell.innerText.trim();
      let x = 0;
      while (grid[y][x] !== undefined) x += 1;
      for (let down = 0; down < cell.rowSpan && grid[y + down]; down += 1) {
        for (let on = 0; on < cell.colSpan; on += 1) grid[y + down][x + on] = text;
      }
    }
  });
  return grid;
};
const quoted = (text = "") => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
document.querySelectorAll(".scroll > table").forEach((table, number) => {
  if (!table.tHead || table.rows.length < 3 || table.closest(".slide")) return;
  const button = document.createElement("button");
  const label = table.parentElement.getAttribute("aria-label");
  const name = !label || label === "Table" ? `table ${number + 1}` : label;
  [button.type, button.className, button.textContent] = ["button", "save", "Save as CSV"];
  button.setAttribute("aria-label", `Save as CSV: ${name}`);
  button.addEventListener("click", () => {
    const lines = cellsOf(table).map((row) => [...row].map(quoted).join(","));
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([lines.join("\r\n"), "\r\n"], { type: "text/csv" }));
    link.download = `${document.title.split(" · ")[0].replace(/[^\p{L}\p{N}]+/gu, "-").slice(0, 60)}-${number + 1}.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
  table.parentElement.after(button);
});
// A chart of two columns of a table, which the reader chooses; a point leads to its row.
const SVG = "http://www.w3.org/2000/svg";
const drawn = (name, attributes, text) => {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
};
const cut = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);
const axis = (known) => {
  if (known.some((value) => isNaN(value))) {
    const words = [...new Set(known)].sort();
    const at = (value) => (words.indexOf(value) + 0.5) / words.length;
    return { at, ticks: words.map((word) => [at(word), word]) };
  }
  const numbers = known.map(Number);
  let [low, high] = [Math.min(...numbers), Math.max(...numbers)];
  if (low === high) [low, high] = [low - 1, high + 1];
  const label = (share) => String(Number((low + share * (high - low)).toPrecision(4)));
  return { at: (value) => (value - low) / (high - low), ticks: [0, 0.5, 1].map((s) => [s, label(s)]) };
};
for (const figure of document.querySelectorAll("figure.scatter")) {
  const table = document.getElementById(figure.dataset.table);
  const heads = [...table.tHead.rows[0].cells].filter((head) => head.dataset.kind);
  const [left, bottom, edge] = [70, 30, 14];
  const choose = (label, first) => {
    const select = document.createElement("select");
    heads.forEach((head) => select.add(new Option(head.title || head.textContent.trim(), head.cellIndex)));
    select.value = String(first.cellIndex);
    const caption = document.createElement("label");
    caption.append(label, " ", select);
    return [select, caption];
  };
  const metric = heads.find((head) => head.dataset.kind === "metric");
  const [y, yLabel] = choose("Up:", metric);
  const [x, xLabel] = choose("Across:", heads.find((head) => head.dataset.kind === "parameter") || heads.at(-1));
  const picture = document.createElement("div");
  const draw = () => {
    const wide = Math.max(280, Math.min(720, figure.clientWidth)); // drawn for the width, so that text keeps its size
    const high = Math.max(240, wide / 2);
    const cell = (row, select) => row.cells[select.value].dataset.value;
    const hasPlace = (text) => !isMissing(text) && Math.abs(asNumber(text)) !== Infinity;
    const rows = [...table.tBodies[0].rows].filter((row) => hasPlace(cell(row, x)) && hasPlace(cell(row, y)));
    const [across, up] = [axis(rows.map((row) => cell(row, x))), axis(rows.map((row) => cell(row, y)))];
    const px = (share) => left + edge + share * (wide - left - 3 * edge);
    const py = (share) => high - bottom - share * (high - bottom - edge);
    const name = (select) => select.selectedOptions[0].textContent;
    const said = `${name(y)} over ${name(x)}, ${rows.length} variants`;
    const svg = drawn("svg", { class: "chart", viewBox: `0 0 ${wide} ${high}`, role: "img", "aria-label": said });
    for (const [share, text] of up.ticks) {
      svg.append(drawn("path", { class: "axis", d: `M${left} ${py(share)}H${wide - edge}` }));
      svg.append(drawn("text", { x: left - 6, y: py(share) + 4, "text-anchor": "end" }, cut(text, 9)));
    }
    const slot = (wide - left - 3 * edge) / across.ticks.length / 8; // in letters
    const step = Math.ceil(4 / slot);
    across.ticks.filter((_, number) => number % step === 0).forEach(([share, text]) => {
      svg.append(drawn("text", { x: px(share), y: high - 8, "text-anchor": "middle" }, cut(text, Math.floor(step * slot))));
    });
    rows.sort((one, other) => one.classList.contains("best") - other.classList.contains("best")); // the best on top
    for (const row of rows) {
      const isBest = row.classList.contains("best");
      const at = { cx: px(across.at(cell(row, x))), cy: py(up.at(cell(row, y))), r: isBest ? 8 : 5 };
      const point = drawn("circle", { class: isBest ? "c1" : "c0", ...at });
      point.append(drawn("title", {}, `#${row.cells[0].textContent.trim()}: ${cell(row, x)}, ${cell(row, y)}`));
      point.addEventListener("click", () => row.scrollIntoView({ block: "center" }));
      svg.append(point);
    }
    picture.replaceChildren(svg);
  };
  for (const select of [x, y]) select.addEventListener("change", draw);
  const caption = document.createElement("figcaption");
  caption.append(yLabel, xLabel);
  figure.append(caption, picture);
  addEventListener("resize", draw);
  draw();
}
// A frame is as high as what it holds, up to a screen.
for (const frame of document.querySelectorAll("iframe:not(.interactive)")) {
  const fit = () => {
    const content = frame.contentDocument && frame.contentDocument.documentElement;
    if (!content) return;
    frame.style.height = "0";
    frame.style.height = Math.min(content.scrollHeight + 4, innerHeight) + "px";
  };
  frame.addEventListener("load", fit);
  fit();
}
// An interactive output tells its height; only numbers are taken, only from frames of this page.
addEventListener("message", (event) => {
  for (const frame of document.querySelectorAll("iframe.interactive")) {
    if (frame.contentWindow !== event.source) continue;
    const height = Number(event.data && event.data.height);
    if (height > 0) frame.style.height = Math.min(height + 4, innerHeight) + "px";
  }
});
// On paper nothing scrolls: a wide table or formula is made smaller, or the page turned for it. Browsers
// would shrink all pages instead.
const PORTRAIT = 640, LANDSCAPE = 1000, READABLE = 0.6; // pixels between the margins of A4, and of Letter
const wideRegions = () => document.querySelectorAll(".scroll:not(pre), .formula");
addEventListener("beforeprint", () => {
  for (const region of wideRegions()) {
    Object.assign(region.style, { width: `${PORTRAIT}px`, maxWidth: "none" }); // measured as on paper
    const width = region.scrollWidth;
    Object.assign(region.style, { width: "", maxWidth: "" });
    if (width <= PORTRAIT) continue;
    const turned = PORTRAIT / width < READABLE && region.matches("article .scroll");
    region.classList.toggle("turned", turned);
    region.style.zoom = Math.min(1, (turned ? LANDSCAPE : PORTRAIT) / width);
  }
});
addEventListener("afterprint", () => {
  for (const region of wideRegions()) {
    region.classList.remove("turned");
    region.style.zoom = "";
  }
});
// On a server, only what goes with the site can be opened.
if (location.protocol !== "file:") {
  for (const link of document.querySelectorAll("a.local")) link.removeAttribute("href");
}
// The contents are open beside a wide page and closed above a narrow one.
if (!matchMedia("(min-width: 64rem)").matches) {
  for (const contents of document.querySelectorAll("details.contents")) contents.open = false;
}
// What a link leads to is shown: a failed cell, a stage.
const reveal = () => {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const details = target && target.querySelector("details");
  if (details) details.open = true;
};
addEventListener("hashchange", reveal);
reveal();
// A slash leads to the search, as on most sites.
const search = document.querySelector("a[rel=search]");
if (search) {
  addEventListener("keydown", (event) => {
    const isTyped = event.ctrlKey || event.altKey || event.metaKey || event.target.closest("input, select, textarea");
    if (event.key !== "/" || isTyped) return;
    event.preventDefault();
    search.click();
  });
}
// Slides: the keys and presenters' remotes go one slide on or back.
const slides = [...document.querySelectorAll(".slide")];
if (slides.length) {
  const steps = { ArrowRight: 1, ArrowDown: 1, PageDown: 1, " ": 1, ArrowLeft: -1, ArrowUp: -1, PageUp: -1 };
  addEventListener("keydown", (event) => {
    const inside = event.target.closest("pre, .scroll, summary, a, button");
    const step = inside || event.altKey || event.ctrlKey || event.metaKey ? 0 : steps[event.key];
    if (!step) return;
    event.preventDefault();
    const top = (slide) => Math.abs(slide.getBoundingClientRect().top);
    const at = slides.reduce((best, slide, n) => (top(slide) < top(slides[best]) ? n : best), 0);
    const next = slides[Math.max(0, Math.min(slides.length - 1, at + step))];
    next.scrollIntoView();
    next.focus({ preventScroll: true });
  });
}
