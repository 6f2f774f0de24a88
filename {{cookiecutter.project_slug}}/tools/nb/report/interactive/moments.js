"use strict";
// Two moments of the history, which the reader chooses. Each moment has only the values that differ
// from those of the moment before, by the number of the name; null is a value that is gone.
const { names, moments } = JSON.parse(document.getElementById("history").textContent);
for (const kind of ["metrics", "parameters"]) {
  let known = {};
  for (const moment of moments) {
    if (moment[kind] === null) continue;
    known = Object.fromEntries(Object.entries({ ...known, ...moment[kind] }).filter(([, value]) => value !== null));
    moment[kind] = known;
  }
}
const make = (name, attributes, ...children) => {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
};
const written = (value) => (typeof value === "number" ? String(Number(value.toPrecision(6))) : value ?? "–");
const difference = (one, other) => {
  if (typeof one !== "number" || typeof other !== "number") return "";
  const change = Number((other - one).toPrecision(6));
  return `${change > 0 ? "+" : ""}${change}`.replace("-", "−");
};
const table = (where, keys, one, other) => {
  const head = ["Name", "Before", "Now", "Change"].map((text, at) =>
    make("th", { scope: "col", class: at ? "n" : "" }, text));
  const rows = keys.map((key) => {
    const name = names[key].split("\n")[1].split(/(?<=[._])/).flatMap((part) => [part, make("wbr", {})]);
    const numbers = [written(one[key]), written(other[key]), difference(one[key], other[key])];
    return make("tr", {}, make("th", { scope: "row" }, ...name), ...numbers.map((text) => make("td", { class: "n" }, text)));
  });
  const made = make("table", {}, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...rows));
  const region = make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": where }, made);
  return [make("h3", {}, where), region];
};
// A table for each file or stage with a value that differs; of the others the number.
const section = (title, one, other) => {
  const keys = Object.keys({ ...one, ...other });
  const groups = {};
  for (const key of keys.filter((each) => one[each] !== other[each])) (groups[names[key].split("\n")[0]] ??= []).push(key);
  const equal = keys.filter((each) => one[each] === other[each]).length;
  const rest = !keys.length ? "Neither has any." : equal === keys.length ? "All are equal." : equal ? `Equal in both: ${equal}.` : "";
  const tables = Object.entries(groups).flatMap(([where, own]) => table(where, own, one, other));
  return [make("h2", {}, title), ...tables, ...(rest ? [make("p", { class: "muted" }, rest)] : [])];
};
const place = document.getElementById("comparison");
if (place) {
  const [before, now] = ["before", "now"].map((id) => document.getElementById(id));
  for (const select of [before, now]) {
    for (const moment of [...moments].reverse()) select.add(new Option(moment.label, moment.id));
  }
  const find = (id) => moments.find((moment) => moment.id === id);
  const show = () => {
    const [one, other] = [find(before.value), find(now.value)];
    const links = [one, other].filter((moment) => moment.href)
      .map((moment) => make("li", {}, make("a", { href: moment.href }, moment.label)));
    const parameters = one.parameters && other.parameters ? section("Parameters", one.parameters, other.parameters) : [];
    place.replaceChildren(...section("Metrics", one.metrics, other.metrics), ...parameters,
      ...(links.length ? [make("h2", {}, "Pages"), make("ul", { class: "plain" }, ...links)] : []));
  };
  // The two are part of the address, `#before..now`: a comparison can be sent.
  const recall = () => {
    const asked = decodeURIComponent(location.hash.slice(1)).split("..");
    const [one, other] = asked.length === 2 && asked.every(find) ? asked : moments.slice(-2).map(({ id }) => id);
    [before.value, now.value] = [one, other];
    show();
  };
  for (const select of [before, now]) {
    select.addEventListener("change", () => location.replace(`#${before.value}..${now.value}`));
  }
  addEventListener("hashchange", recall);
  recall();
}
