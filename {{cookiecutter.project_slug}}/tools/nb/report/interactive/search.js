"use strict";
// The words that are typed are looked up in the index, which the page holds; nothing is fetched.
const MOST_RESULTS = 50, BEFORE = 60, AFTER = 160; // characters around the first word that was found
const plain = (text) => // without accents and capitals, and as long as the text
  [...text].map((letter) => {
    const [bare] = letter.normalize("NFD").toLowerCase();
    return bare !== undefined && bare.length === letter.length ? bare : letter;
  }).join("");
const pages = JSON.parse(document.getElementById("index").textContent);
const sections = pages.flatMap((page) =>
  [["", "", page.name], ...page.sections].map(([anchor, heading, text], place) => {
    const [shown, head] = [text.normalize("NFC"), heading || page.title];
    const title = plain(`${head} ${page.title} ${page.name}`.normalize("NFC"));
    return { page, isPage: place === 0, anchor, head, heading: plain(heading), title, text: shown, plain: plain(shown) };
  }));
const input = document.getElementById("words");
const results = document.getElementById("results");
const told = document.getElementById("told");
const list = [...results.children]; // of all pages, shown while nothing is typed
const make = (name, ...children) => {
  const made = document.createElement(name);
  made.append(...children);
  return made;
};
const find = (words) => sections
  .map((section) => {
    const inTitle = words.filter((word) => section.title.includes(word)).length;
    const inText = words.filter((word) => section.plain.includes(word)).length;
    const all = words.every((word) => section.title.includes(word) || section.plain.includes(word));
    // A word in the title of the page alone would name each of its sections.
    const isOwn = section.isPage || words.some((word) => section.heading.includes(word) || section.plain.includes(word));
    return { section, rank: all && isOwn ? 2 * inTitle + inText : 0 };
  })
  .filter(({ rank }) => rank > 0)
  .sort((one, other) => other.rank - one.rank)
  .map(({ section }) => section);
const excerpt = ({ text, plain: bare }, words) => {
  const places = words.map((word) => bare.indexOf(word)).filter((place) => place >= 0);
  const start = places.length ? Math.max(0, Math.min(...places) - BEFORE) : 0;
  const end = Math.min(text.length, start + BEFORE + AFTER);
  const parts = [start > 0 ? "… " : ""];
  for (let at = start; at < end;) {
    const hits = words.map((word) => [bare.indexOf(word, at), word]).filter(([place]) => place >= 0 && place < end);
    if (!hits.length) {
      parts.push(text.slice(at, end));
      break;
    }
    const [place, word] = hits.reduce((first, hit) => (hit[0] < first[0] ? hit : first));
    parts.push(text.slice(at, place), make("mark", text.slice(place, place + word.length)));
    at = place + word.length;
  }
  return make("p", ...parts, end < text.length ? " …" : "");
};
const show = () => {
  const words = [...new Set(plain(input.value.normalize("NFC")).split(/\s+/).filter(Boolean))];
  if (!words.length) {
    results.replaceChildren(...list);
    told.textContent = "";
    return;
  }
  const found = find(words);
  results.replaceChildren(...found.slice(0, MOST_RESULTS).map((section) => {
    const link = make("a", section.head);
    link.href = section.page.href + (section.anchor ? `#${encodeURIComponent(section.anchor)}` : "");
    const place = [section.page.title, section.page.name].filter((text) => text && text !== section.head);
    const text = section.isPage ? [] : [excerpt(section, words)];
    return make("li", link, " ", make("small", place.join(" · ")), ...text);
  }));
  const more = found.length > MOST_RESULTS ? `, the first ${MOST_RESULTS} are shown` : "";
  told.textContent = found.length ? `${found.length} found${more}` : "Nothing has all of these words.";
};
// The words are part of the address: a search can be sent, and is there again on the way back.
const remember = () => location.replace(`#${encodeURIComponent(input.value)}`);
const recall = () => {
  const words = decodeURIComponent(location.hash.slice(1));
  if (words !== input.value) {
    input.value = words;
    show();
  }
};
input.addEventListener("input", show);
input.addEventListener("change", remember);
addEventListener("hashchange", recall);
// Arrows lead from the words to the results and on; Enter opens the first; a letter goes on typing.
addEventListener("keydown", (event) => {
  const links = [...results.querySelectorAll("a")];
  const at = links.indexOf(document.activeElement);
  if (event.key === "Enter" && event.target === input && input.value.trim() && links.length) {
    remember();
    links[0].click();
  } else if (event.key === "ArrowDown" && links.length && (at >= 0 || event.target === input)) {
    event.preventDefault();
    links[Math.min(at + 1, links.length - 1)].focus();
  } else if (event.key === "ArrowUp" && at >= 0) {
    event.preventDefault();
    (links[at - 1] || input).focus();
  } else if (event.key === "/" && event.target !== input) {
    event.preventDefault();
    input.focus();
  }
});
recall();
