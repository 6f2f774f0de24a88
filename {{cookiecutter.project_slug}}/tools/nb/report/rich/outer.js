"use strict";
const frame = document.querySelector("iframe");
const empty = document.querySelector("p");
// After this time, an output without height is taken for empty.
const EMPTY_MILLISECONDS = 3000;
const answer = () => frame.contentWindow.postMessage(libraries, "*");
const show = (height) => {
  if (parent !== window) parent.postMessage({ height }, "*");
};
addEventListener("message", (event) => {
  if (event.source !== frame.contentWindow) return;
  if (event.data === "ready") return answer();
  const height = Math.min(Number(event.data && event.data.height) || 0, 4000);
  if (!height) return;
  clearTimeout(waiting);
  frame.hidden = false;
  empty.hidden = true;
  frame.style.height = height + "px";
  show(height);
});
const waiting = setTimeout(() => {
  frame.hidden = true;
  empty.hidden = false;
  show(document.documentElement.offsetHeight);
}, EMPTY_MILLISECONDS);
// Said before this listened.
answer();
