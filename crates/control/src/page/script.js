// Fetches the content of the page anew every two seconds while it can be seen; what cannot be fetched is shown paler.
"use strict";
const content = document.getElementById("content");
async function refresh() {
  if (!document.hidden) {
    try {
      const response = await fetch("/page/content", { cache: "no-store" });
      if (!response.ok) throw new Error(response.statusText);
      content.innerHTML = await response.text();
      document.body.classList.remove("stale");
    } catch {
      document.body.classList.add("stale");
    }
  }
  setTimeout(refresh, 2000);
}
setTimeout(refresh, 2000);
