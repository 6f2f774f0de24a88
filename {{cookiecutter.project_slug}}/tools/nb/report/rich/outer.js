"use strict";
const frame = document.querySelector("iframe");
const answer = () => frame.contentWindow.postMessage(libraries, "*");
addEventListener("message", (event) => {
  if (event.source !== frame.contentWindow) return;
  if (event.data === "ready") return answer();
  const height = Math.min(Number(event.data && event.data.height) || 0, 4000);
  if (!height) return;
  frame.style.height = height + "px";
  if (parent !== window) parent.postMessage({ height }, "*");
});
// Said before this listened.
answer();
