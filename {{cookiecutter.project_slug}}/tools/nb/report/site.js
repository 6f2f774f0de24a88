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
        if (x === "" || y === "") return (x === "") - (y === ""); // what is missing comes last
        const order = isNaN(x) || isNaN(y) ? x.localeCompare(y) : x - y;
        return down ? -order : order;
      };
      const body = table.tBodies[0];
      body.append(...[...body.rows].sort(compare));
    });
  });
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
// On paper nothing scrolls: a wide table or formula is made smaller, or the page turned for it.
const PORTRAIT = 670, LANDSCAPE = 1000, READABLE = 0.6; // pixels between the margins of A4
addEventListener("beforeprint", () => {
  for (const region of document.querySelectorAll("article .scroll, .formula")) {
    const width = Math.max(region.scrollWidth > region.clientWidth ? region.scrollWidth : 0,
      region.firstElementChild ? region.firstElementChild.getBoundingClientRect().width : 0);
    if (width <= PORTRAIT) continue;
    const turned = PORTRAIT / width < READABLE && region.matches(".scroll");
    region.classList.toggle("turned", turned);
    region.style.zoom = Math.min(1, (turned ? LANDSCAPE : PORTRAIT) / width);
  }
});
addEventListener("afterprint", () => {
  for (const region of document.querySelectorAll(".scroll, .formula")) {
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
