// Fetches the content of the page anew every two seconds while it can be seen; what cannot be fetched is shown paler.
"use strict";
const content = document.getElementById("content");
const places = () => [...content.querySelectorAll("section")];
async function refresh() {
  if (!document.hidden) {
    try {
      const response = await fetch("/page/content", { cache: "no-store", signal: AbortSignal.timeout(5000) });
      if (!response.ok) throw new Error(response.statusText);
      const text = await response.text();
      // Wide tables stay where somebody has moved them.
      const moved = places().map((place) => place.scrollLeft);
      content.innerHTML = text;
      places().forEach((place, index) => { place.scrollLeft = moved[index] ?? 0; });
      document.body.classList.remove("stale");
    } catch {
      document.body.classList.add("stale");
    }
  }
  setTimeout(refresh, 2000);
}
setTimeout(refresh, 2000);
